"""What a spec may say, the timeline API's in a smaller world, and as a manifest."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from reference_system.policies.autoscaling.observation import milli
from reference_system.policies.autoscaling.scale import scaled
from reference_system.policies.autoscaling.spec import (
    DEFAULT_SCALE_UP,
    Behavior,
    Flags,
    Metric,
    Policy,
    PolicyType,
    Rules,
    Select,
    Source,
    Spec,
    Target,
)
from reference_system.policies.autoscaling.timeline_api import TIMELINE_API
from tests.reference_system.policies.autoscaled import ASKED, cpu

MANIFEST = Path(__file__).parents[3] / "reference_system" / "kubernetes" / "timeline-api-hpa.yaml"


def policy(value: int = 1, period_s: int = 60) -> Policy:
    return Policy(type=PolicyType.PODS, value=value, period_s=period_s)


def rules(window_s: int = 0, tolerance: float | None = None) -> Rules:
    return Rules(stabilization_window_s=window_s, policies=(policy(),), tolerance=tolerance)


@pytest.mark.parametrize(
    ("build", "why"),
    [
        (lambda: policy(period_s=0), "1 to 1800 s"),
        (lambda: policy(period_s=1801), "1 to 1800 s"),
        (lambda: policy(value=0), "greater than 0"),
        (lambda: rules(window_s=-1), "0 to 3600 s"),
        (lambda: rules(window_s=3601), "0 to 3600 s"),
        (lambda: rules(tolerance=-0.1), "not negative"),
        (lambda: Rules(stabilization_window_s=0, policies=()), "at least one policy"),
        (lambda: cpu(0), "greater than 0"),
        (lambda: Metric(source=Source.PODS, name="rps", target=Target.VALUE, wanted=1), "is one of AverageValue"),
        (
            lambda: Metric(source=Source.RESOURCE, name="cpu", target=Target.VALUE, wanted=1),
            "AverageValue, Utilization",
        ),
        (lambda: Metric(source=Source.OBJECT, name="q", target=Target.UTILIZATION, wanted=1), "AverageValue, Value"),
        (lambda: Flags(tolerance=-0.1), "not negative"),
        (lambda: Flags(sync_period_s=0), "greater than 0"),
        (lambda: Spec(min_replicas=0, max_replicas=9, metrics=(cpu(50),)), "min_replicas is 0, must be at least 1"),
        (lambda: Spec(min_replicas=-1, max_replicas=9, metrics=(ASKED,)), "min_replicas is -1, must be at least 0"),
        (lambda: Spec(min_replicas=0, max_replicas=0, metrics=(ASKED,)), "max_replicas is 0, must be at least 1"),
        (lambda: Spec(min_replicas=5, max_replicas=4, metrics=(cpu(50),)), "at most max_replicas, 4"),
        (lambda: Spec(max_replicas=4, metrics=()), "at least one metric"),
    ],
)
def test_what_kubernetes_refuses_is_refused(build: Callable[[], object], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        build()


def test_what_is_just_allowed() -> None:
    assert policy(period_s=1).period_s == 1
    assert policy(period_s=1800).period_s == 1800
    assert rules(window_s=3600, tolerance=0.0).stabilization_window_s == 3600
    assert Spec(min_replicas=0, max_replicas=1, metrics=(cpu(50), ASKED)).min_replicas == 0
    assert Spec(min_replicas=4, max_replicas=4, metrics=(cpu(50),)).max_replicas == 4


def test_a_smaller_world_is_smaller_in_size_and_time_and_otherwise_the_same() -> None:
    assert scaled(TIMELINE_API, time=20, replicas=25) == Spec(
        min_replicas=2,
        max_replicas=20,
        metrics=TIMELINE_API.metrics,
        behavior=Behavior(
            scale_up=Rules(
                stabilization_window_s=3,
                policies=(
                    Policy(type=PolicyType.PERCENT, value=50, period_s=3),
                    Policy(type=PolicyType.PODS, value=1, period_s=3),  # 0.8, rounded up
                ),
                select=Select.MAX,
            ),
            scale_down=Rules(
                stabilization_window_s=15,
                policies=(Policy(type=PolicyType.PERCENT, value=10, period_s=6),),
                select=Select.MIN,
            ),
        ),
        flags=Flags(
            sync_period_s=0.75,
            downscale_stabilization_s=15.0,
            cpu_initialization_period_s=15.0,
            initial_readiness_delay_s=1.5,
        ),
    )


def test_a_world_of_the_same_size_is_the_same() -> None:
    assert scaled(TIMELINE_API, time=1, replicas=1) == TIMELINE_API


def test_in_time_and_in_size_it_is_scaled_separately() -> None:
    fewer, faster = scaled(TIMELINE_API, time=1, replicas=10), scaled(TIMELINE_API, time=60, replicas=1)

    assert (fewer.min_replicas, fewer.max_replicas, fewer.flags) == (5, 50, TIMELINE_API.flags)
    assert (faster.min_replicas, faster.max_replicas, faster.flags.sync_period_s) == (50, 500, 0.25)


def test_tolerances_are_relative_and_no_replicas_stay_none() -> None:
    tolerant = Behavior(scale_up=replace(DEFAULT_SCALE_UP, tolerance=0.05))
    small = scaled(Spec(min_replicas=0, max_replicas=9, metrics=(ASKED,), behavior=tolerant), time=5, replicas=2)

    assert small.behavior is not None
    assert small.behavior.scale_up.tolerance == 0.05
    assert (small.min_replicas, small.max_replicas) == (0, 5)


@pytest.mark.parametrize(
    ("time", "replicas", "why"),
    [
        (0, 1, "must be at least 1"),
        (1, 0, "must be at least 1"),
        (7, 1, "60 s would not be a whole number"),
        (120, 1, "60 s would not be a whole number"),
        (1, 500, "min and max would both be 1"),
    ],
)
def test_a_world_that_cannot_be_drawn_faithfully_is_refused(time: int, replicas: int, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        scaled(TIMELINE_API, time=time, replicas=replicas)


def test_without_behavior_the_limits_cannot_be_scaled() -> None:
    with pytest.raises(ValueError, match="without `behavior`"):
        scaled(replace(TIMELINE_API, behavior=None), time=10, replicas=10)


def spec_of(manifest: dict[str, Any]) -> Spec:
    """Every field of the manifest's spec, each taken out as it is read: what nobody reads is a mistake in it."""
    spec = manifest["spec"]
    read = Spec(
        min_replicas=spec.pop("minReplicas"),
        max_replicas=spec.pop("maxReplicas"),
        metrics=tuple(metric_of(metric) for metric in spec.pop("metrics")),
        behavior=Behavior(
            scale_up=rules_of(spec["behavior"].pop("scaleUp")), scale_down=rules_of(spec["behavior"].pop("scaleDown"))
        ),
    )
    assert spec.pop("behavior") == {}
    assert spec.pop("scaleTargetRef") == {"apiVersion": "apps/v1", "kind": "Deployment", "name": "timeline-api"}
    assert spec == {}
    return read


