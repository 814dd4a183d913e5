"""The degradation ladder as the target promises it, recomputed from what was recorded.

An implementation of its own, on purpose: it shares nothing with any system that keeps the promise. It follows *all*
states that are consistent with what was seen, so that an evaluation which no scrape caught makes the prediction wider
instead of wrong.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from harness.target.promises import DegradationPromise

State = tuple[int, int]  # level, healthier evaluations in a row


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """One evaluation of the controller as one scrape showed it. `number` counts evaluations since it was started."""

    number: int
    at_s: float
    inputs: Mapping[str, float]
    level: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Deviation:
    """An evaluation after which the level shown is none of those that the promise allows."""

    evaluation: Evaluation
    demanded: int
    allowed: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What following the ladder found. `demanded` is the worst level that any evaluation's inputs asked for."""

    evaluations: int
    missed: int
    restarts: int
    demanded: int
    deviations: tuple[Deviation, ...]
    final: tuple[int, ...]  # levels that the promise allows after the last evaluation


def demanded_level(promise: DegradationPromise, inputs: Mapping[str, float]) -> int:
    """The worst level of which any input is above its bound; the lowest one when none is."""
    lowest = min(level.value for level in promise.levels)
    reached = [
        level.value
        for level in promise.levels
        if any(inputs.get(name, math.nan) > bound for name, bound in level.when_above.items())
    ]
    return max(reached, default=lowest)


def step(promise: DegradationPromise, state: State, demanded: int) -> State:
    """Up at once; down one level after `leaves_after` healthier evaluations in a row."""
    level, healthier = state
    if demanded >= level:
        return demanded, 0
    if healthier + 1 >= promise.leaves_after:
        return _next_lower(promise, level), 0
    return level, healthier + 1


def follow(promise: DegradationPromise, evaluations: Iterable[Evaluation]) -> Comparison:
    """Compare each level shown with what the inputs recorded so far demand."""
    states = _any_state(promise)
    deviations: list[Deviation] = []
    seen = missed = restarts = 0
    worst, number = min(level.value for level in promise.levels), None
    for evaluation in evaluations:
        seen += 1
        if number is not None and evaluation.number < number:
            restarts, states = restarts + 1, _any_state(promise)
        elif number is not None:
            gap = evaluation.number - number - 1
            missed += gap
            for _ in range(min(gap, _forgets_after(promise))):
                states = _step_unseen(promise, states)
        number = evaluation.number
        demanded = demanded_level(promise, evaluation.inputs)
        worst = max(worst, demanded)
        states = {step(promise, state, demanded) for state in states}
        agreeing = {state for state in states if state[0] == evaluation.level}
        if agreeing:
            states = agreeing
        else:
            allowed = tuple(sorted({state[0] for state in states}))
            deviations.append(Deviation(evaluation=evaluation, demanded=demanded, allowed=allowed))
    return Comparison(
        evaluations=seen,
        missed=missed,
        restarts=restarts,
        demanded=worst,
        deviations=tuple(deviations),
        final=tuple(sorted({state[0] for state in states})),
    )


def features_off(promise: DegradationPromise, level: int) -> frozenset[str]:
    """A feature is off at its level and at every level above."""
    return frozenset(name for step_ in promise.levels if step_.value <= level for name in step_.features_off)


def all_features(promise: DegradationPromise) -> tuple[str, ...]:
    return tuple(name for level in promise.levels for name in level.features_off)


def all_inputs(promise: DegradationPromise) -> tuple[str, ...]:
    """Those that have a bound, in the order of their names."""
    return tuple(sorted({name for level in promise.levels for name in level.when_above}))


def level_name(promise: DegradationPromise, value: int) -> str:
    return next((level.name for level in promise.levels if level.value == value), str(value))


def level_value(promise: DegradationPromise, name: str) -> int | None:
    return next((level.value for level in promise.levels if level.name == name), None)


def _any_state(promise: DegradationPromise) -> set[State]:
    return {(level.value, healthier) for level in promise.levels for healthier in range(promise.leaves_after)}


def _step_unseen(promise: DegradationPromise, states: set[State]) -> set[State]:
    """An evaluation that nobody saw may have demanded anything."""
    return {step(promise, state, level.value) for state in states for level in promise.levels}


def _forgets_after(promise: DegradationPromise) -> int:
    """Unseen evaluations in a row after which every state is possible; more of them change nothing."""
    return promise.leaves_after * len(promise.levels)


def _next_lower(promise: DegradationPromise, level: int) -> int:
    return max((other.value for other in promise.levels if other.value < level), default=level)
