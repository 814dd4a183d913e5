"""Tells a link between two regions that is cut from one that stands still at a row it cannot apply. Pure.

Only heartbeats tell whether anything arrives. Where none does, the reason is what Postgres has counted since the last
one came: a conflict is met again at every attempt, a cut link meets none.
"""

from dataclasses import dataclass
from enum import StrEnum

FRESH_S = 2.0  # eight heartbeats


class Condition(StrEnum):
    FLOWING = "flowing"
    CATCHING_UP = "catching_up"
    STALLED_BY_CONFLICT = "stalled_by_conflict"
    CUT = "cut"


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """As of the last observation in which a newer heartbeat had come."""

    heartbeat_at_s: float = 0.0
    conflicts: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """The newest heartbeat, by its sender's clock, and the conflicts counted since the link was made."""

    heartbeat_at_s: float
    heartbeat_age_s: float
    conflicts: int


def decide(state: State, seen: Observation) -> tuple[State, Condition]:
    arrives = seen.heartbeat_at_s > state.heartbeat_at_s
    if arrives:
        state = State(heartbeat_at_s=seen.heartbeat_at_s, conflicts=seen.conflicts)
    if seen.heartbeat_age_s < FRESH_S:
        return state, Condition.FLOWING
    if arrives:
        return state, Condition.CATCHING_UP
    return state, Condition.STALLED_BY_CONFLICT if seen.conflicts > state.conflicts else Condition.CUT
