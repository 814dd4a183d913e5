"""What types alone cannot say of an autoscaler: figures that Kubernetes would refuse, or that its scale cannot divide.

Limits are those that Kubernetes' API holds `autoscaling/v2` to (pkg/apis/autoscaling/validation).
"""

import math
from collections.abc import Iterator

from harness.experiment.expectations.autoscaler import Autoscaler, MetricType, PolicyType, ScalingRules, SelectPolicy
from harness.experiment.expectations.scaling import ScalingCheck
from harness.experiment.experiment import Experiment
from harness.loading.crosscheck_regions import Mistake
from harness.loading.mistakes import did_you_mean, shortened
from harness.loading.yaml_file import Where
from harness.target.target import TargetSpec

LONGEST_STABILIZATION_S = 3600.0
LONGEST_PERIOD_S = 1800.0
CONTROLLER = "controller"  # the role of the services whose metrics tell of an autoscaler


def scaling_figures(check: ScalingCheck, where: Where, experiment: Experiment, target: TargetSpec) -> Iterator[Mistake]:
    inside: Where = (*where, "autoscaler")
    yield from _scale(check.autoscaler, inside)
    yield from _metrics(check.autoscaler, inside)
    for key in ("scale_up", "scale_down"):
        yield from _rules(getattr(check.autoscaler, key), (*inside, key), replica_scale=check.autoscaler.replica_scale)
    known = [metric.name for metric in check.autoscaler.metrics]
    if check.load_metric is not None and check.load_metric not in known:
        sentence = f"{shortened(check.load_metric)} is not a metric of the autoscaler."
        yield (*where, "load_metric"), sentence, did_you_mean(check.load_metric, known)
    if check.max_flaps is not None and check.max_flaps < 0:
        yield (*where, "max_flaps"), f"{check.max_flaps} is negative.", ""
    if not any(service.role == CONTROLLER and service.metrics for service in target.services.values()):
        yield where, f"{target.name} has no controller with metrics, so nobody tells what was decided.", ""


def _scale(hpa: Autoscaler, where: Where) -> Iterator[Mistake]:
    if not 1 <= hpa.min_replicas <= hpa.max_replicas:
        yield where, f"min_replicas {hpa.min_replicas} is not between 1 and max_replicas {hpa.max_replicas}.", ""
    if not (hpa.time_scale > 0 and math.isfinite(hpa.time_scale)):
        yield (*where, "time_scale"), f"{hpa.time_scale:g} is not above 0.", ""
    if hpa.replica_scale < 1:
        yield (*where, "replica_scale"), f"{hpa.replica_scale} is not at least 1.", ""
        return
    for key in ("min_replicas", "max_replicas"):
        yield from _divided(getattr(hpa, key), (*where, key), hpa.replica_scale)
    for key in ("sync_period", "metric_window"):
        if getattr(hpa, key) <= 0:
            yield (*where, key), "is 0s.", ""


def _divided(replicas: int, where: Where, replica_scale: int) -> Iterator[Mistake]:
    if replicas % replica_scale:
        yield where, f"{replicas} cannot be divided by replica_scale {replica_scale}.", "There are only whole replicas."


def _metrics(hpa: Autoscaler, where: Where) -> Iterator[Mistake]:
    if not hpa.metrics:
        yield (*where, "metrics"), "is empty, so nothing would be scaled by.", ""
    names = [metric.name for metric in hpa.metrics]
    for number, metric in enumerate(hpa.metrics):
        place: Where = (*where, "metrics", number)
        if metric.name in names[:number]:
            yield (*place, "name"), f"{shortened(metric.name)} is there twice.", ""
        for key in ("target", "resolution"):
            if not (getattr(metric, key) > 0 and math.isfinite(getattr(metric, key))):
                yield (*place, key), f"{getattr(metric, key):g} is not above 0.", ""
        if metric.type is MetricType.PODS and metric.target < metric.resolution:
            yield (*place, "target"), f"{metric.target:g} is less than its resolution, {metric.resolution:g}.", ""
        if metric.type is MetricType.RESOURCE and metric.target != int(metric.target):
            yield (*place, "target"), f"{metric.target:g} is not whole percent.", ""


def _rules(rules: ScalingRules, where: Where, *, replica_scale: int) -> Iterator[Mistake]:
    if rules.stabilization > LONGEST_STABILIZATION_S:
        sentence = f"{rules.stabilization} is above {LONGEST_STABILIZATION_S:g}s, the most that Kubernetes allows."
        yield (*where, "stabilization"), sentence, ""
    if not rules.policies and rules.select is not SelectPolicy.DISABLED:
        yield (*where, "policies"), "is empty, so nothing says how fast it may scale.", "Or write select: disabled."
    for number, policy in enumerate(rules.policies):
        place: Where = (*where, "policies", number)
        if policy.value < 1:
            yield (*place, "value"), f"{policy.value} is not at least 1.", ""
        elif policy.type is PolicyType.PODS and replica_scale >= 1:
            yield from _divided(policy.value, (*place, "value"), replica_scale)
        if not 1 <= policy.period <= LONGEST_PERIOD_S:
            sentence = f"{policy.period} is not between 1s and {LONGEST_PERIOD_S:g}s, as Kubernetes wants it."
            yield (*place, "period"), sentence, "Times here are those of the unscaled system; see time_scale."
