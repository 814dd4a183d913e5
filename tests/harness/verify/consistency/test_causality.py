from harness.verify.consistency.causality import causal
from harness.verify.consistency.finding import Cohort
from harness.verify.consistency.history import Ending
from tests.harness.verify.consistency.a_history import saw, told, wrote

STICKY, REMOTE, MOVED = Cohort.STICKY, Cohort.REMOTE, Cohort.MOVED


def test_nothing_done_is_nothing_judged() -> None:
    found = causal(told())

    assert all(tally.judged == 0 for tally in found.finding.values())
    assert found.cycles == ()


def test_what_came_to_a_reader_by_way_of_others_has_to_be_there() -> None:
    answers = told(
        wrote(1, "a", at_s=1.0, region="us-east"),
        saw(2, "a", at_s=2.0, region="us-east"),
        wrote(2, "x", at_s=3.0, region="us-east", object="second"),
        saw(3, "x", at_s=4.0, region="europe", object="second"),
        wrote(3, "y", at_s=5.0, region="europe", object="third"),
        saw(4, "y", at_s=6.0, region="us-west", object="third"),
        saw(4, at_s=7.0, region="us-west"),
        saw(5, at_s=7.0, region="us-west"),
    )
    found = causal(answers)

    assert found.finding[REMOTE].violating.tolist() == [6]
    parts = [step.part for step in found.finding[REMOTE].witnesses[0].steps]
    assert parts == ["wrote a", "saw a", "wrote x", "saw x", "wrote y", "saw y", "missed a"]


def test_a_read_that_nothing_led_to_owes_nothing() -> None:
    found = causal(told(wrote(1, "a", at_s=1.0), saw(2, at_s=2.0), saw(3, "a", at_s=3.0)))

    assert [tally.judged for tally in found.finding.values()] == [1, 0, 0]
    assert all(len(tally.violating) == 0 for tally in found.finding.values())


def test_a_reader_that_was_moved_before_is_of_the_moved() -> None:
    found = causal(
        told(
            wrote(1, "a", at_s=1.0, region="us-east"),
            saw(2, "a", at_s=2.0, region="us-east"),
            saw(2, at_s=3.0, region="europe"),
            saw(2, at_s=4.0, region="us-east"),
        )
    )

    assert found.finding[MOVED].violating.tolist() == [2, 3]
    assert found.finding[STICKY].judged == 1


def test_a_write_of_unknown_fate_is_owed_from_the_end_of_the_read_that_saw_it_on() -> None:
    found = causal(
        told(
            wrote(1, "a", at_s=1.0, ending=Ending.INFO),
            saw(3, at_s=1.5),
            saw(2, "a", at_s=2.0),
            wrote(2, "b", at_s=3.0),
            saw(3, "b", at_s=4.0),
        )
    )

    assert found.finding[STICKY].violating.tolist() == [4]


def test_a_write_that_happened_before_itself_is_a_cycle() -> None:
    found = causal(
        told(
            saw(1, "b", at_s=1.0),
            wrote(1, "a", at_s=2.0),
            saw(2, "a", at_s=3.0),
            wrote(2, "b", at_s=4.0),
        )
    )

    assert [witness.ids for witness in found.cycles] == [("b",)]
    assert [step.part for step in found.cycles[0].steps] == ["saw b", "wrote b"]


def test_a_read_that_is_ahead_of_a_write_without_leading_to_it_is_no_cycle() -> None:
    found = causal(told(saw(1, "b", at_s=1.0), wrote(2, "b", at_s=4.0), saw(1, "b", at_s=5.0)))

    assert found.cycles == ()
