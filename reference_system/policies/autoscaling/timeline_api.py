"""How the timeline API is scaled: the figures of the specification, section 3.

The same figures as Kubernetes reads them: `reference_system/kubernetes/timeline-api-hpa.yaml`. A test compares the two.
"""

from dataclasses import replace

from reference_system.policies.autoscaling.scale import scaled
from reference_system.policies.autoscaling.spec import (
    Behavior,
    Metric,
    Policy,
    PolicyType,
    Rules,
    Select,
    Source,
    Spec,
    Target,
)

TIMELINE_API = Spec(
    min_replicas=50,
    max_replicas=500,
    metrics=(
        Metric(source=Source.RESOURCE, name="cpu", target=Target.UTILIZATION, wanted=65),
        Metric(source=Source.PODS, name="requests_per_second", target=Target.AVERAGE_VALUE, wanted=1500_000),
        Metric(source=Source.PODS, name="response_time_p99_ms", target=Target.AVERAGE_VALUE, wanted=200_000),
    ),
    behavior=Behavior(
        scale_up=Rules(
            stabilization_window_s=60,
            policies=(
                Policy(type=PolicyType.PERCENT, value=50, period_s=60),
                Policy(type=PolicyType.PODS, value=20, period_s=60),
            ),
            select=Select.MAX,
        ),
        scale_down=Rules(
            stabilization_window_s=300,
            policies=(Policy(type=PolicyType.PERCENT, value=10, period_s=120),),
            select=Select.MIN,
        ),
    ),
)

# The same on a laptop. A pod has one slot and is planned for 100/3 requests a second, which stand for the 2,000 of a
# server in the specification; so the target of 1,500 is 25.
TIME_SCALE, REPLICA_SCALE, REQUEST_SCALE = 15, 10, 60
_SMALLER = scaled(TIMELINE_API, time=TIME_SCALE, replicas=REPLICA_SCALE)
IN_SMALL = replace(
    _SMALLER,
    metrics=tuple(
        replace(metric, wanted=metric.wanted // REQUEST_SCALE) if metric.name == "requests_per_second" else metric
        for metric in _SMALLER.metrics
    ),
)
assert IN_SMALL.flags.sync_period_s == 1.0  # as often as the controller decides on the level
