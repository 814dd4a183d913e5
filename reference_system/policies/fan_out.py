"""Whose posts are put into the followers' timelines, and whose are fetched when somebody reads.

Pushing makes reads cheap and costs a write for each follower, so one post of a celebrity costs as much as a hundred
ordinary ones. Therefore accounts with many followers are *pulled*: the post is written once, and readers merge it. When
posts wait for long all the same, fewer accounts are pushed, step by step, until they no longer do (the emergency limit;
specification, sections 7 and 8). Decides only; the queue is data/fan_out.py's.
"""

import math
from dataclasses import dataclass
from enum import StrEnum


class How(StrEnum):
    PUSH = "push"
    PULL = "pull"


# Accounts with so many followers or more are pulled: usually by the first figure, in an emergency by a later one. Ours,
# the specification has none: a third of the reference system's users, which only its few celebrities reach, then a
# quarter each time, and in the end everybody.
LIMITS = (1_000, 250, 60, 15, 0)
assert list(LIMITS) == sorted(LIMITS, reverse=True)

# A twentieth of the lag and a two-thousandth of the depth at which operations are alerted (specification, section 6:
# 60 s and 1,000,000 posts): an emergency is over before anybody has to be called.
WORST_LAG_S = 3.0
WORST_DEPTH = 500
EASED = 0.25  # at this share of both the emergency may be over
SETTLES_S = 1.0  # until a lower limit shows in depth and lag
CALM_FOR_S = 10.0  # before the limit goes up a step
assert SETTLES_S < CALM_FOR_S


def how(followers: int, limit: int) -> How:
    return How.PULL if followers >= limit else How.PUSH


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """What is queued: posts, and the age of the oldest in seconds."""

    depth: int
    lag_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """`step` counts in `LIMITS`; the step has held since `changed_at_s`, and less than `EASED` waits since
    `calm_since_s`."""

    step: int = 0
    changed_at_s: float = -math.inf
    calm_since_s: float | None = None

    @property
    def limit(self) -> int:
        return LIMITS[self.step]


def decide(state: State, waiting: Waiting, now_s: float) -> State:
    """One step down while too much waits, one up after each calm stretch."""
    if waiting.depth > WORST_DEPTH or waiting.lag_s > WORST_LAG_S:
        settled = now_s - state.changed_at_s >= SETTLES_S
        if settled and state.step < len(LIMITS) - 1:
            return State(step=state.step + 1, changed_at_s=now_s)
        return State(step=state.step, changed_at_s=state.changed_at_s)
    if waiting.depth > WORST_DEPTH * EASED or waiting.lag_s > WORST_LAG_S * EASED:
        return State(step=state.step, changed_at_s=state.changed_at_s)
    since_s = now_s if state.calm_since_s is None else state.calm_since_s
    if state.step > 0 and now_s - since_s >= CALM_FOR_S:
        return State(step=state.step - 1, changed_at_s=now_s, calm_since_s=now_s)
    return State(step=state.step, changed_at_s=state.changed_at_s, calm_since_s=since_s)
