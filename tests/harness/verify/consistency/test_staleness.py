import numpy as np
import pytest

from harness.verify.consistency.history import Ending
from harness.verify.consistency.staleness import quantiles, staleness
from tests.harness.verify.consistency.a_history import deleted, saw, told, wrote

PAIR = ("us-east", "europe")


def test_nothing_done_is_nothing_judged() -> None:
    found = staleness(told())

    assert len(found) == 9
    assert all(each.judged == 0 for each in found.values())
    assert all(each.value_s is None for each in found[PAIR].staleness)


def test_an_item_is_stale_until_the_last_read_that_missed_it() -> None:
    found = staleness(
        told(
            wrote(1, "p1", at_s=1.0),  # known at 1.1
            saw(2, at_s=1.2, region="europe"),
            saw(2, at_s=1.5, region="europe"),
            saw(2, "p1", at_s=2.0, region="europe"),
        )
    )[PAIR]

    assert (found.stable, found.stale, found.lost) == (1, 1, 0)
    assert found.staleness_s.tolist() == pytest.approx([0.4])
    assert found.at_most_s.tolist() == pytest.approx([1.0])
    assert found.missed_until_s.tolist() == pytest.approx([0.4])
    assert found.shown_within_s.tolist() == pytest.approx([1.0])
    assert [step.part for step in found.stalest[0].steps] == ["wrote p1", "missed p1"]


def test_a_relapse_is_as_stale_as_its_end_though_it_was_shown_early() -> None:
    found = staleness(
        told(
            wrote(1, "p1", at_s=1.0),
            saw(2, "p1", at_s=1.2, region="europe"),
            saw(2, at_s=5.1, region="europe"),
            saw(2, "p1", at_s=6.0, region="europe"),
        )
    )[PAIR]

    assert found.staleness_s.tolist() == pytest.approx([4.0])
    assert found.at_most_s.tolist() == pytest.approx([5.0])
    assert found.shown_within_s.tolist() == pytest.approx([0.2])


def test_a_read_that_began_before_it_was_known_cannot_be_stale() -> None:
    early = saw(2, at_s=1.05, region="europe")
    found = staleness(told(wrote(1, "p1", at_s=1.0), early, saw(2, "p1", at_s=2.0, region="europe")))[PAIR]

    assert (found.stable, found.stale) == (1, 0)
    assert found.staleness_s.tolist() == [0.0]
    assert found.at_most_s.tolist() == pytest.approx([1.0])


def test_what_a_reader_saw_before_it_was_acknowledged_was_never_missing() -> None:
    early = saw(2, "p1", at_s=1.05, region="europe", lasts_s=0.01)
    found = staleness(told(wrote(1, "p1", at_s=1.0), early, saw(2, "p1", at_s=9.0, region="europe")))[PAIR]

    assert (found.staleness_s.tolist(), found.at_most_s.tolist()) == ([0.0], [0.0])


def test_where_nobody_looked_it_may_have_been_missing_until_somebody_did() -> None:
    late = saw(2, "p1", at_s=31.1, region="europe", lasts_s=0.1)
    found = staleness(told(wrote(1, "p1", at_s=1.0), late, saw(2, "p1", at_s=40.0, region="europe")))[PAIR]

    assert found.staleness_s.tolist() == [0.0]
    assert found.at_most_s.tolist() == pytest.approx([30.1])


def test_who_misses_it_last_lost_it_and_who_never_asked_knows_nothing() -> None:
    found = staleness(told(wrote(1, "p1", at_s=1.0), saw(2, at_s=2.0, region="europe")))

    assert (found[PAIR].lost, found[PAIR].unshown, found[PAIR].lost_items) == (1, 1, ("p1",))
    assert (found["us-east", "us-west"].judged, found["us-east", "us-west"].never_read) == (0, 1)


def test_a_write_of_unknown_fate_is_known_when_the_first_read_that_saw_it_is_over() -> None:
    found = staleness(
        told(
            wrote(1, "p1", at_s=1.0, ending=Ending.INFO),
            saw(3, "p1", at_s=2.0, region="us-west"),
            saw(2, at_s=2.6, region="europe"),
            saw(2, "p1", at_s=3.0, region="europe"),
        )
    )[PAIR]

    assert found.staleness_s.tolist() == pytest.approx([0.5])


def test_a_full_page_and_a_delete_are_no_misses() -> None:
    found = staleness(
        told(
            wrote(1, "p1", at_s=1.0),
            saw(2, "p1", at_s=2.0, region="europe"),
            saw(2, "p8", "p9", at_s=3.0, region="europe", whole=False),
            deleted(1, "p1", at_s=4.0),
            saw(2, at_s=5.0, region="europe"),
        )
    )[PAIR]

    assert (found.stable, found.stale, found.lost) == (1, 0, 0)


def test_quantiles_need_samples_and_count_what_never_came_as_later_than_any() -> None:
    few, many = quantiles(np.arange(10.0), never=0), quantiles(np.arange(1000.0), never=0)
    median, p95, p99 = quantiles(np.arange(1000.0), never=30)

    assert [each.value_s for each in few] == [4.0, None, None]
    assert [each.value_s for each in many] == [499.0, 949.0, 989.0]
    assert (median.value_s, p95.value_s, p99.value_s) == (514.0, 978.0, np.inf)
    assert many[2].interval.low == 982.0
    assert many[2].interval.high == 996.0
