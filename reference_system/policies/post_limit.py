"""How often one user may post: a token bucket, generous, so that only a runaway client meets it."""

from dataclasses import dataclass

BURST = 20.0  # posts at once; ours, the specification says "rate-limited" without a figure
REFILL_PER_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    tokens: float = BURST
    at_s: float = 0.0


def decide(state: State, now_s: float) -> tuple[State, bool]:
    """The bucket after one more wish to post, and whether it is granted."""
    tokens = min(BURST, state.tokens + (now_s - state.at_s) * REFILL_PER_S)
    granted = tokens >= 1.0
    return State(tokens=tokens - 1.0 if granted else tokens, at_s=now_s), granted
