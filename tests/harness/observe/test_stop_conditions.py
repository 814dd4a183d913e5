"""A run is stopped when a figure stays above its bound for longer than allowed, and not one second earlier."""

import pytest

from harness.experiment.stop_conditions import ErrorRatioStop, LatencyStop
from harness.observe.stop_conditions import StopWatch
from harness.units import Ratio, Seconds

ERRORS = ErrorRatioStop(above=Ratio(0.5), for_longer_than=Seconds(3.0))
SLOW = LatencyStop(above=Seconds(1.0), for_longer_than=Seconds(1.0))


@pytest.mark.parametrize(
    ("ratios", "stopped_at_s"),
    [
        pytest.param([], None, id="nothing measured"),
        pytest.param([0.5] * 20, None, id="on the bound is not above it"),
        pytest.param([0.6] * 4, None, id="exactly as long as allowed"),
        pytest.param([0.6] * 5, 4, id="a second longer than allowed"),
        pytest.param([0.6, 0.6, 0.1, 0.6, 0.6, 0.6, 0.6], None, id="a good second starts the time anew"),
        pytest.param([0.6, None, None, None, None, 0.6], 5, id="seconds without figures neither start nor end it"),
        pytest.param([0.6, None, None, None, None, None, 0.1, 0.6], None, id="seconds without figures do not stop"),
        pytest.param([None] * 20, None, id="never a figure"),
    ],
)
def test_the_error_ratio_has_to_stay_above_its_bound(ratios: list[float | None], stopped_at_s: int | None) -> None:
    watch = StopWatch([ERRORS])

    reasons = [watch.observe(float(second), ratio, None) for second, ratio in enumerate(ratios)]

    assert next((second for second, reason in enumerate(reasons) if reason), None) == stopped_at_s


def test_the_reason_names_figure_bound_and_time() -> None:
    watch = StopWatch([ERRORS, SLOW])

    reasons = [watch.observe(float(second), 0.0, 2.5) for second in range(3)]

    assert reasons == [None, None, "latency_p99 was above 1s for longer than 1s (now 2.5s)"]


def test_without_conditions_nothing_stops() -> None:
    assert StopWatch([]).observe(1e9, 1.0, 1e9) is None
