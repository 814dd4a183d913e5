import pytest

from harness.verify.consistency.finding import Cohort
from harness.verify.consistency.history import Ending, Operation
from harness.verify.consistency.own_writes import read_your_writes
from tests.harness.verify.consistency.a_history import deleted, saw, told, wrote

STICKY, MOVED = Cohort.STICKY, Cohort.MOVED


def test_nothing_done_is_nothing_judged() -> None:
    finding = read_your_writes(told())

    assert {cohort: tally.judged for cohort, tally in finding.items()} == dict.fromkeys(Cohort, 0)


def test_who_sees_what_it_wrote_is_content() -> None:
    finding = read_your_writes(told(wrote(1, "p1", at_s=1.0), saw(1, "p1", at_s=2.0)))

    assert (finding[STICKY].judged, len(finding[STICKY].violating)) == (1, 0)


def test_who_does_not_is_a_witness_with_both_operations() -> None:
    finding = read_your_writes(told(wrote(1, "p1", at_s=1.0), saw(1, at_s=2.0)))

    assert finding[STICKY].violating.tolist() == [1]
    witness = finding[STICKY].witnesses[0]
    assert [step.part for step in witness.steps] == ["wrote p1", "missed p1"]
    assert [step.operation.invoked_s for step in witness.steps] == [1.0, 2.0]
    assert witness.sentence == (
        "Session 1 wrote p1 in us-east at 1.100 s and did not see it in us-east at 2.100 s in posts of user-17."
    )


def test_a_read_served_by_another_region_is_of_the_moved() -> None:
    finding = read_your_writes(told(wrote(1, "p1", at_s=1.0), saw(1, at_s=2.0, region="europe")))

    assert finding[MOVED].violating.tolist() == [1]
    assert finding[STICKY].judged == 0


def test_a_read_of_which_nobody_knows_who_served_it_is_of_the_moved() -> None:
    finding = read_your_writes(told(wrote(1, "p1", at_s=1.0, region=""), saw(1, at_s=2.0, region="")))

    assert finding[MOVED].judged == 1


EXCUSES: list[tuple[str, list[Operation]]] = [
    ("another session wrote it", [wrote(2, "p1", at_s=1.0), saw(1, at_s=2.0)]),
    ("another object was read", [wrote(1, "p1", at_s=1.0), saw(1, at_s=2.0, object="posts of user-18")]),
    ("nobody knows whether it was written", [wrote(1, "p1", at_s=1.0, ending=Ending.INFO), saw(1, at_s=2.0)]),
    ("it was refused", [wrote(1, "p1", at_s=1.0, ending=Ending.FAIL), saw(1, at_s=2.0)]),
    ("it was written only later", [saw(1, at_s=1.0), wrote(1, "p1", at_s=2.0)]),
    ("it was deleted", [wrote(1, "p1", at_s=1.0), deleted(2, "p1", at_s=1.5), saw(1, at_s=2.0)]),
    ("a full page of unknown order came", [wrote(1, "p1", at_s=1.0), saw(1, "p9", at_s=2.0, whole=False)]),
    ("the read came to nothing", [wrote(1, "p1", at_s=1.0), saw(1, at_s=2.0, ending=Ending.FAIL)]),
]


@pytest.mark.parametrize(("why", "operations"), EXCUSES)
def test_nothing_is_owed_where(why: str, operations: list[Operation]) -> None:
    finding = read_your_writes(told(*operations))

    assert sum(tally.judged for tally in finding.values()) == 0, why


def test_a_delete_that_begins_after_the_read_was_over_is_no_excuse() -> None:
    finding = read_your_writes(told(wrote(1, "p1", at_s=1.0), saw(1, at_s=2.0), deleted(2, "p1", at_s=3.0)))

    assert finding[STICKY].violating.tolist() == [1]


def test_a_refused_delete_is_no_excuse() -> None:
    refused = deleted(2, "p1", at_s=1.5, ending=Ending.FAIL)
    finding = read_your_writes(told(wrote(1, "p1", at_s=1.0), refused, saw(1, at_s=2.0)))

    assert finding[STICKY].violating.tolist() == [2]


@pytest.mark.parametrize(
    ("age", "violating"),
    [
        (5.0, [2]),  # newer than the oldest on the page: it had to be there
        (1.0, []),  # older: the page may have had no room
        (None, []),
    ],
)
def test_a_full_page_owes_what_is_not_older_than_its_oldest(age: float | None, violating: list[int]) -> None:
    order = {"p2": 3.0, "p3": 6.0} | ({"p1": age} if age is not None else {})
    operations = (wrote(1, "p1", at_s=1.0), wrote(2, "p2", at_s=1.0), saw(1, "p2", "p3", at_s=2.0, whole=False))
    finding = read_your_writes(told(*operations, order=order))

    assert finding[STICKY].violating.tolist() == violating


def test_a_retry_with_the_same_key_may_be_shown_under_its_other_id() -> None:
    finding = read_your_writes(
        told(
            wrote(1, "us-east-1", at_s=1.0, key="k"),
            wrote(2, "europe-1", at_s=1.2, key="k", region="europe"),
            saw(1, "europe-1", at_s=3.0),
        )
    )

    assert (finding[STICKY].judged, len(finding[STICKY].violating)) == (1, 0)
