"""With which probability a request is shed, given overload and its priority.

The specification's table counts; its formula is selectable, so that an experiment can show the difference, and so is
shedding nothing, so that one can measure what servers do by themselves. Priority 1 is never shed. Draws no chance and
counts no arrivals: the caller brings both.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

CAP = 0.95  # specification, section 5
# Specification, section 5: shed ratio by priority at overload 1.5 and 2.0; at 1.0 it is 0.
TABLE: dict[int, Sequence[tuple[float, float]]] = {
    1: ((1.0, 0.0), (1.5, 0.0), (2.0, 0.0)),
    2: ((1.0, 0.0), (1.5, 0.10), (2.0, 0.25)),
    3: ((1.0, 0.0), (1.5, 0.30), (2.0, 0.50)),
    4: ((1.0, 0.0), (1.5, 0.50), (2.0, 0.75)),
}
EMERGENCY_FROM = 3  # level CRITICAL, where the specification turns "emergency load shedding" on
EMERGENCY_SHARE = 0.5  # the target rate then counts half; ours, the specification gives no figure

ShedRatio = Callable[[float, int], float]  # (overload, priority) → probability


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """`rate_per_s` counts all arrivals, shed ones too; `draw` is a fresh number of [0, 1)."""

    rate_per_s: float
    level: int
    priority: int
    draw: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    shed: bool
    overload: float
    ratio: float


def decide(observation: Observation, *, target_per_s: float, shed_ratio: ShedRatio) -> Decision:
    overload = overload_ratio(observation.rate_per_s, target_per_s=target_per_s, level=observation.level)
    ratio = shed_ratio(overload, observation.priority)
    return Decision(shed=observation.draw < ratio, overload=overload, ratio=ratio)


def overload_ratio(rate_per_s: float, *, target_per_s: float, level: int) -> float:
    """Current rate over target rate; from CRITICAL up the target counts half."""
    share = EMERGENCY_SHARE if level >= EMERGENCY_FROM else 1.0
    return rate_per_s / (target_per_s * share)


def shed_ratio_by_table(overload: float, priority: int) -> float:
    """Linear through the table's points, then on with the last slope, capped; nothing at or below 1x."""
    if overload <= 1.0:
        return 0.0
    start, middle, end = TABLE[priority]
    (x1, y1), (x2, y2) = (start, middle) if overload <= middle[0] else (middle, end)
    return min(CAP, y1 + (overload - x1) * (y2 - y1) / (x2 - x1))


def shed_ratio_by_formula(overload: float, priority: int) -> float:
    """The source's own formula. It would shed priority 1 too; "never shed" wins."""
    if overload <= 1.0 or priority == 1:
        return 0.0
    return min(CAP, (overload - 1) * 0.5 * (1 + (priority - 1) / 3))


def shed_nothing(overload: float, priority: int) -> float:
    """Everything queues instead: for measuring what servers do, not for serving users."""
    del overload, priority
    return 0.0


POLICIES: dict[str, ShedRatio] = {"table": shed_ratio_by_table, "formula": shed_ratio_by_formula, "off": shed_nothing}


def priority_of(path: str) -> int:
    """The specification's path table; a path that it does not list has priority 3."""
    if path.startswith("/auth/") or path == "/tweets/create":
        return 1
    if path in ("/timeline/home", "/notifications") or (path.startswith("/users/") and path.endswith("/profile")):
        return 2
    if path == "/trending" or path.startswith("/suggestions/"):
        return 4
    return 3
