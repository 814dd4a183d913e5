"""Defects of how a region is scaled with its load."""

import math
from dataclasses import replace

from reference_system.defects.defect import Defect
from reference_system.policies.autoscaling.horizontal import Decision
from reference_system.policies.autoscaling.memory import State
from reference_system.policies.autoscaling.observation import Observation
from reference_system.policies.autoscaling.spec import Behavior, Policy, PolicyType, Rules, Spec
from reference_system.policies.autoscaling.timeline_api import IN_SMALL
from reference_system.services.autoscaler import Scaling, as_kubernetes_does
from reference_system.services.exchange import Observations
from reference_system.services.parts import ControllerParts

AT_ONCE = Rules(stabilization_window_s=0, policies=(Policy(type=PolicyType.PERCENT, value=1000, period_s=1),))
A_TENTH = 0.1
assert IN_SMALL.behavior is not None
USUAL: Behavior = IN_SMALL.behavior


def _scaled(parts: ControllerParts, how: Scaling) -> ControllerParts:
    return replace(parts, scaling=how)


def _with(behavior: Behavior) -> Scaling:
    return Scaling(spec=replace(IN_SMALL, behavior=behavior))


def _one_pod_less(state: State, seen: Observation, now_s: float, spec: Spec) -> tuple[State, Decision]:
    """What the load needs, rounded down."""
    after, decision = as_kubernetes_does(state, seen, now_s, spec)
    if decision.replicas <= seen.replicas:
        return after, decision
    return after, replace(decision, replicas=decision.replicas - 1)


def _rest_kept(state: State, seen: Observation, now_s: float, spec: Spec) -> tuple[State, Decision]:
    """Of the tenth by which pods go, a part of a pod stays a whole one."""
    after, decision = as_kubernetes_does(state, seen, now_s, spec)
    least = math.ceil(seen.replicas * (1 - A_TENTH))
    if decision.replicas >= least:
        return after, decision
    removed = after.removed if least < seen.replicas else state.removed
    return replace(after, removed=removed), replace(decision, replicas=least)


def _admitted(observations: Observations) -> float:
    """What was answered within the window of five seconds, and not what arrived."""
    return (observations.ok + observations.error) / 5.0


DEFECTS: dict[str, Defect] = {
    "shrinks_at_once": Defect(
        breaks="Pods go after twenty quiet seconds, a tenth at a time; with this all of them after one quiet second.",
        controller=lambda parts: _scaled(parts, _with(replace(USUAL, scale_down=AT_ONCE))),
    ),
    "grows_without_limit": Defect(
        breaks="A region grows by half or two pods in four seconds; with this by as many as it likes.",
        controller=lambda parts: _scaled(parts, _with(replace(USUAL, scale_up=AT_ONCE))),
    ),
    "rounds_pods_down": Defect(
        breaks="A load that needs seven and a half pods gets eight; with this it gets seven.",
        controller=lambda parts: _scaled(parts, Scaling(decide=_one_pod_less)),
    ),
    "keeps_the_last_part_of_a_pod": Defect(
        breaks="A tenth of nine pods is one that goes; with this it is none, and the region never gives any back.",
        controller=lambda parts: _scaled(parts, Scaling(decide=_rest_kept)),
    ),
    "fewer_pods_than_allowed": Defect(
        breaks="A region has five pods even where its load needs four; with this it has four.",
        controller=lambda parts: _scaled(parts, Scaling(spec=replace(IN_SMALL, min_replicas=1))),
    ),
    "scales_by_admitted_load": Defect(
        breaks="A region is scaled by all that arrives; with this only by what was not shed.",
        controller=lambda parts: _scaled(parts, Scaling(load=_admitted)),
    ),
}
