import pytest

from harness.verify.consistency.finding import Cohort
from harness.verify.consistency.history import Ending
from harness.verify.consistency.monotonic_writes import monotonic_writes
from tests.harness.verify.consistency.a_history import saw, told, wrote

STICKY, REMOTE, MOVED = Cohort.STICKY, Cohort.REMOTE, Cohort.MOVED


def test_nothing_done_is_nothing_judged() -> None:
    assert all(tally.judged == 0 for tally in monotonic_writes(told()).values())


def test_a_read_that_shows_both_or_only_the_earlier_is_fine() -> None:
    finding = monotonic_writes(
        told(
            wrote(1, "p1", at_s=1.0),
            wrote(1, "p2", at_s=2.0),
            saw(2, "p1", "p2", at_s=3.0, region="europe"),
            saw(2, "p1", at_s=4.0, region="europe"),
        )
    )

    assert (finding[REMOTE].judged, len(finding[REMOTE].violating)) == (1, 0)


@pytest.mark.parametrize(
    ("second", "reader", "cohort"),
    [
        ("us-east", "us-east", STICKY),
        ("us-east", "europe", REMOTE),
        ("europe", "europe", MOVED),
        ("europe", "us-east", MOVED),
        ("", "us-east", MOVED),
    ],
)
def test_only_the_later_of_two_is_shown(second: str, reader: str, cohort: Cohort) -> None:
    finding = monotonic_writes(
        told(
            wrote(1, "p1", at_s=1.0, region="us-east"),
            wrote(1, "p2", at_s=2.0, region=second),
            saw(2, "p2", at_s=3.0, region=reader),
        )
    )

    assert finding[cohort].violating.tolist() == [2]
    assert [step.part for step in finding[cohort].witnesses[0].steps] == ["wrote p1", "wrote p2", "saw p2, missed p1"]
    assert all(finding[other].judged == 0 for other in Cohort if other is not cohort)


def test_writes_that_the_session_made_on_the_way_do_not_hide_those_of_the_first_region() -> None:
    finding = monotonic_writes(
        told(
            wrote(1, "p1", at_s=1.0, region="us-east"),
            wrote(1, "p2", at_s=2.0, region="europe"),
            wrote(1, "p3", at_s=3.0, region="us-east"),
            saw(2, "p2", "p3", at_s=4.0, region="us-west"),
        )
    )

    assert finding[REMOTE].violating.tolist() == [3]  # p1 before p3, both in us-east
    assert finding[MOVED].violating.tolist() == [3]  # p1 before p2


def test_writes_of_two_sessions_have_no_order() -> None:
    finding = monotonic_writes(told(wrote(1, "p1", at_s=1.0), wrote(2, "p2", at_s=2.0), saw(3, "p2", at_s=3.0)))

    assert all(tally.judged == 0 for tally in finding.values())


def test_a_write_that_was_tried_twice_proves_no_order() -> None:
    finding = monotonic_writes(
        told(
            wrote(1, "p1", at_s=1.0),
            wrote(1, "p2", at_s=2.0, key="k"),
            wrote(2, "", at_s=1.5, key="k", ending=Ending.INFO),
            saw(3, "p2", at_s=3.0),
        )
    )

    assert all(tally.judged == 0 for tally in finding.values())
