"""Against tables computed independently, and against the truth in simulations."""

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats
from scipy.signal import lfilter

from harness.verify import statistics
from harness.verify.statistics import Estimate, block_mean, block_share, holm, quantile_ranks
from harness.verify.verdict import Interval, Outcome


@pytest.mark.parametrize(
    ("samples", "quantile", "ranks"),
    [
        (100, 0.50, (40, 61)),
        (100, 0.95, (90, 100)),
        (100, 0.99, (97, None)),  # the upper bound does not exist
        (300, 0.95, (277, 293)),
        (300, 0.99, (293, None)),
        (500, 0.99, (490, 500)),
        (1_000, 0.50, (469, 532)),
        (1_000, 0.95, (936, 964)),
        (1_000, 0.99, (983, 997)),
        (3_000, 0.99, (2959, 2981)),
        (10_000, 0.95, (9457, 9543)),
        (10_000, 0.99, (9880, 9920)),
        (10_000, 0.999, (9983, 9997)),
        (0, 0.99, (None, None)),
    ],
)
def test_ranks_that_enclose_a_quantile(samples: int, quantile: float, ranks: tuple[int | None, int | None]) -> None:
    assert quantile_ranks(samples, quantile) == ranks


@pytest.mark.parametrize(
    ("quantile", "at_90", "at_95", "at_99"),
    [(0.50, 4, 5, 7), (0.90, 22, 29, 44), (0.95, 45, 59, 90), (0.99, 230, 299, 459), (0.999, 2302, 2995, 4603)],
)
def test_fewest_samples_for_a_quantile(quantile: float, at_90: int, at_95: int, at_99: int) -> None:
    assert [statistics.min_samples(quantile, level) for level in (0.90, 0.95, 0.99)] == [at_90, at_95, at_99]


def test_a_quantile_of_too_few_samples_is_not_estimable() -> None:
    assert statistics.empirical_quantile(np.arange(298.0), 0.99) is None
    assert statistics.empirical_quantile(np.arange(299.0), 0.99) == 296.0


def test_a_quantile_interval_is_unbounded_where_the_samples_do_not_suffice() -> None:
    interval = statistics.quantile_interval(np.arange(100.0), 0.99)

    assert (interval.low, interval.high) == (96.0, None)


@pytest.mark.parametrize(
    ("hits", "samples", "wilson", "exact"),
    [
        (0, 100, (0.0, 0.0370), (0.0, 0.0362)),
        (0, 300, (0.0, 0.0126), (0.0, 0.0122)),
        (5, 100, (0.0215, 0.1118), (0.0164, 0.1128)),
        (300, 1000, (0.2724, 0.3291), (0.2717, 0.3295)),
        (1000, 1000, (0.9962, 1.0), (0.9963, 1.0)),
        (0, 0, (0.0, 1.0), (0.0, 1.0)),  # nothing measured: anything is possible
    ],
)
def test_intervals_of_a_share(hits: int, samples: int, wilson: tuple[float, float], exact: tuple[float, float]) -> None:
    assert statistics.ends(statistics.wilson(hits, samples)) == pytest.approx(wilson, abs=5e-5)
    assert statistics.ends(statistics.clopper_pearson(hits, samples)) == pytest.approx(exact, abs=5e-5)


def test_so_many_hits_or_more() -> None:
    """Of two coins: none or more, one or more, both."""
    hits, samples = np.array([0.0, 1.0, 2.0]), np.array([2.0, 2.0, 2.0])

    assert statistics.p_as_many(hits, samples, 0.5) == pytest.approx([1.0, 0.75, 0.25])


@pytest.mark.parametrize(("share", "samples"), [(0.01, 299), (0.001, 2995)])
def test_the_rule_of_three_decides_a_share_with_no_hits(share: float, samples: int) -> None:
    def upper(count: int) -> float:
        at_s = np.linspace(0.0, 60.0, count, endpoint=False)
        interval = block_share(at_s, np.zeros(count, dtype=bool), start_s=0.0, end_s=60.0).interval
        assert interval is not None
        return statistics.ends(interval)[1]

    assert upper(samples) < share < upper(samples - 2)


# --- blocks ---------------------------------------------------------------------------------------------------------


def _correlated(random: np.random.Generator, phi: float, count: int) -> NDArray[np.float64]:
    noise = random.normal(size=count + 200)
    filtered: NDArray[np.float64] = lfilter([1.0], [1.0, -phi], noise)[200:]
    return filtered * math.sqrt(1 - phi**2)


def _coverage(phi: float, *, runs: int) -> float:
    """How often the 95 % interval of "share above the true p95" holds 5 %, for 20 s at 100/s."""
    limit, at_s, hits = float(stats.norm.ppf(0.95)), np.arange(2000) / 100.0, 0
    for seed in range(runs):
        values = _correlated(np.random.default_rng(seed), phi, 2000)
        interval = block_share(at_s, values > limit, start_s=0.0, end_s=20.0, confidence=0.95).interval
        assert interval is not None
        low, high = statistics.ends(interval)
        hits += low <= 0.05 <= high
    return hits / runs


