"""A HorizontalPodAutoscaler as a file configures it, with Kubernetes' words."""

from enum import StrEnum

from harness.experiment.strict import Strict
from harness.units import Ratio, Seconds


class MetricType(StrEnum):
    """resource: utilisation in percent of what a pod requests, the same for each pod. pods: an average per pod."""

    RESOURCE = "resource"
    PODS = "pods"


class ScalingMetric(Strict, frozen=True, kw_only=True):
    """What the autoscaler holds at `target`. Averages per pod are truncated to multiples of `resolution` (Kubernetes
    counts in thousandths), utilisation to whole percent."""

    name: str
    type: MetricType
    target: float
    resolution: float = 0.001


class PolicyType(StrEnum):
    PODS = "pods"
    PERCENT = "percent"


class ScalingPolicy(Strict, frozen=True, kw_only=True):
    """At most `value` pods, or percent of them, within `period`."""

    type: PolicyType
    value: int
    period: Seconds


class SelectPolicy(StrEnum):
    """Of several policies the one with most change, with least, or no change at all."""

    MAX = "max"
    MIN = "min"
    DISABLED = "disabled"


class ScalingRules(Strict, frozen=True, kw_only=True):
    """One direction of an autoscaler's `behavior`."""

    stabilization: Seconds
    policies: tuple[ScalingPolicy, ...]
    select: SelectPolicy = SelectPolicy.MAX


class Autoscaler(Strict, frozen=True, kw_only=True):
    """A HorizontalPodAutoscaler (`autoscaling/v2`) as it is configured.

    A system that was scaled down may say so once: all times are divided by `time_scale`, `min_replicas`,
    `max_replicas` and policies in pods by `replica_scale`. Targets are not scaled. `metric_window` is the time over
    which pods measure what they are asked for.
    """

    min_replicas: int = 50
    max_replicas: int = 500
    metrics: tuple[ScalingMetric, ...] = (
        ScalingMetric(name="cpu_utilization", type=MetricType.RESOURCE, target=65.0),
        ScalingMetric(name="requests_per_second", type=MetricType.PODS, target=1500.0),
        ScalingMetric(name="response_time_p99_ms", type=MetricType.PODS, target=200.0),
    )
    tolerance: Ratio = Ratio(0.1)
    scale_up: ScalingRules = ScalingRules(
        stabilization=Seconds(60.0),
        policies=(
            ScalingPolicy(type=PolicyType.PERCENT, value=50, period=Seconds(60.0)),
            ScalingPolicy(type=PolicyType.PODS, value=20, period=Seconds(60.0)),
        ),
    )
    scale_down: ScalingRules = ScalingRules(
        stabilization=Seconds(300.0),
        policies=(ScalingPolicy(type=PolicyType.PERCENT, value=10, period=Seconds(120.0)),),
        select=SelectPolicy.MIN,
    )
    sync_period: Seconds = Seconds(15.0)
    metric_window: Seconds = Seconds(15.0)
    time_scale: float = 1.0
    replica_scale: int = 1
