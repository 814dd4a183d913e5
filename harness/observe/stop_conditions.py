"""When a live run has to stop for safety; never whether it passed.

Pure: the figures of a second and the time are arguments. The runner asks once a second and does the stopping.
"""

from collections.abc import Sequence
from typing import assert_never

from harness.experiment.stop_conditions import ErrorRatioStop, LatencyStop, StopCondition


class StopWatch:
    """Remembers since when each condition's figure has been above its bound."""

    def __init__(self, conditions: Sequence[StopCondition]) -> None:
        self._conditions = tuple(conditions)
        self._above_since_s: list[float | None] = [None] * len(self._conditions)

    def observe(self, now_s: float, error_ratio: float | None, latency_p99_s: float | None) -> str | None:
        """Take in one second's figures and say why to stop, or None.

        A second in which nothing was measured (None) neither starts nor ends a time above the bound.
        """
        reason = None
        for number, condition in enumerate(self._conditions):
            match condition:
                case ErrorRatioStop():
                    figure = error_ratio
                case LatencyStop():
                    figure = latency_p99_s
                case _:
                    assert_never(condition)
            if figure is not None:
                self._follow(number, now_s, above=figure > condition.above)
            since_s = self._above_since_s[number]
            if since_s is not None and figure is not None and now_s - since_s > condition.for_longer_than:
                reason = reason or _reason(condition, figure)
        return reason

    def _follow(self, number: int, now_s: float, *, above: bool) -> None:
        if not above:
            self._above_since_s[number] = None
        elif self._above_since_s[number] is None:
            self._above_since_s[number] = now_s


def _reason(condition: StopCondition, figure: float) -> str:
    name = condition.__struct_config__.tag
    value = type(condition.above)(figure)
    return f"{name} was above {condition.above} for longer than {condition.for_longer_than} (now {value})"
