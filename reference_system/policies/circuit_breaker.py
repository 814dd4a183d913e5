"""Whether a dependency may be called: closed (yes), open (no), half-open (one probe at a time).

Ordinary calls pass only while the breaker is closed; a probe may pass once it has been open long enough, and its
outcome closes or re-opens it. So no user waits for a probe. Knows nothing of what is called.
"""

from dataclasses import dataclass
from enum import StrEnum

OPENS_AFTER = 3  # failures in a row; ours: a single reset is a blip, three in a row are a state
OPEN_FOR_S = 0.5  # at least, until the next probe
JITTER = 1.0  # share of OPEN_FOR_S that may be added, so that replicas that opened together do not probe together


class Phase(StrEnum):
    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Observation(StrEnum):
    """What happened: somebody asks, or a call that was allowed ended."""

    CALL = "call"
    PROBE = "probe"
    SUCCESS = "success"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    phase: Phase = Phase.CLOSED
    failures: int = 0  # in a row, while closed
    opened_at_s: float = 0.0


def pause_s(draw: float) -> float:
    """How long to wait for the next probe, given a number drawn evenly from [0, 1) by this replica alone."""
    return OPEN_FOR_S * (1 + JITTER * draw)


def decide(state: State, observation: Observation, now_s: float) -> tuple[State, bool]:
    """The state after the observation, and whether a call (or a probe) may go out."""
    match observation:
        case Observation.CALL:
            return state, state.phase is Phase.CLOSED
        case Observation.PROBE:
            return _asked_to_probe(state, now_s)
        case Observation.SUCCESS:
            # A late success of a call made before the breaker opened proves nothing: only a probe closes it.
            return (state if state.phase is Phase.OPEN else State()), True
        case Observation.FAILURE:
            return _failed(state, now_s), False


def _asked_to_probe(state: State, now_s: float) -> tuple[State, bool]:
    if state.phase is not Phase.OPEN or now_s - state.opened_at_s < OPEN_FOR_S:
        return state, False
    return State(phase=Phase.HALF_OPEN, opened_at_s=state.opened_at_s), True


def _failed(state: State, now_s: float) -> State:
    if state.phase is Phase.OPEN:
        return state
    failures = state.failures + 1
    if state.phase is Phase.HALF_OPEN or failures >= OPENS_AFTER:
        return State(phase=Phase.OPEN, opened_at_s=now_s)
    return State(failures=failures)
