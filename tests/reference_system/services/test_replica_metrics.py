"""What boards and alerts are told of answers, before there are any and after."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from prometheus_client import CollectorRegistry

from reference_system.policies.alerting import RULES, Input
from reference_system.policies.degradation import LADDER
from reference_system.services.answers import NO_REGION, POOL_BUSY, SHED, STORAGE_DOWN, Answer
from reference_system.services.operations import A_PATH, Operation
from reference_system.services.outcomes import HANDLED, Outcome
from reference_system.services.replica_metrics import BUCKETS_S, ReplicaMetrics
from tests.reference_system.services.calls import a_call
from tests.reference_system.services.test_replica import Bench, at_once

ANSWERS = {
    "an answer": (Answer(), True),
    "an error": (STORAGE_DOWN, True),
    "shed for overload": (SHED, False),
    "shed by the pool": (POOL_BUSY, False),
    "a feature that is off": (Answer(status=503, disabled="new_tweets"), False),
    "another region's": (NO_REGION, False),
}


@pytest.mark.parametrize(("answer", "counts"), ANSWERS.values(), ids=ANSWERS)
def test_the_durations_are_of_those_answers_that_the_latency_alert_is_about(answer: Answer, counts: bool) -> None:
    bench, call = Bench(at_once), a_call("GET", "/timeline/home")

    bench.replica.ended(call, answer, call.arrived_s + 0.25)

    shown = bench.registry.get_sample_value("http_request_duration_seconds_count", {"operation": "home"})
    assert shown == counts
    assert len(bench.replica.served_lately(5.0, call.arrived_s + 1.0).latencies_ms) == counts


def test_no_bucket_reaches_across_a_bound_of_latency() -> None:
    bounds_ms = {rule.bound for rule in RULES if rule.input is Input.LATENCY_P99_MS}
    bounds_ms |= {bounds.latency_p99_ms for bounds in LADDER.values()}

    assert {bound_ms / 1000 for bound_ms in bounds_ms} <= set(BUCKETS_S)


def test_answers_and_errors_are_shown_before_the_first_one() -> None:
    registry = CollectorRegistry()

    ReplicaMetrics(registry)

    assert {(labels["operation"], labels["outcome"]) for labels in _requests_in(registry)} == {
        (operation, outcome) for operation in A_PATH for outcome in HANDLED
    }


@pytest.mark.parametrize("operation", A_PATH)
def test_the_first_error_raises_what_was_shown_already(operation: Operation) -> None:
    registry = CollectorRegistry()
    metrics = ReplicaMetrics(registry)
    before = _requests_in(registry)
    call = replace(a_call("GET", A_PATH[operation]), operation=operation)

    metrics.count(call, Outcome.ERROR)

    assert _requests_in(registry) == before
    labels = {"operation": operation, "outcome": "error", "priority": str(call.priority)}
    assert registry.get_sample_value("http_requests_total", labels) == 1


def _requests_in(registry: CollectorRegistry) -> list[Mapping[str, str]]:
    return [
        sample.labels
        for metric in registry.collect()
        for sample in metric.samples
        if sample.name == "http_requests_total"
    ]