@pytest.mark.slow
@pytest.mark.parametrize("phi", [0.0, 0.5, 0.8])
def test_block_intervals_cover_the_truth_for_correlated_latencies(phi: float) -> None:
    assert _coverage(phi, runs=1000) >= 0.92


@pytest.mark.slow
def test_intervals_from_raw_samples_would_not() -> None:
    limit, hits = float(stats.norm.ppf(0.95)), 0
    for seed in range(300):
        above = int((_correlated(np.random.default_rng(seed), 0.8, 2000) > limit).sum())
        low, high = statistics.ends(statistics.clopper_pearson(above, 2000))
        hits += low <= 0.05 <= high

    assert hits / 300 < 0.8


def test_blocks_double_until_neighbours_are_no_longer_alike() -> None:
    at_s = np.arange(0.0, 120.0, 0.01)
    slow_wave = (np.sin(at_s * 2 * np.pi / 8.0) > 0).astype(float)

    assert block_mean(at_s, slow_wave, start_s=0.0, end_s=120.0).block_s > 1.0


def test_too_few_blocks_give_no_interval() -> None:
    at_s = np.arange(0.0, 3.0, 0.01)
    estimate = block_mean(at_s, np.zeros(300), start_s=0.0, end_s=3.0)

    assert estimate.interval is None
    assert estimate.p_beyond(0.0) == 1.0


def test_no_samples_give_no_interval() -> None:
    assert block_mean(np.zeros(0), np.zeros(0), start_s=0.0, end_s=60.0).interval is None


def test_an_outage_in_a_disturbed_window_is_a_fact_and_not_an_error_bar() -> None:
    at_s = np.arange(0.0, 40.0, 0.01)
    down = (at_s >= 10.0) & (at_s < 20.0)

    as_chance = block_share(at_s, down, start_s=0.0, end_s=40.0)
    as_course = block_share(at_s, down, start_s=0.0, end_s=40.0, steady=False)

    assert as_chance.p_beyond(0.01) > 0.05
    assert as_course.p_beyond(0.01) < 1e-4


# --- decisions ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("p_values", "rejected"),
    [
        ([], []),
        ([0.04], [True]),
        ([0.06], [False]),
        ([0.01, 0.04, 0.03], [True, False, False]),  # 0.03 > 0.05 / 2, and what comes after is not looked at
        ([0.01, 0.024, 0.05], [True, True, True]),
        ([0.05, 0.024, 0.01], [True, True, True]),  # order does not matter
        ([0.02, 0.02, 0.02], [False, False, False]),
    ],
)
def test_holm_spends_its_error_once(p_values: list[float], rejected: list[bool]) -> None:
    assert holm(p_values, 0.05) == rejected


@pytest.mark.parametrize(
    ("low", "high", "rejected", "outcome"),
    [
        (0.00, 0.009, False, Outcome.PASS),
        (0.00, 0.010, False, Outcome.PASS),
        (0.00, 0.011, False, Outcome.INCONCLUSIVE),
        (0.02, 0.030, False, Outcome.INCONCLUSIVE),  # outside, but not after multiplicity
        (0.02, 0.030, True, Outcome.FAIL),
        (0.00, None, False, Outcome.INCONCLUSIVE),
    ],
)
def test_a_share_of_at_most_one_percent(low: float, high: float | None, rejected: bool, outcome: Outcome) -> None:
    interval = Interval(low=low, high=high, level=0.9, method="given")

    assert statistics.decide(interval, low=None, high=0.01, rejected=rejected) is outcome


def test_nothing_measured_decides_nothing() -> None:
    assert statistics.decide(None, low=None, high=0.01, rejected=False) is Outcome.INCONCLUSIVE


@pytest.mark.parametrize(
    ("half_width", "needed"),
    [  # error bars shrink with the root of the samples
        (0.02, 4000),
        (0.04, 16_000),
        (0.07, 49_000),
        pytest.param(0.08, None, id="64 times as many are nobody's"),
        pytest.param(0.005, None, id="decided"),
    ],
)
def test_how_many_samples_would_decide(half_width: float, needed: int | None) -> None:
    interval = Interval(low=0.05 - half_width, high=0.05 + half_width, level=0.9, method="given")
    estimate = Estimate(
        value=0.05,
        interval=interval,
        samples=1000,
        blocks=30,
        block_s=1.0,
        error=half_width / 1.7,
        course_error=1.0,
        lag1=0.0,
    )

    found = statistics.needed_samples(estimate, 0.06, beyond=False, alpha=0.01)

    assert found == (None if needed is None else pytest.approx(needed, abs=1))


def test_no_number_of_samples_decides_what_is_at_the_limit() -> None:
    interval = Interval(low=0.0, high=0.02, level=0.9, method="given")
    estimate = Estimate(
        value=0.01, interval=interval, samples=100, blocks=30, block_s=1.0, error=0.005, course_error=1.0, lag1=0.0
    )

    assert statistics.needed_samples(estimate, 0.01, beyond=False, alpha=0.01) is None
