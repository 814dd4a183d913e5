"""Several metrics and one size, and what the past makes of it."""

from dataclasses import replace

import pytest

from reference_system.policies.autoscaling import horizontal
from reference_system.policies.autoscaling.horizontal import Decision
from reference_system.policies.autoscaling.memory import State
from reference_system.policies.autoscaling.observation import Observation
from reference_system.policies.autoscaling.spec import Behavior
from reference_system.policies.autoscaling.timeline_api import TIMELINE_API
from tests.reference_system.policies.autoscaled import (
    ASKED,
    EXACTLY,
    NOW_S,
    asked_spec,
    asking,
    cpu,
    named,
    per_pod,
    played,
    pods,
    records,
    rules,
    samples_of,
    seen,
    syncs,
)


@pytest.mark.parametrize(
    ("proposals", "current", "size", "why"),
    [
        ([], 5, None, "nobody proposes anything"),
        ([None], 5, None, "the only metric cannot be read"),
        ([None, None], 5, None, "none of them can"),
        ([3], 5, 3, "a single proposal"),
        ([3, 9, 7], 5, 9, "the largest wins"),
        ([0, 0], 5, 0, "which may be none"),
        ([3, None], 5, None, "no smaller size on partial knowledge: the other might need five"),
        ([None, 9], 5, 9, "a larger size proceeds: whatever the other says, nine are needed"),
        ([5, None], 5, 5, "and the current one is not smaller"),
    ],
)
def test_the_largest_proposal_is_recommended_unless_an_unknown_one_may_be_larger(
    proposals: list[int | None], current: int, size: int | None, why: str
) -> None:
    assert horizontal.recommendation(proposals, current) == size, why


@pytest.mark.parametrize(
    ("current", "size", "why"),
    [
        (0, 0, "somebody has switched the system off"),
        (12, 10, "above max: max at once"),
        (1, 3, "below min: min at once"),
    ],
)
def test_outside_its_bounds_neither_metrics_nor_windows_nor_limits_matter(current: int, size: int, why: str) -> None:
    slow = Behavior(scale_up=rules(pods(1, 60), window_s=300), scale_down=rules(pods(1, 60), window_s=300))

    _, decision = horizontal.decide(
        State(), asking(7, replicas=current), NOW_S, spec=asked_spec(slow, smallest=3, largest=10)
    )

    assert decision == Decision(replicas=size), why


@pytest.mark.parametrize(
    ("current", "smallest", "asked", "size", "why"),
    [
        (0, 0, 7, 7, "from none at all, where that is allowed"),
        (3, 3, 0, 3, "never below min"),
        (9, 3, 99, 10, "never above max"),
        (5, 3, None, 5, "nothing can be read, so nothing changes"),
    ],
)
def test_within_its_bounds_the_metrics_are_followed(
    current: int, smallest: int, asked: int | None, size: int, why: str
) -> None:
    free = asked_spec(Behavior(scale_up=rules(pods(99, 15)), scale_down=rules()), smallest=smallest, largest=10)

    assert horizontal.decide(State(), asking(asked, replicas=current), NOW_S, spec=free)[1].replicas == size, why


def test_a_decision_says_how_it_was_found() -> None:
    behavior = Behavior(scale_up=rules(pods(4, 60), window_s=60))
    state = State(recommendations=records((30, 20)))

    after, decision = horizontal.decide(state, asking(30, replicas=10), NOW_S, spec=asked_spec(behavior))

    assert decision == Decision(replicas=14, proposals=(30,), recommended=30, stabilized=20)
    assert after == State(recommendations=records((30, 20), (0, 30)), added=records((0, 4)))


def test_a_fresh_controller_remembers_the_size_it_finds_and_then_what_it_recommends() -> None:
    state, _ = horizontal.decide(State(), asking(7, replicas=5), NOW_S, spec=asked_spec(None))

    assert state == State(recommendations=records((0, 5), (0, 7)))


