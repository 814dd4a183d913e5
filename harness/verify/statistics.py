"""Intervals, and how many samples would decide: the only place where chance is reckoned with.

Requests that queue behind each other are correlated, and an interval from raw requests then misses the truth half of
the time (nominal 95 %, AR(1) with 0.9: 48 %). So shares are judged over *blocks* of time, and never by an interval
narrower than Clopper–Pearson's. Too few samples give "not estimable", never a number. Knows nothing of runs or checks.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from harness.verify.verdict import Interval, Outcome

Floats = NDArray[np.float64]

CONFIDENCE = 0.95  # of intervals that stand for themselves
# Objectives have a side ("at most 1 %"), so each end of a deciding interval holds with 95 %, both together with 90 %;
# this is the two one-sided tests of equivalence, and gives the usual "2,995 samples without a hit show < 0.1 %".
DECIDING = 0.90
FALSE_RED = 0.01  # share of healthy runs that may be red by chance, over all checks of a run together
MIN_BLOCKS = 20  # fewer block values say nothing about their spread
SPARE_BLOCKS = 25  # into which a short window is cut, as some may stay empty
FIRST_BLOCK_S = 1.0
SHORTEST_BLOCK_S = 0.25
assert SPARE_BLOCKS > MIN_BLOCKS
MAX_LAG1 = 0.2  # correlation of neighbouring blocks above which blocks are doubled
MAX_TIMES_NEEDED = 50  # nobody makes a run that many times as long: it would be advice that helps nobody


# --- quantiles ------------------------------------------------------------------------------------------------------


def quantile_ranks(samples: int, quantile: float, confidence: float = CONFIDENCE) -> tuple[int | None, int | None]:
    """1-based ranks of the order statistics that enclose a quantile; None where no such rank exists.

    The number of samples at or below the quantile is Binomial(samples, quantile), whatever the distribution.
    """
    if samples == 0:
        return None, None
    tail = (1 - confidence) / 2
    low = int(stats.binom.ppf(tail, samples, quantile))
    high = int(stats.binom.ppf(1 - tail, samples, quantile)) + 1
    return (low if low >= 1 else None), (high if high <= samples else None)


def min_samples(quantile: float, confidence: float = CONFIDENCE) -> int:
    """Fewest samples whose maximum bounds the quantile from above; below it the quantile is not estimable."""
    return math.ceil(math.log1p(-confidence) / math.log(quantile))


def quantile_interval(ordered: Floats, quantile: float, confidence: float = CONFIDENCE) -> Interval:
    """From order statistics of independent samples, sorted; unbounded where the samples do not suffice."""
    low, high = quantile_ranks(len(ordered), quantile, confidence)
    return Interval(
        low=None if low is None else float(ordered[low - 1]),
        high=None if high is None else float(ordered[high - 1]),
        level=confidence,
        method="order statistics",
    )


def empirical_quantile(ordered: Floats, quantile: float) -> float | None:
    """The smallest sample that at least that share of the samples does not exceed; None where not estimable."""
    if len(ordered) < min_samples(quantile):
        return None
    return float(ordered[math.ceil(quantile * len(ordered) - 1e-9) - 1])


# --- proportions ----------------------------------------------------------------------------------------------------


def clopper_pearson(hits: int, samples: int, confidence: float = CONFIDENCE) -> Interval:
    """Never covers less than it says; the interval for gates.

    Its bounds are quantiles of beta distributions (Brown, Cai and DasGupta 2001, section 4.2.1), found in microseconds;
    `scipy.stats.binomtest` searches for the same two numbers in milliseconds.
    """
    tail = (1 - confidence) / 2
    low = float(special.betaincinv(hits, samples - hits + 1, tail)) if hits else 0.0
    high = float(special.betaincinv(hits + 1, samples - hits, 1 - tail)) if hits < samples else 1.0
    return Interval(low=low, high=high, level=confidence, method="Clopper–Pearson")


def p_as_many(hits: Floats, samples: Floats, share: float) -> Floats:
    """How likely so many hits or more are, were this the true share."""
    result: Floats = stats.binom.sf(hits - 1, samples, share)
    return result


def wilson(hits: int, samples: int, confidence: float = CONFIDENCE) -> Interval:
    """Covers what it says on average; the interval for charts."""
    if samples == 0:
        return Interval(low=0.0, high=1.0, level=confidence, method="Wilson")
    found = stats.binomtest(hits, samples).proportion_ci(confidence, method="wilson")
    return Interval(low=float(found.low), high=float(found.high), level=confidence, method="Wilson")


# --- blocks ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A mean over correlated samples. `interval` is None where there were too few blocks to know the spread."""

    value: float
    interval: Interval | None
    samples: int
    blocks: int
    block_s: float
    error: float  # standard error, correlation included
    course_error: float  # the same, were the course over time a fact and no chance
    lag1: float

    def p_beyond(self, bound: float, *, as_course: bool = False) -> float:
        """How likely a value this far from the bound is, were the truth at the bound."""
        if self.interval is None:
            return 1.0
        error, distance = self.course_error if as_course else self.error, abs(self.value - bound)
        if error == 0.0:
            return 0.0 if distance > 0 else 1.0
        return float(stats.t.sf(distance / error, self.blocks - 1))


