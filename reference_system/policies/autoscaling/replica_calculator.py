"""The size that one metric asks for (replica_calculator.go and metrics/utilization.go), or None if it cannot be told.

Doubt counts against change: a pod whose use is not known is taken to be idle when the others ask for more pods, and
busy when they ask for fewer. A pod that is not ready is idle in the first case, and left out in the second. Does not
know other metrics, nor the past.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from reference_system.policies.autoscaling.observation import Observation, Phase, Pod, Sample
from reference_system.policies.autoscaling.spec import Flags, Metric, Source, Spec, Target


def proposal(metric: Metric, seen: Observation, now_s: float, *, spec: Spec) -> int | None:
    """In replicas, neither within min and max nor limited; `now_s` matters for the CPU of young pods only."""
    if metric.source in (Source.RESOURCE, Source.PODS):
        return _from_samples(metric, seen, now_s, spec)
    total_milli = seen.totals_milli.get(metric.name)
    if total_milli is None:
        return None
    if metric.target is Target.VALUE:
        return _from_value(total_milli / metric.wanted, seen, spec)
    return _from_average_value(total_milli, metric.wanted, seen, spec)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a sync knows of a pods' metric: the value that is held against its target (percent for a Utilization, else
    thousandths; None if it cannot be told), of how many pods, and how many others there are."""

    value: int | None
    counted: int
    missing: int
    unready: int


def reading(metric: Metric, seen: Observation, now_s: float, *, spec: Spec) -> Reading:
    """For whoever shows what was decided by; before anything is filled in for missing and unready pods."""
    samples = seen.samples.get(metric.name, {})
    groups = _grouped(seen.pods, samples, now_s, spec.flags, readiness_examined=_is_cpu(metric))
    counted = {pod: samples[pod].value_milli for pod in samples if pod not in groups.left_out}
    return Reading(
        value=_value(metric, counted, _requests(metric, seen.pods)),
        counted=groups.ready,
        missing=len(groups.missing),
        unready=len(groups.unready),
    )


def _from_value(ratio: float, seen: Observation, spec: Spec) -> int | None:
    """Without pods the value itself says how many there should be, so that a system can start from none."""
    if seen.replicas == 0:
        return math.ceil(ratio)
    if spec.tolerates(ratio):
        return seen.replicas
    if not seen.pods:
        return None
    ready = sum(pod.phase is Phase.RUNNING and pod.readiness is not None and pod.readiness.ready for pod in seen.pods)
    return math.ceil(ratio * ready)


def _from_average_value(total_milli: int, wanted_milli: int, seen: Observation, spec: Spec) -> int:
    if seen.existing and spec.tolerates(total_milli / (wanted_milli * seen.existing)):
        return seen.existing
    return math.ceil(total_milli / wanted_milli)


def _from_samples(metric: Metric, seen: Observation, now_s: float, spec: Spec) -> int | None:
    samples = seen.samples.get(metric.name, {})
    groups = _grouped(seen.pods, samples, now_s, spec.flags, readiness_examined=_is_cpu(metric))
    # Subtle: what is left may include samples of pods that are no longer listed; Kubernetes counts them, too.
    counted = {pod: samples[pod].value_milli for pod in samples if pod not in groups.left_out}
    requests = _requests(metric, seen.pods)
    ratio = _ratio(metric, counted, requests)
    if not seen.pods or ratio is None:
        return None
    if not groups.missing and not (groups.unready and ratio > 1.0):
        return seen.replicas if spec.tolerates(ratio) else math.ceil(ratio * groups.ready)
    filled = counted | _filled_in(metric, groups, ratio, requests)
    return _recalculated(ratio, _ratio(metric, filled, requests), len(filled), seen.replicas, spec)


def _is_cpu(metric: Metric) -> bool:
    return metric.source is Source.RESOURCE and metric.name == "cpu"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Groups:
    ready: int
    unready: frozenset[str]
    missing: frozenset[str]
    left_out: frozenset[str]  # their samples do not count: of unready, deleted and failed pods


def _grouped(
    pods: Iterable[Pod], samples: Mapping[str, Sample], now_s: float, flags: Flags, *, readiness_examined: bool
) -> _Groups:
    gone = {pod.name for pod in pods if pod.deleted or pod.phase is Phase.FAILED}
    unready, missing, ready = set(), set(), 0
    for pod in (pod for pod in pods if pod.name not in gone):
        if pod.phase is Phase.PENDING:
            unready.add(pod.name)
        elif pod.name not in samples:
            missing.add(pod.name)
        elif readiness_examined and _is_warming_up(pod, samples[pod.name], now_s, flags):
            unready.add(pod.name)
        else:
            ready += 1
    return _Groups(
        ready=ready, unready=frozenset(unready), missing=frozenset(missing), left_out=frozenset(gone | unready)
    )


def _is_warming_up(pod: Pod, sample: Sample, now_s: float, flags: Flags) -> bool:
    """Whether the CPU that the pod uses may be its start's, not its load's.

    Afterwards a pod that is not ready counts, unless its condition has not changed since soon after its start: such a
    pod has never been ready.
    """
    if pod.started_s is None or pod.readiness is None:
        return True
    if pod.started_s + flags.cpu_initialization_period_s > now_s:
        return not pod.readiness.ready or sample.at_s < pod.readiness.since_s + sample.window_s
    return not pod.readiness.ready and pod.started_s + flags.initial_readiness_delay_s > pod.readiness.since_s


def _requests(metric: Metric, pods: Iterable[Pod]) -> dict[str, int]:
    """Empty if a single pod, even one that does not count, requests none of a resource."""
    if any(metric.name not in pod.requests_milli for pod in pods):
        return {}
    return {pod.name: pod.requests_milli[metric.name] for pod in pods}


def _ratio(metric: Metric, counted: Mapping[str, int], requests: Mapping[str, int]) -> float | None:
    """How far the pods are above (or below) the target."""
    value = _value(metric, counted, requests)
    return None if value is None else value / metric.wanted


def _value(metric: Metric, counted: Mapping[str, int], requests: Mapping[str, int]) -> int | None:
    """What the pods use, truncated to whole percents of their requests, or thousandths on average."""
    if metric.target is Target.AVERAGE_VALUE:
        return sum(counted.values()) // len(counted) if counted else None
    known = counted.keys() & requests.keys()
    requested = sum(requests[pod] for pod in known)
    return 100 * sum(counted[pod] for pod in known) // requested if requested else None


def _filled_in(metric: Metric, groups: _Groups, ratio: float, requests: Mapping[str, int]) -> dict[str, int]:
    if ratio > 1.0:
        return dict.fromkeys(groups.missing | groups.unready, 0)
    if ratio == 1.0:
        return {}
    if metric.target is Target.AVERAGE_VALUE:
        return dict.fromkeys(groups.missing, metric.wanted)
    return {pod: requests[pod] * max(100, metric.wanted) // 100 for pod in groups.missing}


def _recalculated(before: float, ratio: float | None, pods: int, current: int, spec: Spec) -> int:
    """The size with all pods counted; what was filled in may weaken a change, but not turn it round."""
    assert ratio is not None, "it could be calculated with fewer pods"
    if spec.tolerates(ratio) or before < 1.0 < ratio or ratio < 1.0 < before:
        return current
    size = math.ceil(ratio * pods)
    return max(size, current) if ratio > 1.0 else min(size, current)