def metric_of(metric: dict[str, Any]) -> Metric:
    source = Source(metric.pop("type"))
    details = metric.pop(source.lower())
    name = details.pop("name") if source is Source.RESOURCE else details.pop("metric")["name"]
    target = details.pop("target")
    kind = Target(target.pop("type"))
    is_percentage = kind is Target.UTILIZATION
    wanted = target.pop("averageUtilization") if is_percentage else milli(float(target.pop("averageValue")))
    assert metric == details == target == {}
    return Metric(source=source, name=name, target=kind, wanted=wanted)


def rules_of(rules: dict[str, Any]) -> Rules:
    read = Rules(
        stabilization_window_s=rules.pop("stabilizationWindowSeconds"),
        policies=tuple(policy_of(policy) for policy in rules.pop("policies")),
        select=Select(rules.pop("selectPolicy")),
    )
    assert rules == {}
    return read


def policy_of(policy: dict[str, Any]) -> Policy:
    read = Policy(type=PolicyType(policy.pop("type")), value=policy.pop("value"), period_s=policy.pop("periodSeconds"))
    assert policy == {}
    return read


def test_the_manifest_says_what_the_policy_does() -> None:
    manifest = yaml.safe_load(MANIFEST.read_text())

    assert (manifest.pop("apiVersion"), manifest.pop("kind")) == ("autoscaling/v2", "HorizontalPodAutoscaler")
    assert manifest.pop("metadata") == {"name": "timeline-api"}
    assert spec_of(manifest) == TIMELINE_API
    assert manifest == {"spec": {}}


def test_the_figures_are_the_specifications() -> None:
    wanted = {metric.name: metric.wanted for metric in TIMELINE_API.metrics}

    assert (TIMELINE_API.min_replicas, TIMELINE_API.max_replicas) == (50, 500)
    assert wanted == {"cpu": 65, "requests_per_second": 1500 * 1000, "response_time_p99_ms": 200 * 1000}
