"""Whether a failed attempt may be repeated: retries may be at most a share of calls.

Without a budget retries multiply the load exactly when the dependency has least to spare. Every call pays a fraction of
a retry in, every retry takes a whole one out, and little can be saved up. A timeout is not repeated: its caller has
waited long enough, and the first attempt may still be at work.
"""

from dataclasses import dataclass

RETRY_SHARE = 0.1  # Google SRE, chapter 21: at most 10 % of a client's requests are retries
SAVED_AT_MOST = 3.0  # retries; so that a short outage after quiet times does not spend a big reserve
MAX_RETRIES_PER_CALL = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    saved: float = SAVED_AT_MOST


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedAttempt:
    """`tried` counts the call's attempts so far, this one included."""

    tried: int
    timed_out: bool
    breaker_closed: bool


def earn(state: State) -> State:
    """The budget after one more call."""
    return State(saved=min(SAVED_AT_MOST, state.saved + RETRY_SHARE))


def decide(state: State, failed: FailedAttempt, now_s: float) -> tuple[State, bool]:
    """The budget after the question, and whether the call may be tried once more."""
    del now_s  # the budget counts calls, not time
    worth_it = failed.tried <= MAX_RETRIES_PER_CALL and failed.breaker_closed and not failed.timed_out
    if not worth_it or state.saved < 1.0:
        return state, False
    return State(saved=state.saved - 1.0), True
