import pytest

from harness.verify.consistency.finding import Cohort
from harness.verify.consistency.monotonic_reads import monotonic_reads
from tests.harness.verify.consistency.a_history import deleted, saw, told, wrote

STICKY, MOVED = Cohort.STICKY, Cohort.MOVED


def test_nothing_done_is_nothing_judged() -> None:
    assert all(tally.judged == 0 for tally in monotonic_reads(told()).values())


def test_a_first_read_judges_nothing_a_second_that_shows_as_much_does() -> None:
    assert monotonic_reads(told(saw(1, "p1", at_s=1.0)))[STICKY].judged == 0
    again = monotonic_reads(told(saw(1, "p1", at_s=1.0), saw(1, "p1", "p2", at_s=2.0)))

    assert (again[STICKY].judged, len(again[STICKY].violating)) == (1, 0)


def test_what_was_shown_may_not_vanish_whoever_wrote_it() -> None:
    finding = monotonic_reads(told(saw(1, "p1", at_s=1.0), saw(1, at_s=2.0), saw(1, "p1", at_s=3.0)))

    assert finding[STICKY].violating.tolist() == [1]
    assert [step.part for step in finding[STICKY].witnesses[0].steps] == ["saw p1", "missed p1"]


def test_each_place_where_it_was_seen_before_counts_in_its_cohort() -> None:
    finding = monotonic_reads(
        told(
            saw(1, "p1", at_s=1.0, region="us-east"),
            saw(1, "p1", at_s=2.0, region="europe"),
            saw(1, at_s=3.0, region="europe"),
            saw(1, at_s=4.0, region="us-west"),
        )
    )

    assert finding[STICKY].violating.tolist() == [2]
    assert finding[MOVED].violating.tolist() == [2, 3]
    assert finding[MOVED].judged == 3


def test_another_session_or_object_has_seen_nothing() -> None:
    finding = monotonic_reads(told(saw(1, "p1", at_s=1.0), saw(2, at_s=2.0), saw(1, at_s=3.0, object="other")))

    assert all(tally.judged == 0 for tally in finding.values())


def test_what_was_deleted_may_vanish_and_the_rest_may_not() -> None:
    finding = monotonic_reads(
        told(
            wrote(9, "p1", at_s=0.5),
            saw(1, "p1", "p2", at_s=1.0),
            deleted(9, "p1", at_s=1.5),
            saw(1, "p2", at_s=2.0),
            saw(1, at_s=3.0),
        )
    )

    assert finding[STICKY].violating.tolist() == [4]
    assert finding[STICKY].witnesses[0].ids == ("p2",)


@pytest.mark.parametrize(("second", "violating"), [(("p2", "p3"), []), (("p1", "p3"), [1])])
def test_an_old_id_may_leave_a_full_page_at_its_end_only(second: tuple[str, ...], violating: list[int]) -> None:
    order = {"p1": 1.0, "p2": 2.0, "p3": 3.0}
    pages = (saw(1, "p1", "p2", at_s=1.0, whole=False), saw(1, *second, at_s=2.0, whole=False))

    assert monotonic_reads(told(*pages, order=order))[STICKY].violating.tolist() == violating
