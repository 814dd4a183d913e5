"""What must hold whatever the spec and the load: bounds, care, and rates."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import accumulate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reference_system.policies.autoscaling import horizontal
from reference_system.policies.autoscaling.horizontal import Decision
from reference_system.policies.autoscaling.memory import State
from reference_system.policies.autoscaling.scale import scaled
from reference_system.policies.autoscaling.spec import Behavior, Policy, PolicyType, Rules, Select, Spec
from reference_system.policies.autoscaling.timeline_api import TIMELINE_API
from tests.reference_system.policies.autoscaled import (
    ASKED,
    EXACTLY,
    NOW_S,
    Member,
    asked_spec,
    asking,
    cpu,
    pending,
    per_pod,
    pods,
    ready,
    rules,
    seen,
    unready,
)

pytestmark = pytest.mark.slow

LARGEST = 60

policies = st.builds(
    Policy, type=st.sampled_from(PolicyType), value=st.integers(1, 120), period_s=st.sampled_from([1, 15, 40, 60, 120])
)
directions = st.builds(
    Rules,
    stabilization_window_s=st.sampled_from([0, 10, 60, 300]),
    policies=st.lists(policies, min_size=1, max_size=3).map(tuple),
    select=st.sampled_from(Select),
)
behaviors = st.builds(Behavior, scale_up=directions, scale_down=directions)
# Seconds to the next sync, and the size that is asked for then; None if the metric cannot be read.
stories = st.lists(st.tuples(st.integers(1, 45), st.integers(0, 80) | st.none()), min_size=1, max_size=40)
Story = list[tuple[int, int | None]]


@dataclass(frozen=True)
class Sync:
    now_s: float
    before: int
    decision: Decision

    @property
    def size(self) -> int:
        return self.decision.replicas


def told(spec: Spec, story: Story, *, replicas: int, start_s: float = 0.0, second: float = 1.0) -> list[Sync]:
    """The syncs of a system that obeys at once; `second` is how long the story's seconds last."""
    state, history = State(), []
    for passed_s, asked in zip(accumulate(gap_s for gap_s, _ in story), (asked for _, asked in story), strict=True):
        now_s = start_s + passed_s * second
        state, decision = horizontal.decide(state, asking(asked, replicas=replicas), now_s, spec=spec)
        history.append(Sync(now_s, replicas, decision))
        replicas = decision.replicas
    return history


def size_at(history: list[Sync], at_s: float) -> int:
    """After the last sync that is not later."""
    return next((sync.size for sync in reversed(history) if sync.now_s <= at_s), history[0].before)


@settings(max_examples=60, deadline=None)
@given(st.none() | behaviors, stories, st.integers(1, LARGEST), st.integers(0, 2 * LARGEST))
def test_the_size_is_within_its_bounds(behavior: Behavior | None, story: Story, smallest: int, replicas: int) -> None:
    history = told(asked_spec(behavior, smallest=smallest, largest=LARGEST), story, replicas=replicas)

    sizes = {sync.size for sync in history}
    assert sizes == {0} if replicas == 0 else all(smallest <= size <= LARGEST for size in sizes)


crews = st.lists(
    st.tuples(st.sampled_from([ready, ready, ready, unready, pending]), st.integers(0, 3000) | st.none()),
    min_size=1,
    max_size=12,
)


@settings(max_examples=150, deadline=None)
@given(crews, st.lists(st.integers(0, 500), min_size=12, max_size=12), behaviors, st.booleans(), st.integers(1, 250))
def test_more_load_never_asks_for_a_smaller_size(
    crew: list[tuple[Callable[[int | None], Member], int | None]],
    more: list[int],
    behavior: Behavior,
    averages: bool,
    target: int,
) -> None:
    """Without a history, and with as many pods as are wanted, known or not: in between updates their number differs."""
    metric = replace(per_pod(target * 10), name="cpu") if averages else cpu(target)
    up, down = (replace(one, stabilization_window_s=0) for one in (behavior.scale_up, behavior.scale_down))
    spec = Spec(max_replicas=40, metrics=(metric,), behavior=Behavior(scale_up=up, scale_down=down))
    busy = [member(used) for member, used in crew]
    busier = [member(None if used is None else used + add) for (member, used), add in zip(crew, more, strict=False)]

    small, large = (
        horizontal.decide(State(), seen(members, replicas=len(crew)), NOW_S, spec=spec)[1].replicas
        for members in (busy, busier)
    )

    assert small <= large


@settings(max_examples=60, deadline=None)
@given(st.none() | behaviors, stories, st.integers(1, LARGEST))
def test_nothing_shrinks_while_a_metric_is_missing(behavior: Behavior | None, story: Story, replicas: int) -> None:
    spec = replace(asked_spec(behavior, largest=LARGEST), metrics=(ASKED, cpu(50)))

    for sync in told(spec, story, replicas=replicas):
        assert sync.decision.proposals[1] is None
        assert sync.size >= sync.before


