"""What users may expect of every answer."""

from harness.experiment.strict import Strict
from harness.units import Ratio, Seconds


class SloCheck(Strict, frozen=True, kw_only=True, tag_field="check", tag="slo"):
    """Objectives on what users saw in a phase (or in the window `from`–`to` seconds of it).

    Latency counts from the scheduled time over answered requests; `error_ratio` counts failed, unknown and unsent
    over all offered; `goodput_ratio` is the share of offered requests answered correctly within `within`. What fails,
    fails within `fails_within`: nobody waits long for an error.
    """

    phase: str = "baseline"
    start: Seconds | None = None
    end: Seconds | None = None
    operation: str | None = None
    priority: int | None = None
    p50: Seconds | None = None
    p95: Seconds | None = None
    p99: Seconds | None = None
    error_ratio: Ratio | None = None
    goodput_ratio: Ratio | None = None
    within: Seconds = Seconds(1.0)
    fails_within: Seconds | None = None
