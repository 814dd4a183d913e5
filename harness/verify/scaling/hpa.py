"""Kubernetes' autoscaler (`autoscaling/v2`), written a second time: what it has to decide at one sync.

Proposals of the metrics, the highest of them, stabilised, limited in rate, within the bounds, as in pkg/controller/
podautoscaler of Kubernetes (horizontal.go and replica_calculator.go of v1.33, with `behavior`). It shares nothing with
any system that is judged by it. Metrics of the types Resource (utilisation) and Pods are known, Object and External are
not.

What is only partly known (see `Lean`) is taken once in favour of few replicas and once in favour of many. Each step
grows with what goes into it, so the truth lies between the two decisions.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum

import msgspec

from harness.experiment.expectations.autoscaler import (
    Autoscaler,
    MetricType,
    PolicyType,
    ScalingMetric,
    ScalingPolicy,
    ScalingRules,
    SelectPolicy,
)
from harness.units import Seconds

FULL_USE = 100  # percent: what a pod without a sample is taken to use where the others use less than the target


class Lean(IntEnum):
    """Which way doubts go: to the least number of replicas that is possible, or to the most.

    Doubtful are the ages of what is remembered, by the error of the instants, and the sum behind a truncated average.
    Where there is neither an error nor a pod without a sample or not ready, both decide the same.
    """

    LEAST = 1
    MOST = -1


class Rule(StrEnum):
    """What had the last word in a decision."""

    DISABLED = "0 replicas switch it off"
    BOUNDS = "the bounds"
    INVALID = "invalid metrics"
    TOLERANCE = "the tolerance"
    METRIC = "the metrics"
    SILENT_PODS = "pods that are not ready or have no sample"
    STABILISATION = "stabilisation"
    RATE_LIMIT = "the rate limit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One metric at one sync. `value` is what it was over the `counted` pods, truncated, as a multiple of the metric's
    resolution; None where the metric was invalid. `missing` pods had no sample, `unready` ones were not ready."""

    value: int | None
    counted: int
    missing: int = 0
    unready: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What the autoscaler saw at a sync; `at_s` is off by `error_s` at most."""

    at_s: float
    error_s: float = 0.0
    current: int
    readings: Mapping[str, Reading]


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """A recommendation, or a change of the number of replicas (negative where some were removed)."""

    at_s: float
    error_s: float = 0.0
    replicas: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """What was recommended before stabilisation, and what was changed; the oldest first."""

    recommendations: tuple[Remembered, ...] = ()
    changes: tuple[Remembered, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """`proposed` by the metrics; None where they were not asked, or did not know."""

    desired: int
    proposed: int | None
    rule: Rule


def fresh(seen: Observation) -> Memory:
    """An autoscaler that was just started remembers the current size, so it cannot scale down for a window."""
    first = Remembered(at_s=seen.at_s, error_s=seen.error_s, replicas=seen.current)
    return Memory(recommendations=(first,))


def decide(hpa: Autoscaler, memory: Memory, seen: Observation, lean: Lean = Lean.LEAST) -> Decision:
    """The decision at a sync, from what is remembered of those before it. `hpa` is in its own scale (see `scaled`)."""
    current = seen.current
    if current == 0:
        return Decision(desired=0, proposed=None, rule=Rule.DISABLED)
    if not hpa.min_replicas <= current <= hpa.max_replicas:  # at once, whatever the metrics say
        return Decision(desired=_within_bounds(hpa, current), proposed=None, rule=Rule.BOUNDS)
    proposal = _highest(hpa, seen, lean)
    if proposal is None:
        return Decision(desired=current, proposed=None, rule=Rule.INVALID)
    proposed, rule = proposal
    stabilised = _stabilised(hpa, memory, seen, proposed, lean)
    limited = _limited(hpa, memory, seen, stabilised, lean)
    desired = _within_bounds(hpa, limited)
    if desired != limited:
        rule = Rule.BOUNDS
    elif limited != stabilised:
        rule = Rule.RATE_LIMIT
    elif stabilised != proposed:
        rule = Rule.STABILISATION
    return Decision(desired=desired, proposed=proposed, rule=rule)


def remember(memory: Memory, seen: Observation, *, proposed: int | None, change: int) -> Memory:
    """The memory after a sync that made a proposal (or none) and changed the number of replicas."""

    def with_one(entries: tuple[Remembered, ...], replicas: int) -> tuple[Remembered, ...]:
        return (*entries, Remembered(at_s=seen.at_s, error_s=seen.error_s, replicas=replicas))

    return Memory(
        recommendations=memory.recommendations if proposed is None else with_one(memory.recommendations, proposed),
        changes=with_one(memory.changes, change) if change else memory.changes,
    )


def forget(hpa: Autoscaler, memory: Memory, seen: Observation) -> Memory:
    """Without what is surely older at a sync than any window or period."""
    since_s = seen.at_s - seen.error_s - horizon_s(hpa)

    def kept(entries: tuple[Remembered, ...]) -> tuple[Remembered, ...]:
        return tuple(each for each in entries if each.at_s + each.error_s > since_s)

    return Memory(recommendations=kept(memory.recommendations), changes=kept(memory.changes))


def horizon_s(hpa: Autoscaler) -> float:
    """For how long anything that happened can matter."""
    rules = (hpa.scale_up, hpa.scale_down)
    periods = [float(policy.period) for each in rules for policy in each.policies]
    return max([*periods, *(float(each.stabilization) for each in rules)])


def scaled(hpa: Autoscaler) -> Autoscaler:
    """The same with its times and numbers of replicas in the scale of the system, and both factors 1."""

    def shorter(time_s: Seconds) -> Seconds:
        return Seconds(time_s / hpa.time_scale)

    def rules(of: ScalingRules) -> ScalingRules:
        policies = tuple(
            ScalingPolicy(
                type=policy.type,
                value=policy.value // (hpa.replica_scale if policy.type is PolicyType.PODS else 1),
                period=shorter(policy.period),
            )
            for policy in of.policies
        )
        return ScalingRules(stabilization=shorter(of.stabilization), policies=policies, select=of.select)

    return msgspec.structs.replace(
        hpa,
        min_replicas=hpa.min_replicas // hpa.replica_scale,
        max_replicas=hpa.max_replicas // hpa.replica_scale,
        scale_up=rules(hpa.scale_up),
        scale_down=rules(hpa.scale_down),
        sync_period=shorter(hpa.sync_period),
        metric_window=shorter(hpa.metric_window),
        time_scale=1.0,
        replica_scale=1,
    )


def resolution_of(metric: ScalingMetric) -> float:
    return 1.0 if metric.type is MetricType.RESOURCE else metric.resolution


# --- proposals --------------------------------------------------------------------------------------------------------


def _highest(hpa: Autoscaler, seen: Observation, lean: Lean) -> tuple[int, Rule] | None:
    """The highest proposal; None where no metric is valid, or where those that are would scale down by themselves."""
    valid = [
        _proposal(metric, reading, seen.current, tolerance=float(hpa.tolerance), lean=lean)
        for metric in hpa.metrics
        if (reading := seen.readings[metric.name]).value is not None and reading.counted > 0
    ]
    highest = max(valid, default=None, key=lambda proposal: proposal[0])
    if highest is None or (len(valid) < len(hpa.metrics) and highest[0] < seen.current):
        return None
    return highest


def _proposal(
    metric: ScalingMetric, reading: Reading, current: int, *, tolerance: float, lean: Lean
) -> tuple[int, Rule]:
    """One metric's, over pods of the same request."""
    assert reading.value is not None
    target = round(metric.target / resolution_of(metric))
    ratio = reading.value / target
    idle = reading.missing + reading.unready if ratio > 1.0 else 0  # counted as if they used nothing
    busy = reading.missing if ratio < 1.0 else 0  # counted as if they used all that they may
    if not idle and not busy:
        if _tolerated(ratio, tolerance):
            return current, Rule.TOLERANCE
        return math.ceil(ratio * reading.counted), Rule.METRIC
    pods = reading.counted + idle + busy
    use = max(FULL_USE, target) if metric.type is MetricType.RESOURCE else target
    filled = ((_sum(reading, lean) + busy * use) // pods) / target
    if _tolerated(filled, tolerance):
        return current, Rule.TOLERANCE
    wanted = math.ceil(filled * pods)
    if (filled < 1.0) != (ratio < 1.0) or (wanted < current) != (filled < 1.0):
        return current, Rule.SILENT_PODS
    return wanted, Rule.METRIC


def _sum(reading: Reading, lean: Lean) -> int:
    """What the counted pods used together: a truncated average hides up to one less than their number."""
    assert reading.value is not None
    hidden = reading.counted - 1 if lean is Lean.MOST else 0
    return reading.value * reading.counted + hidden


def _tolerated(ratio: float, tolerance: float) -> bool:
    """Both ends belong to it. (Before 1.33 Kubernetes compared |1 − ratio|, which in binary64 leaves out 1.1.)"""
    return 1.0 - tolerance <= ratio <= 1.0 + tolerance


# --- stabilisation and rate limit -------------------------------------------------------------------------------------


def _stabilised(hpa: Autoscaler, memory: Memory, seen: Observation, proposed: int, lean: Lean) -> int:
    """No higher than the lowest and no lower than the highest recommendation of the windows."""
    up_s, down_s = float(hpa.scale_up.stabilization), float(hpa.scale_down.stabilization)
    lowest = min([proposed, *_newer(memory.recommendations, seen, up_s, sign=lean)])
    highest = max([proposed, *_newer(memory.recommendations, seen, down_s, sign=-lean)])
    return min(max(seen.current, lowest), highest)


def _limited(hpa: Autoscaler, memory: Memory, seen: Observation, stabilised: int, lean: Lean) -> int:
    """No further from the current size than the policies let it go; a limit never moves it the other way."""
    current = seen.current
    if stabilised > current:
        return min(stabilised, max(current, _limit(hpa.scale_up, memory, seen, lean, up=True)))
    if stabilised < current:
        return max(stabilised, min(current, _limit(hpa.scale_down, memory, seen, lean, up=False)))
    return current


def _limit(rules: ScalingRules, memory: Memory, seen: Observation, lean: Lean, *, up: bool) -> int:
    if rules.select is SelectPolicy.DISABLED:
        return seen.current
    limits = [_allowed(policy, _period_start(policy, memory, seen, lean), up=up) for policy in rules.policies]
    highest = (rules.select is SelectPolicy.MAX) == up  # the most change is the highest limit only on the way up
    return max(limits) if highest else min(limits)


def _allowed(policy: ScalingPolicy, start: int, *, up: bool) -> int:
    """In binary64 as in Go, where 50 and 10 % more are 56, and 100 and 55 % less are 44."""
    if policy.type is PolicyType.PODS:
        return start + policy.value if up else start - policy.value
    return math.ceil(start * (1 + policy.value / 100)) if up else int(start * (1 - policy.value / 100))


def _period_start(policy: ScalingPolicy, memory: Memory, seen: Observation, lean: Lean) -> int:
    """The size when the policy's period began: the current one without what was changed since.

    Kubernetes forgets additions after the longest period of `scale_up`, removals after that of `scale_down`, as soon as
    newer ones take their place. Here nothing is forgotten that a policy asks for.
    """
    added = [each for each in memory.changes if each.replicas > 0]
    removed = [each for each in memory.changes if each.replicas < 0]
    period_s = float(policy.period)
    changed = sum(_newer(added, seen, period_s, sign=lean)) + sum(_newer(removed, seen, period_s, sign=-lean))
    return seen.current - changed


def _newer(
    entries: tuple[Remembered, ...] | list[Remembered], seen: Observation, window_s: float, *, sign: int
) -> Iterator[int]:
    """Those strictly newer than the window: with the sign 1 also what only may be, with −1 only what surely is.

    Subtle: nothing remembered is as new as the sync itself, so in a window of 0 there is never anything.
    """
    for each in entries:
        age_s = seen.at_s - each.at_s - sign * max(each.error_s, seen.error_s)
        if max(0.0, age_s) < window_s:
            yield each.replicas


def _within_bounds(hpa: Autoscaler, replicas: int) -> int:
    return min(max(replicas, hpa.min_replicas), hpa.max_replicas)