@pytest.mark.parametrize("behavior", [None, Behavior()])
def test_a_fresh_controller_does_not_shrink_the_system_for_a_whole_window(behavior: Behavior | None) -> None:
    sizes = played(asked_spec(behavior), [5] * 30, replicas=10)

    # Without `behavior` the record of exactly 300 s ago still counts.
    at_s = 300 if behavior else 315
    assert sizes == [10] * (at_s // 15) + [5] * (30 - at_s // 15)


def test_metrics_that_cannot_be_read_do_not_make_a_controller_fresh() -> None:
    sizes = played(asked_spec(Behavior()), [10, *[None] * 40, 5, 5], replicas=10)

    assert sizes == [10] * 41 + [5, 5]


def test_a_recommendation_on_partial_knowledge_is_not_remembered() -> None:
    both = replace(asked_spec(Behavior()), metrics=(ASKED, cpu(50)))
    state = State(recommendations=records((15, 10)))

    after, decision = horizontal.decide(state, asking(4, replicas=10), NOW_S, spec=both)

    assert decision == Decision(replicas=10, proposals=(4, None))
    assert after == state


def test_changes_at_the_bounds_count_for_the_rate() -> None:
    slowly = asked_spec(Behavior(scale_up=rules(pods(20, 60))), smallest=50)

    # From 40 to 50 at once, and then 20 more than the 40 there were.
    assert played(slowly, [100, 100, 100, 100, 100], replicas=40) == [50, 60, 60, 60, 70]


def test_changes_that_somebody_else_made_do_not() -> None:
    slowly = asked_spec(Behavior(scale_up=rules(pods(20, 60))))
    state, _ = horizontal.decide(State(), asking(10, replicas=10), NOW_S, spec=slowly)

    _, decision = horizontal.decide(state, asking(100, replicas=50), NOW_S + 15, spec=slowly)

    assert decision.replicas == 70


def test_no_change_is_not_remembered_as_one() -> None:
    state, _ = horizontal.decide(State(), asking(5, replicas=5), NOW_S, spec=asked_spec(Behavior()))

    assert (state.added, state.removed) == ((), ())


def test_without_behavior_changes_are_not_remembered() -> None:
    *_, (state, size) = syncs(asked_spec(None), [100] * 5, replicas=10)

    assert size == 100
    assert (state.added, state.removed) == ((), ())


@pytest.mark.parametrize("behavior", [None, TIMELINE_API.behavior])
def test_a_controller_that_runs_for_hours_remembers_no_more_than_one_window_holds(behavior: Behavior | None) -> None:
    wild = [100 if number // 40 % 2 else 5 for number in range(1000)]

    longest = max(
        max(len(state.recommendations), len(state.added), len(state.removed))
        for state, _ in syncs(asked_spec(behavior), wild, replicas=10)
    )

    assert longest <= 300 / 15 + 2


TIMELINE_ASKED = replace(TIMELINE_API, metrics=(ASKED,), flags=EXACTLY)


def changes(sizes: list[int]) -> list[tuple[int, int]]:
    """When (s) the size changed, and to what."""
    return [
        (number * 15, size)
        for number, (before, size) in enumerate(zip([0, *sizes], sizes, strict=False))
        if before != size
    ]


def test_the_timeline_api_grows_tenfold_in_six_minutes() -> None:
    sizes = played(TIMELINE_ASKED, [500] * 30, replicas=50)

    # Nothing for the first window, then half as much again each minute: 112.5, 169.5, 382.5 and 574.5 rounded, or max.
    assert changes(sizes) == [(0, 50), (60, 75), (120, 113), (180, 170), (240, 255), (300, 383), (360, 500)]


def test_the_timeline_api_shrinks_by_a_tenth_every_two_minutes_after_five() -> None:
    sizes = played(TIMELINE_ASKED, [50] * 60, replicas=500)

    # 364.5, 327.6 and 294.3 are truncated; the next tenth is due at 900 s.
    assert changes(sizes) == [(0, 500), (300, 450), (420, 405), (540, 364), (660, 327), (780, 294)]


def test_load_that_comes_and_goes_moves_the_timeline_api_up_once_and_never_down() -> None:
    wavering = [120 if number // 8 % 2 else 60 for number in range(400)]

    sizes = played(TIMELINE_ASKED, wavering, replicas=100)

    # Two minutes each: at 165 s nothing below 120 has been recommended for 60 s. There is always a 120 within 300 s.
    assert changes(sizes) == [(0, 100), (165, 120)]


def test_the_slowest_of_the_timeline_apis_metrics_decides() -> None:
    crew = seen([325] * 100, replicas=100)  # half of 65 % of the CPU
    busy, slow = named([1500_000] * 100), named([300_000] * 100)
    observation = Observation(
        replicas=100,
        existing=100,
        pods=crew.pods,
        samples={
            **crew.samples,
            "requests_per_second": samples_of(busy),
            "response_time_p99_ms": samples_of(slow),
        },
    )

    _, decision = horizontal.decide(State(), observation, NOW_S, spec=TIMELINE_API)

    # 32 % is 0.49 of 65 %, 1500/s is right, and 300 ms are 1.5 times too slow; a fresh controller waits all the same.
    assert decision == Decision(replicas=100, proposals=(50, 100, 150), recommended=150, stabilized=100)


def test_pods_of_a_growing_system_that_are_not_counted_yet_do_not_make_it_grow_again() -> None:
    free = asked_spec(Behavior(scale_up=rules(), scale_down=rules()))
    metric = replace(free, metrics=(per_pod(10_000),))
    crew = seen([20_000] * 4 + [None] * 4, of="rps", replicas=8)

    _, decision = horizontal.decide(State(), crew, NOW_S, spec=metric)

    assert decision.replicas == 8
