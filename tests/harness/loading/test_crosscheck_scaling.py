"""An autoscaler is one that Kubernetes would take."""

from pathlib import Path

import pytest

from harness.loader import load_experiment
from tests.harness.loading.an_experiment import SMALL, TARGET, Written, error_of


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("autoscaler: {min_replicas: 0}", "$.expect[0].autoscaler: min_replicas 0 is not between 1 and max_replicas"),
        ("autoscaler: {min_replicas: 501}", "min_replicas 501 is not between 1 and max_replicas 500"),
        ("autoscaler: {time_scale: 0}", "$.expect[0].autoscaler.time_scale: 0 is not above 0"),
        ("autoscaler: {replica_scale: 0}", "$.expect[0].autoscaler.replica_scale: 0 is not at least 1"),
        ("autoscaler: {replica_scale: 20}", "$.expect[0].autoscaler.min_replicas: 50 cannot be divided by"),
        ("autoscaler: {replica_scale: 25}", "scale_up.policies[1].value: 20 cannot be divided by replica_scale 25"),
        ("autoscaler: {sync_period: 0s}", "$.expect[0].autoscaler.sync_period: is 0s"),
        ("autoscaler: {metrics: []}, load_metric: null", "$.expect[0].autoscaler.metrics: is empty"),
        ("autoscaler: {scale_up: {stabilization: 2h, policies: []}}", "7200s is above 3600s"),
        ("autoscaler: {scale_up: {stabilization: 0s, policies: []}}", "scale_up.policies: is empty"),
        (
            "autoscaler: {scale_down: {stabilization: 0s, policies: [{type: pods, value: 0, period: 15s}]}}",
            "0 is not at",
        ),
        ("autoscaler: {scale_down: {stabilization: 0s, policies: [{type: pods, value: 1, period: 1h}]}}", "1800s"),
        ("load_metric: request_per_second", 'Did you mean "requests_per_second"?'),
        ("max_flaps: -1", "$.expect[0].max_flaps: -1 is negative"),
    ],
)
def test_an_autoscaler_that_kubernetes_would_refuse_is_refused(written: Written, words: str, sentence: str) -> None:
    assert load_experiment(written(SMALL.replace("slo, p99: 150ms", "scaling"))).experiment.expect
    assert sentence in error_of(written(SMALL.replace("slo, p99: 150ms", f"scaling, {words}")))


@pytest.mark.parametrize(
    ("metric", "sentence"),
    [
        ("{name: cpu, type: resource, target: 65.5}", "$.expect[0].autoscaler.metrics[0].target: 65.5 is not whole"),
        ("{name: cpu, type: pods, target: 0}", "metrics[0].target: 0 is not above 0"),
        ("{name: cpu, type: pods, target: 2, resolution: 5}", "2 is less than its resolution, 5"),
        ("{name: cpu, type: pod, target: 2}", 'Did you mean "pods"?'),
        ("{name: a, type: pods, target: 2}, {name: a, type: pods, target: 3}", 'metrics[1].name: "a" is there twice'),
    ],
)
def test_a_metric_that_nothing_can_be_scaled_by_is_refused(written: Written, metric: str, sentence: str) -> None:
    check = f"scaling, load_metric: null, autoscaler: {{metrics: [{metric}]}}"

    assert sentence in error_of(written(SMALL.replace("slo, p99: 150ms", check)))


def test_scaling_needs_a_controller_that_tells_of_it(project: Path, written: Written) -> None:
    target = project / "reference_system" / "target.yaml"
    target.write_text(TARGET.replace("role: controller", "role: worker"))

    assert "has no controller with metrics" in error_of(written(SMALL.replace("slo, p99: 150ms", "scaling")))