@settings(max_examples=60, deadline=None)
@given(behaviors, stories, st.integers(1, LARGEST))
def test_nothing_shrinks_below_what_was_recommended_within_the_window(
    behavior: Behavior, story: Story, replicas: int
) -> None:
    history = told(asked_spec(behavior, largest=LARGEST), story, replicas=replicas)

    window_s = behavior.scale_down.stabilization_window_s
    recommended = [(history[0].now_s, replicas)]
    for sync in history:
        if sync.decision.recommended is not None:
            recommended.append((sync.now_s, sync.decision.recommended))
        if sync.size < sync.before:
            assert all(size <= sync.size for at_s, size in recommended if sync.now_s - at_s < window_s)


@settings(max_examples=60, deadline=None)
@given(behaviors, stories, st.integers(1, LARGEST))
def test_nothing_grows_above_what_was_recommended_within_the_window(
    behavior: Behavior, story: Story, replicas: int
) -> None:
    history = told(asked_spec(behavior, largest=LARGEST), story, replicas=replicas)

    window_s = behavior.scale_up.stabilization_window_s
    recommended = [(history[0].now_s, replicas)]
    for sync in history:
        if sync.decision.recommended is not None:
            recommended.append((sync.now_s, sync.decision.recommended))
        if sync.size > sync.before:
            assert all(size >= sync.size for at_s, size in recommended if sync.now_s - at_s < window_s)


def most(history: list[Sync], sync: Sync, policy: Policy) -> Fraction:
    """How much a policy allows in exact numbers, which may be up to one replica less than in binary64, rounded."""
    start = size_at(history, sync.now_s - policy.period_s)
    return Fraction(policy.value) if policy.type is PolicyType.PODS else Fraction(start * policy.value, 100) + 1


def changed_within(history: list[Sync], sync: Sync, policy: Policy) -> int:
    return sync.size - size_at(history, sync.now_s - policy.period_s)


def choose(select: Select, allowed: Iterable[bool]) -> bool:
    match select:
        case Select.MAX:
            return any(allowed)
        case Select.MIN:
            return all(allowed)
        case Select.DISABLED:
            return False


@settings(max_examples=100, deadline=None)
@given(behaviors, stories, st.integers(1, LARGEST))
def test_no_change_within_a_period_is_larger_than_its_policy_allows(
    behavior: Behavior, story: Story, replicas: int
) -> None:
    history = told(asked_spec(behavior, largest=LARGEST), story, replicas=replicas)

    for sync in history:
        if sync.size != sync.before:
            sign, direction = (1, behavior.scale_up) if sync.size > sync.before else (-1, behavior.scale_down)
            allowed = [
                sign * changed_within(history, sync, policy) <= most(history, sync, policy)
                for policy in direction.policies
            ]
            assert choose(direction.select, allowed)


@settings(max_examples=100, deadline=None)
@given(behaviors, stories, st.integers(1, LARGEST), st.integers(1, 10**6))
def test_it_does_not_matter_when_the_clock_began(behavior: Behavior, story: Story, replicas: int, start_s: int) -> None:
    spec = asked_spec(behavior, largest=LARGEST)
    one, other = (told(spec, story, replicas=replicas, start_s=start) for start in (0.0, float(start_s)))

    assert [sync.decision for sync in one] == [sync.decision for sync in other]


@settings(max_examples=100, deadline=None)
@given(stories, st.sampled_from([1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60]), st.integers(50, 100))
def test_where_time_passes_faster_the_same_happens_sooner(story: Story, time: int, replicas: int) -> None:
    whole = replace(TIMELINE_API, metrics=(ASKED,), flags=EXACTLY)
    loads = [(gap_s, None if asked is None else 6 * asked) for gap_s, asked in story]

    slow = told(whole, loads, replicas=replicas, second=float(time))
    fast = told(scaled(whole, time=time, replicas=1), loads, replicas=replicas)

    assert [sync.decision for sync in slow] == [sync.decision for sync in fast]


@settings(max_examples=100, deadline=None)
@given(stories, st.integers(1, LARGEST))
def test_without_windows_and_limits_the_system_is_as_large_as_asked(story: Story, replicas: int) -> None:
    free = rules(pods(LARGEST, 1))
    spec = asked_spec(Behavior(scale_up=free, scale_down=free), largest=LARGEST)

    for sync in told(spec, story, replicas=replicas):
        asked = sync.decision.recommended
        assert sync.size == (sync.before if asked is None else min(max(asked, 1), LARGEST))