def block_edges(start_s: float, end_s: float, block_s: float) -> Floats:
    """Whole blocks only: what is left over at the end belongs to none."""
    edges: Floats = start_s + block_s * np.arange(int((end_s - start_s) / block_s + 1e-9) + 1, dtype=np.float64)
    return edges


def first_block_s(length_s: float) -> float:
    """A second, or less where the window is so short that it would not hold enough blocks."""
    return max(SHORTEST_BLOCK_S, min(FIRST_BLOCK_S, length_s / SPARE_BLOCKS))


def block_mean(
    at_s: Floats,
    values: Floats,
    *,
    start_s: float,
    end_s: float,
    steady: bool = True,
    confidence: float = DECIDING,
) -> Estimate:
    """Mean of `values` that happened at `at_s`, with a t-interval over blocks of time.

    In a steady window blocks double until neighbours correlate by less than `MAX_LAG1`; where the window is too short
    for that, the interval widens by the correlation that is left, as for an AR(1): √((1+ρ)/(1−ρ)). In a window with a
    disturbance the course over time is what was done to the system, not chance: the spread then comes from differences
    of neighbouring blocks, so that ten seconds of outage in forty are a fact and not an error bar.
    """
    block_s = first_block_s(end_s - start_s)
    sums, counts = _blocks(at_s, values, start_s=start_s, end_s=end_s, block_s=block_s)
    while steady and len(sums) >= 2 * MIN_BLOCKS and lag1_correlation(_residuals(sums, counts)) >= MAX_LAG1:
        block_s *= 2
        sums, counts = _blocks(at_s, values, start_s=start_s, end_s=end_s, block_s=block_s)
    residuals = _residuals(sums, counts)
    found = Estimate(
        value=float(values.mean()) if len(values) else 0.0,
        interval=None,
        samples=len(values),
        blocks=len(residuals),
        block_s=block_s,
        error=math.inf,
        course_error=math.inf,
        lag1=lag1_correlation(residuals) if steady else 0.0,
    )
    if found.blocks < MIN_BLOCKS:
        return found
    scale = math.sqrt(found.blocks) / float(counts.sum())
    course_error = scale * math.sqrt(_variance(residuals, steady=False))
    error = scale * math.sqrt(_variance(residuals, steady=steady))
    left = min(max(found.lag1, 0.0), 0.9)
    if left >= MAX_LAG1:
        error *= math.sqrt((1 + left) / (1 - left))
    half = float(stats.t.ppf((1 + confidence) / 2, found.blocks - 1)) * error
    method = f"t over {found.blocks} blocks of {block_s:g} s"
    interval = Interval(low=found.value - half, high=found.value + half, level=confidence, method=method)
    return replace(found, interval=interval, error=error, course_error=course_error)


def block_share(
    at_s: Floats,
    hits: NDArray[np.bool_],
    *,
    start_s: float,
    end_s: float,
    steady: bool = True,
    confidence: float = DECIDING,
) -> Estimate:
    """As `block_mean`, for a share: never narrower than Clopper–Pearson, so that rare events keep an error bar."""
    values = hits.astype(np.float64)
    found = block_mean(at_s, values, start_s=start_s, end_s=end_s, steady=steady, confidence=confidence)
    if found.interval is None:
        return found
    exact_low, exact_high = ends(clopper_pearson(int(hits.sum()), len(hits), confidence))
    low, high = ends(found.interval)
    interval = Interval(
        low=max(0.0, min(low, exact_low)),
        high=min(1.0, max(high, exact_high)),
        level=confidence,
        method=f"{found.interval.method}, at least Clopper–Pearson",
    )
    binomial = math.sqrt(max(found.value * (1 - found.value), 1 / len(hits)) / len(hits))
    return replace(
        found,
        interval=interval,
        error=max(found.error, binomial),
        course_error=max(found.course_error, binomial),
    )


