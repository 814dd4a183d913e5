from collections.abc import Sequence
from dataclasses import replace

import msgspec
import pytest

from harness.units import Seconds
from harness.verify.scaling.hpa import Observation, Reading, Rule, scaled
from harness.verify.scaling.prediction import longest_deviation, predictions
from harness.verify.scaling.trace import Sync
from tests.harness.verify.scaling.a_scaled_system import CPU, HPA, P99, RATE

SMALL = scaled(HPA)  # 2 to 20 replicas; a sync each 0.75 s, windows of 3 s and 15 s


def _sync(number: int, current: int, desired: int, *, asks_for: int, error_s: float = 0.0) -> Sync:
    """At its planned instant; the load metric proposes `asks_for` replicas."""
    rate = Reading(value=20_000 * asks_for, counted=1)
    readings = {CPU: Reading(value=0, counted=1), RATE: rate, P99: Reading(value=0, counted=1)}
    seen = Observation(at_s=0.75 * number, error_s=error_s, current=current, readings=readings)
    return Sync(number=number, seen=seen, ready=current, desired=desired)


def _expected(syncs: Sequence[Sync]) -> list[tuple[int, int]]:
    return [(each.least.desired, each.most.desired) for each in predictions(SMALL, syncs)]


def test_nothing_recorded_predicts_nothing() -> None:
    assert predictions(SMALL, []) == []


def test_an_autoscaler_that_is_watched_from_its_start_is_known_exactly() -> None:
    syncs = [_sync(number, 10, 10, asks_for=20) for number in range(1, 7)]

    assert _expected(syncs) == [(10, 10)] * 4 + [(15, 15)] * 2  # 3 s after its first size


def test_before_the_record_anything_may_have_been_recommended_and_done() -> None:
    syncs = [_sync(number, 10, 10, asks_for=20) for number in range(50, 56)]

    # up to 50 % of 20 replicas more; from the fifth sync on everything that counts was seen
    assert _expected(syncs) == [(10, 20)] * 4 + [(15, 15)] * 2


def test_an_unseen_sync_may_have_recommended_anything_for_as_long_as_it_counts() -> None:
    syncs = [_sync(number, 10, 10, asks_for=20) for number in range(1, 16) if number != 8]

    assert _expected(syncs)[6:] == [(15, 15), (10, 15), (10, 15), (10, 15), (10, 15), (15, 15), (15, 15), (15, 15)]


def test_what_an_unseen_sync_changed_counts_against_the_rate() -> None:
    """Three replicas were added some time between 5.25 s and 6.75 s: 15 are allowed until 3 s after that, then 20."""
    hasty = msgspec.structs.replace(SMALL.scale_up, stabilization=Seconds(0.0))
    syncs = [_sync(number, 10, 10, asks_for=10) for number in range(1, 8)]
    syncs += [_sync(number, 13, 13, asks_for=20) for number in range(9, 14)]

    found = predictions(msgspec.structs.replace(SMALL, scale_up=hasty), syncs)[7:]

    assert [each.least.desired for each in found] == [15, 15, 15, 15, 20]
    assert [each.most.desired for each in found] == [15, 15, 20, 20, 20]


def test_an_autoscaler_that_was_started_again_begins_anew() -> None:
    before = [_sync(number, 10, 10, asks_for=20) for number in range(20, 30)]
    after = [
        replace(sync, number=number, seen=replace(sync.seen, at_s=30.0 + 0.75 * number))
        for number, sync in enumerate((_sync(1, 10, 10, asks_for=20) for _ in range(6)), start=1)
    ]

    assert _expected([*before, *after])[-6:] == [(10, 10)] * 4 + [(15, 15)] * 2


def test_instants_that_are_not_known_exactly_widen_only_what_hangs_on_them() -> None:
    syncs = [_sync(number, 10, 10, asks_for=20, error_s=0.3) for number in range(1, 8)]

    assert _expected(syncs) == [(10, 10)] * 4 + [(10, 15)] + [(15, 15)] * 2


@pytest.mark.parametrize(("desired", "off", "due"), [(10, -5, True), (15, 0, True), (16, 1, True)])
def test_what_was_decided_is_held_against_both_ends(desired: int, off: int, due: bool) -> None:
    syncs = [_sync(number, 10, 10, asks_for=20) for number in range(1, 6)]

    last = predictions(SMALL, [*syncs, _sync(6, 10, desired, asks_for=20)])[-1]

    assert (last.off, last.due, last.least.rule) == (off, due, Rule.RATE_LIMIT)


def test_one_wrong_decision_is_one_deviation() -> None:
    syncs = [_sync(number, 10, 10, asks_for=10) for number in range(1, 6)]
    syncs += [_sync(6, 10, 14, asks_for=10), *(_sync(number, 14, 14, asks_for=14) for number in range(7, 12))]

    assert [each.off for each in predictions(SMALL, syncs) if each.off] == [4]


def test_deviations_are_in_a_row_only_where_no_sync_between_them_is_unseen() -> None:
    syncs = [_sync(number, 10, 11 if number in (6, 8, 9) else 10, asks_for=10) for number in range(1, 12)]

    whole = predictions(SMALL, [sync for sync in syncs if sync.number != 8])
    torn = predictions(SMALL, [sync for sync in syncs if sync.number != 7])

    assert [each.sync.number for each in longest_deviation(predictions(SMALL, syncs))] == [8, 9]
    assert [len(longest_deviation(found)) for found in (whole, torn)] == [1, 2]
    assert longest_deviation(predictions(SMALL, syncs[:5])) == []


def test_whether_valid_metrics_would_scale_down_may_be_unknown() -> None:
    """131 % of 8 pods are 104 % or 105 % of 10 pods, which proposes 16 or 17. There are 17, and without the invalid
    metrics 16 are not even remembered."""
    blind = {RATE: Reading(value=None, counted=0), P99: Reading(value=None, counted=0)}
    readings = {CPU: Reading(value=131, counted=8, missing=2), **blind}
    unknown = replace(_sync(2, 17, 17, asks_for=0).seen, readings=readings)
    syncs = [_sync(1, 17, 17, asks_for=17), Sync(number=2, seen=unknown, ready=17, desired=17)]
    syncs += [_sync(number, 17, 17, asks_for=20) for number in range(3, 8)]

    assert _expected(syncs)[3:] == [(17, 17), (17, 20), (20, 20), (20, 20)]
