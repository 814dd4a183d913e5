"""Live figures add up over shards; they never wait for the dead."""

import numpy as np
import pytest

from harness.load.latency_buckets import histogram, quantile_s
from harness.load.live_figures import Counts, LiveFigures, merged
from harness.load.messages import Second


def second(number: int, *, scheduled: int = 10, latencies_s: list[float] | None = None, **outcomes: int) -> Second:
    return Second(
        at_ns=number,
        number=number,
        scheduled=scheduled,
        sent=scheduled,
        in_flight=1,
        lag_s_p99=0.001 * (number + 1),
        cpu_ratio=0.1,
        open_files=9,
        outcomes=outcomes,
        latencies=histogram(np.array(latencies_s or [])),
    )


def test_before_the_first_second_there_is_nothing() -> None:
    assert merged([], alive=frozenset({0, 1})) == LiveFigures(shards_alive=2)
    assert merged([], alive=frozenset()).error_ratio is None


def test_the_newest_second_that_all_living_shards_reported_counts() -> None:
    reports = [(0, second(0, ok=9, failed=1)), (1, second(0, ok=10)), (0, second(1, ok=10))]

    both = merged(reports, alive=frozenset({0, 1}))
    one = merged(reports, alive=frozenset({0}))

    assert both.number == 0
    assert both.second == Counts(offered=20, sent=20, ok=19, failed=1)
    assert both.error_ratio == pytest.approx(1 / 20)
    assert both.in_flight == 2
    assert both.total == Counts(offered=30, sent=30, ok=29, failed=1)
    assert one.number == 1
    assert one.error_ratio == 0.0


def test_refusals_are_no_errors_and_what_was_never_sent_is() -> None:
    figures = merged([(0, second(0, ok=5, shed=3, disabled=2, unknown=4, not_sent=6))], alive=frozenset({0}))

    assert figures.error_ratio == pytest.approx(10 / 20)


def test_a_percentile_over_shards_is_that_of_all_requests() -> None:
    fast, slow = [0.010] * 980, [1.5] * 20
    figures = merged([(0, second(0, latencies_s=fast)), (1, second(0, latencies_s=slow))], alive=frozenset({0, 1}))

    assert figures.latency_s_p99 == pytest.approx(1.5, rel=0.01)


@pytest.mark.parametrize("value", [1e-4, 0.00123, 0.2, 1.0, 7.99, 60.0])
def test_a_bucket_is_within_two_percent_of_what_fell_into_it(value: float) -> None:
    assert quantile_s(histogram(np.array([value])), 0.99) == pytest.approx(value, rel=0.02)


def test_an_empty_histogram_has_no_quantile() -> None:
    assert histogram(np.array([])) == {}
    assert quantile_s({}, 0.99) is None
