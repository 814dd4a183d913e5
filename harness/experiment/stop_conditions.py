"""When a run is stopped for safety; never whether it has passed."""

from harness.experiment.strict import Strict
from harness.units import Ratio, Seconds


class ErrorRatioStop(Strict, frozen=True, kw_only=True, tag_field="metric", tag="error_ratio"):
    """Stop the run when the share of failed answers stays above a bound for longer than that."""

    above: Ratio
    for_longer_than: Seconds


class LatencyStop(Strict, frozen=True, kw_only=True, tag_field="metric", tag="latency_p99"):
    """Stop the run when the p99 of a second's answers stays above a bound for longer than that."""

    above: Seconds
    for_longer_than: Seconds


StopCondition = ErrorRatioStop | LatencyStop
