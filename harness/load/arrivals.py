"""When requests are due: the exact inverse of the offered rate's integral, as a pure function of plan, seed and shard.

An open loop needs a schedule that no answer can delay, so it is drawn whole before the load starts. A ramp is a line of
*rate*; its arrivals lie where the integral of that line passes the next unit, not where a stepwise pacer would look
next. Nothing here knows what a request is.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.experiment.load import Arrivals
from harness.plan import RateSegment

Times = NDArray[np.floating[Any]]


def scheduled_times(
    segments: tuple[RateSegment, ...], arrivals: Arrivals, seed: int, *, shard: int, shards: int
) -> Times:
    """Seconds from the start of the load at which this shard's requests are due, in rising order.

    Constant: arrival i is due where the integral reaches i + 1/2, and shard k of n takes every i ≡ k (mod n); so the
    number of arrivals is the integral, rounded. Poisson: unit exponential gaps in operational time (the integral), an
    own stream at 1/n of the rate for each shard; their union is a Poisson process at the whole rate.
    """
    assert 0 <= shard < shards, (shard, shards)
    total = integral(segments)
    if arrivals is Arrivals.POISSON:
        operational = _unit_poisson(total / shards, seed=seed, shard=shard) * shards
    else:
        operational = np.arange(shard, round_half_up(total), shards) + 0.5
    return inverse_of_integral(segments, np.minimum(operational, total))


def integral(segments: tuple[RateSegment, ...]) -> float:
    """How many arrivals the segments mean, on average."""
    return float(sum((_areas(segments)), 0.0))


def inverse_of_integral(segments: tuple[RateSegment, ...], operational: Times) -> Times:
    """The times at which the integral of the rate reaches the given values (each within 0 … `integral`)."""
    if not segments:
        return np.zeros(0)
    ends = np.cumsum(_areas(segments))
    # Subtle: "left" puts a value on a border into the segment that ends there, so a pause after it takes nothing.
    place = np.minimum(np.searchsorted(ends, operational, side="left"), len(segments) - 1)
    lengths = np.array([segment.end_s - segment.start_s for segment in segments])
    from_rate = np.array([segment.from_per_s for segment in segments])[place]
    slope = (np.array([segment.to_per_s for segment in segments])[place] - from_rate) / lengths[place]
    area = operational - np.concatenate(([0.0], ends))[place]
    # The root of rate·x + slope·x²/2 = area, in the form that loses no digits whatever the sign of the slope.
    denominator = from_rate + np.sqrt(np.maximum(from_rate**2 + 2 * slope * area, 0.0))
    into = np.divide(2 * area, denominator, out=np.zeros_like(area), where=denominator > 0)
    starts = np.array([segment.start_s for segment in segments])[place]
    times: Times = starts + np.clip(into, 0.0, lengths[place])
    return times


def round_half_up(value: float) -> int:
    return int(np.floor(value + 0.5 + 1e-9))  # 1e-9: sums of rates like 0.1/s that mean a whole number


def _areas(segments: tuple[RateSegment, ...]) -> Times:
    return np.array([(one.from_per_s + one.to_per_s) / 2 * (one.end_s - one.start_s) for one in segments], dtype=float)


def _unit_poisson(total: float, *, seed: int, shard: int) -> Times:
    """Arrivals of a Poisson process of rate 1 on 0 … total."""
    chance = np.random.default_rng(np.random.SeedSequence([seed, shard]))
    block = int(total + 6 * total**0.5 + 16)
    times = np.cumsum(chance.exponential(size=block))
    while times[-1] < total:
        times = np.concatenate((times, times[-1] + np.cumsum(chance.exponential(size=block))))
    return times[times < total]
