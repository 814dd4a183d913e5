"""Which of the five degradation levels holds, decided from the inputs of one evaluation.

A worse level is entered at the first evaluation that shows it, directly; a level is left one step at a time, after a
run of healthier evaluations, so that it does not flap. The figures are those of the specification, section 4. Knows no
clock, no network and no flags: callers measure, and act on the decision.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum

MIN_SAMPLES = 20  # fewer requests than this in the window prove nothing: p99 and error ratio then count as 0


class Level(IntEnum):
    """The value is what travels in headers and metrics."""

    NORMAL = 0
    ADVISORY = 1
    WARNING = 2
    CRITICAL = 3
    SURVIVAL = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What one evaluation saw; `cpu_ratio` is the share of busy slots, not the machine's CPU."""

    latency_p99_ms: float = 0.0
    error_ratio: float = 0.0
    cpu_ratio: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """A level is demanded when any input is above its bound (not at it)."""

    latency_p99_ms: float = math.inf
    error_ratio: float = math.inf
    cpu_ratio: float = math.inf

    def exceeded_by(self, inputs: Inputs) -> bool:
        return (
            inputs.latency_p99_ms > self.latency_p99_ms
            or inputs.error_ratio > self.error_ratio
            or inputs.cpu_ratio > self.cpu_ratio
        )


# Specification, section 4: "entered when (any)".
LADDER: dict[Level, Bounds] = {
    Level.ADVISORY: Bounds(latency_p99_ms=200, cpu_ratio=0.75),
    Level.WARNING: Bounds(latency_p99_ms=400, cpu_ratio=0.85),
    Level.CRITICAL: Bounds(latency_p99_ms=1000, error_ratio=0.01),
    Level.SURVIVAL: Bounds(latency_p99_ms=2000, error_ratio=0.05),
}

# Specification, section 4: "what goes". A feature is off at its level and at every level above.
FEATURES: dict[str, Level] = {
    "who_to_follow": Level.ADVISORY,
    "analytics_tracking": Level.ADVISORY,
    "algorithmic_timeline": Level.WARNING,
    "trending_topics": Level.WARNING,
    "media_previews": Level.WARNING,
    "real_time_updates": Level.CRITICAL,
    "search": Level.CRITICAL,
    "new_tweets": Level.SURVIVAL,
}

BANNER = "some features are temporarily limited"
BANNER_FROM = Level.ADVISORY
LEAVE_AFTER = 5  # evaluations; ours, the source has no hysteresis


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """The level that holds, and how many evaluations in a row have been healthier than it."""

    level: Level = Level.NORMAL
    healthier: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    level: Level
    previous: Level
    demanded: Level = field(default=Level.NORMAL)

    @property
    def changed(self) -> bool:
        return self.level != self.previous


def demanded_level(inputs: Inputs) -> Level:
    return max((level for level, bounds in LADDER.items() if bounds.exceeded_by(inputs)), default=Level.NORMAL)


def decide(state: State, inputs: Inputs, now_s: float, *, leave_after: int = LEAVE_AFTER) -> tuple[State, Decision]:
    """One evaluation. `now_s` is unused: dwell time counts in evaluations, which keeps a paused controller honest."""
    del now_s
    demanded = demanded_level(inputs)
    after = _next_state(state, demanded, leave_after=leave_after)
    return after, Decision(level=after.level, previous=state.level, demanded=demanded)


def _next_state(state: State, demanded: Level, *, leave_after: int) -> State:
    if demanded >= state.level:
        return State(level=demanded)
    if state.healthier + 1 >= leave_after:
        return State(level=Level(state.level - 1))
    return State(level=state.level, healthier=state.healthier + 1)


def features_off(level: int) -> frozenset[str]:
    return frozenset(feature for feature, goes_at in FEATURES.items() if level >= goes_at)


def banner(level: int) -> str | None:
    return BANNER if level >= BANNER_FROM else None


def exact_p99(values: Sequence[float]) -> float:
    """The nearest-rank 99th percentile: the smallest value that at least 99 % of the values do not exceed."""
    if len(values) < MIN_SAMPLES:
        return 0.0
    rank = -(-99 * len(values) // 100)
    return sorted(values)[rank - 1]


def error_ratio(*, ok: int, error: int) -> float:
    """Errors among handled requests. Shed and disabled answers are in neither number, client errors count as ok."""
    handled = ok + error
    return error / handled if handled >= MIN_SAMPLES else 0.0