def with_error_at_least(estimate: Estimate, error: float) -> Estimate:
    """Widen an estimate whose spread is known to be at least this from what was drawn."""
    if estimate.interval is None or estimate.error >= error:
        return estimate
    level = estimate.interval.level
    half = float(stats.t.ppf((1 + level) / 2, estimate.blocks - 1)) * error
    interval = Interval(
        low=estimate.value - half,
        high=estimate.value + half,
        level=level,
        method=f"{estimate.interval.method}, at least binomial",
    )
    return replace(estimate, interval=interval, error=error, course_error=max(error, estimate.course_error))


def lag1_correlation(values: Floats) -> float:
    """Between each value and the next; 0 where nothing varies."""
    deviations = values - values.mean() if len(values) else values
    scale = float((deviations**2).sum())
    return float((deviations[1:] * deviations[:-1]).sum()) / scale if scale > 0 else 0.0


def ends(interval: Interval) -> tuple[float, float]:
    """Both ends of an interval that is bounded."""
    assert interval.low is not None
    assert interval.high is not None
    return interval.low, interval.high


def _blocks(at_s: Floats, values: Floats, *, start_s: float, end_s: float, block_s: float) -> tuple[Floats, Floats]:
    """Sum and count of each whole block."""
    count = len(block_edges(start_s, end_s, block_s)) - 1
    number = np.floor((at_s - start_s) / block_s).astype(np.int64)
    inside = (number >= 0) & (number < count)
    sums = np.bincount(number[inside], weights=values[inside], minlength=count).astype(np.float64)
    counts = np.bincount(number[inside], minlength=count).astype(np.float64)
    return sums, counts


def _residuals(sums: Floats, counts: Floats) -> Floats:
    """What each block has more than its share of the whole: the linearised error of a ratio of sums."""
    used = counts > 0
    total = counts.sum()
    mean = sums.sum() / total if total else 0.0
    result: Floats = sums[used] - mean * counts[used]
    return result


def _variance(residuals: Floats, *, steady: bool) -> float:
    """Of one block's residual: about their mean (which is 0), or from differences of neighbours (von Neumann)."""
    if steady:
        return float((residuals**2).sum()) / (len(residuals) - 1)
    return float((np.diff(residuals) ** 2).mean()) / 2


# --- decisions ------------------------------------------------------------------------------------------------------


def holm(p_values: Sequence[float], alpha: float) -> list[bool]:
    """Which hypotheses are rejected when all together may be wrong with probability `alpha` (step-down)."""
    rejected = [False] * len(p_values)
    for position, index in enumerate(sorted(range(len(p_values)), key=lambda index: p_values[index])):
        if p_values[index] > alpha / (len(p_values) - position):
            break
        rejected[index] = True
    return rejected


def decide(interval: Interval | None, *, low: float | None, high: float | None, rejected: bool) -> Outcome:
    """Inside the accepted region: pass. Rejected, after multiplicity: fail. Otherwise nobody knows."""
    if rejected:
        return Outcome.FAIL
    if interval is None:
        return Outcome.INCONCLUSIVE
    above = low is None or (interval.low is not None and interval.low >= low)
    below = high is None or (interval.high is not None and interval.high <= high)
    return Outcome.PASS if above and below else Outcome.INCONCLUSIVE


def needed_samples(estimate: Estimate, bound: float, *, beyond: bool, alpha: float) -> int | None:
    """Samples that would decide, were the truth what was measured: error bars shrink with the root of their number.

    `beyond` says that the estimate is outside the accepted region, so that certainty `alpha` is needed for a fail.
    None where no number of samples would do (the estimate is at the bound) or none would be reasonable.
    """
    gap = abs(estimate.value - bound)
    if estimate.interval is None:
        return max(1, estimate.samples) * math.ceil(MIN_BLOCKS / max(1, estimate.blocks))
    if gap == 0.0 or estimate.samples == 0:
        return None
    low, high = ends(estimate.interval)
    towards = high - estimate.value if bound > estimate.value else estimate.value - low
    if beyond:
        towards = float(stats.t.isf(alpha, estimate.blocks - 1)) * estimate.error
    # Clopper–Pearson shrinks with the number itself where nothing was hit; the root then asks for a little more.
    needed = math.ceil(estimate.samples * (towards / gap) ** 2)
    return needed if estimate.samples < needed <= MAX_TIMES_NEEDED * estimate.samples else None
