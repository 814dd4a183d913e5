"""How many replicas there should be, as Kubernetes' HorizontalPodAutoscaler `autoscaling/v2` decides it.

Each metric proposes a size and the largest proposal wins; the past may hold it back (`limits`). The rules are those of
pkg/controller/podautoscaler, in modules that are called like its files where there is one: horizontal.go here. Knows no
clock and no cluster: callers observe, and act on the decision. The specification's figures are in `timeline_api`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from reference_system.policies.autoscaling import limits
from reference_system.policies.autoscaling.memory import Record, State, with_record
from reference_system.policies.autoscaling.observation import Observation
from reference_system.policies.autoscaling.replica_calculator import proposal
from reference_system.policies.autoscaling.spec import Spec


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """How many replicas from now on, and how that was found.

    `proposals` are in the order of the metrics, None for one that could not be read. `recommended` is the largest of
    them, and `stabilized` is what its window made of it; both are None if the metrics were not asked, or too few could
    be read.
    """

    replicas: int
    proposals: tuple[int | None, ...] = ()
    recommended: int | None = None
    stabilized: int | None = None


def decide(state: State, seen: Observation, now_s: float, *, spec: Spec) -> tuple[State, Decision]:
    """One sync, at a time no earlier than the one before; the state assumes that the decision is acted on.

    `State()` is a controller that has just been started: it remembers the current size as its first recommendation, and
    so does not shrink the system before its scale-down window is over.
    """
    current = seen.replicas
    if not state.recommendations:
        state = replace(state, recommendations=(Record(at_s=now_s, replicas=current),))
    if current == 0 and spec.min_replicas > 0:
        return state, Decision(replicas=0)  # somebody has switched the system off, which also disables the autoscaler
    bounded = min(max(current, spec.min_replicas), spec.max_replicas)
    if bounded != current:
        return _resized(state, current, bounded, now_s, spec), Decision(replicas=bounded)
    proposals = tuple(proposal(metric, seen, now_s, spec=spec) for metric in spec.metrics)
    recommended = recommendation(proposals, current)
    if recommended is None:
        return state, Decision(replicas=current, proposals=proposals)
    stabilized = limits.stabilized(state, recommended, current, now_s, spec=spec)
    replicas = limits.limited(state, stabilized, current, now_s, spec=spec)
    record = Record(at_s=now_s, replicas=recommended)
    recommendations = with_record(state.recommendations, record, kept_s=limits.kept_s(spec))
    return (
        _resized(replace(state, recommendations=recommendations), current, replicas, now_s, spec),
        Decision(replicas=replicas, proposals=proposals, recommended=recommended, stabilized=stabilized),
    )


def recommendation(proposals: Sequence[int | None], current: int) -> int | None:
    """The largest proposal; None if there is none, or if one that is missing might have prevented a smaller size."""
    told = [size for size in proposals if size is not None]
    if not told or (len(told) < len(proposals) and max(told) < current):
        return None
    return max(told)


def _resized(state: State, current: int, replicas: int, now_s: float, spec: Spec) -> State:
    """Remembers by how much the size changes; without `behavior` nobody would ask."""
    if spec.behavior is None or replicas == current:
        return state
    record = Record(at_s=now_s, replicas=abs(replicas - current))
    if replicas > current:
        return replace(state, added=with_record(state.added, record, kept_s=spec.behavior.scale_up.longest_period_s))
    return replace(state, removed=with_record(state.removed, record, kept_s=spec.behavior.scale_down.longest_period_s))
