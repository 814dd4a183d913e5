"""Arrivals lie exactly where the integral of the offered rate passes the next unit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.experiment.load import Arrivals
from harness.load.arrivals import integral, inverse_of_integral, scheduled_times
from harness.plan import RateSegment


def segments(*pieces: tuple[float, float, float]) -> tuple[RateSegment, ...]:
    """End to end from 0: (length, rate at its start, rate at its end)."""
    made, now_s = [], 0.0
    for length_s, start, end in pieces:
        made.append(RateSegment(start_s=now_s, end_s=now_s + length_s, from_per_s=start, to_per_s=end))
        now_s += length_s
    return tuple(made)


@pytest.mark.parametrize(
    ("pieces", "due_s", "why"),
    [
        ([], [], "without a segment nothing is due"),
        ([(10, 0, 0)], [], "nor at a rate of zero"),
        ([(0.4, 1, 1)], [], "0.4 arrivals round to none"),
        ([(1, 1, 1)], [0.5], "one arrival stands in the middle of its second"),
        ([(1, 4, 4)], [0.125, 0.375, 0.625, 0.875], "a constant rate spaces evenly"),
        ([(2, 0, 2)], [1.0, 3**0.5], "a ramp from zero: t²/2 = 1/2, 3/2"),
        ([(2, 2, 0)], [2 - 3**0.5, 1.0], "a ramp to zero is its mirror image"),
        ([(1, 1, 1), (5, 0, 0), (1, 2, 2)], [0.5, 6.25, 6.75], "nothing is due in a pause"),
        ([(1, 1, 1), (1, 3, 3)], [0.5, 1 + 1 / 6, 1.5, 1 + 5 / 6], "a step takes effect at once"),
        ([(3, 0, 0), (1, 1, 1)], [3.5], "a pause at the start shifts all"),
        ([(0.5, 1, 1), (0.5, 1, 1)], [0.5], "an arrival on a border is one arrival"),
    ],
)
def test_constant_arrivals_follow_the_rate(
    pieces: list[tuple[float, float, float]], due_s: list[float], why: str
) -> None:
    times = scheduled_times(segments(*pieces), Arrivals.CONSTANT, 1, shard=0, shards=1)

    assert times == pytest.approx(due_s), why


rates = st.floats(0, 200, allow_subnormal=False).map(lambda rate: 0.0 if rate < 1e-3 else rate)
pieces = st.lists(st.tuples(st.floats(0.01, 20), rates, rates), max_size=6)
kinds = st.sampled_from(Arrivals)


@given(pieces)
def test_constant_arrivals_count_the_integral(given_pieces: list[tuple[float, float, float]]) -> None:
    whole = segments(*given_pieces)
    times = scheduled_times(whole, Arrivals.CONSTANT, 1, shard=0, shards=1)

    assert abs(len(times) - integral(whole)) <= 0.5 + 1e-6


@given(pieces, st.integers(1, 5))
def test_constant_shards_partition_the_arrivals(given_pieces: list[tuple[float, float, float]], shards: int) -> None:
    whole = segments(*given_pieces)
    parts = [scheduled_times(whole, Arrivals.CONSTANT, 1, shard=k, shards=shards) for k in range(shards)]
    all_of_them = scheduled_times(whole, Arrivals.CONSTANT, 1, shard=0, shards=1)

    assert np.array_equal(np.sort(np.concatenate(parts)), all_of_them)
    assert all(np.array_equal(part, all_of_them[k::shards]) for k, part in enumerate(parts))


@given(pieces, kinds, st.integers(0, 3))
def test_arrivals_rise_and_stay_within_the_load(
    given_pieces: list[tuple[float, float, float]], kind: Arrivals, seed: int
) -> None:
    whole = segments(*given_pieces)
    times = scheduled_times(whole, kind, seed, shard=1, shards=3)

    assert (np.diff(times) >= 0).all()
    assert ((times >= 0) & (times <= (whole[-1].end_s if whole else 0))).all()


@pytest.mark.slow
@given(pieces)
def test_the_inverse_undoes_the_integral(given_pieces: list[tuple[float, float, float]]) -> None:
    whole = segments(*given_pieces)
    operational = np.linspace(0, integral(whole), 50)[1:-1]
    times = inverse_of_integral(whole, operational) if integral(whole) > 0 else np.zeros(0)

    for time_s, wanted in zip(times, operational, strict=False):
        assert integral(cut(whole, float(time_s))) == pytest.approx(wanted, rel=1e-6, abs=1e-6)


def cut(whole: tuple[RateSegment, ...], at_s: float) -> tuple[RateSegment, ...]:
    """The segments up to a time."""
    kept = []
    for one in whole:
        if one.start_s >= at_s:
            break
        end_s = min(one.end_s, at_s)
        share = (end_s - one.start_s) / (one.end_s - one.start_s)
        rate = one.from_per_s + (one.to_per_s - one.from_per_s) * share
        kept.append(RateSegment(start_s=one.start_s, end_s=end_s, from_per_s=one.from_per_s, to_per_s=rate))
    return tuple(kept)


def test_poisson_arrivals_are_the_same_for_the_same_seed_and_shard_only() -> None:
    whole = segments((10, 50, 50))

    def drawn(seed: int, shard: int) -> list[float]:
        times: list[float] = scheduled_times(whole, Arrivals.POISSON, seed, shard=shard, shards=2).tolist()
        return times

    assert drawn(1, 0) == drawn(1, 0)
    assert drawn(1, 0) != drawn(2, 0)
    assert drawn(1, 0) != drawn(1, 1)


@pytest.mark.parametrize("shards", [1, 4])
def test_poisson_counts_and_gaps_are_those_of_a_poisson_process(shards: int) -> None:
    whole = segments((100, 0, 200), (100, 200, 200))
    times = np.sort(
        np.concatenate([scheduled_times(whole, Arrivals.POISSON, 3, shard=k, shards=shards) for k in range(shards)])
    )
    gaps = np.diff(times[times > 100]) * 200

    assert len(times) == pytest.approx(30_000, abs=5 * 30_000**0.5)
    assert (times < 100).sum() == pytest.approx(10_000, abs=5 * 10_000**0.5)
    assert gaps.mean() == pytest.approx(1.0, abs=0.05)  # exponential: mean and spread are equal
    assert gaps.std() == pytest.approx(1.0, abs=0.05)


def test_poisson_without_load_has_no_arrivals() -> None:
    assert len(scheduled_times(segments((10, 0, 0)), Arrivals.POISSON, 1, shard=0, shards=1)) == 0
    assert len(scheduled_times((), Arrivals.POISSON, 1, shard=0, shards=1)) == 0
