"""When a live run has to stop for safety; never whether it passed."""

from collections.abc import Sequence

from harness.experiment import StopCondition


class StopWatch:
    """Follows the figures of each second; pure, time is an argument."""

    def __init__(self, conditions: Sequence[StopCondition]) -> None: ...

    def observe(self, now_s: float, error_ratio: float | None, latency_p99_s: float | None) -> str | None:
        """Take in one second's figures (None: nothing measured); the reason to stop, or None."""
        raise NotImplementedError
