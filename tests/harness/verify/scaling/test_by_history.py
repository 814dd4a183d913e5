"""The autoscaler of the harness against the slow one, on random histories of random configurations."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from harness.experiment.expectations.autoscaler import (
    Autoscaler,
    MetricType,
    PolicyType,
    ScalingMetric,
    ScalingPolicy,
    ScalingRules,
    SelectPolicy,
)
from harness.units import Ratio, Seconds
from harness.verify.scaling import hpa as rules
from harness.verify.scaling.hpa import Decision, Lean
from harness.verify.scaling.prediction import predictions
from harness.verify.scaling.trace import Sync
from tests.harness.verify.scaling.a_scaled_system import sync_of
from tests.harness.verify.scaling.by_history import Past, Pod, decided

PERIOD_S = 15.0


def _rules(chance: random.Random, *, up: bool) -> ScalingRules:
    policies = tuple(
        ScalingPolicy(
            type=chance.choice(list(PolicyType)),
            value=chance.choice([1, 2, 4, 10, 30, 55, 100]),
            period=Seconds(PERIOD_S * chance.randint(1, 6)),
        )
        for _ in range(chance.randint(1, 3))
    )
    select = chance.choices(list(SelectPolicy), weights=[5, 5, 1])[0]
    window = chance.choice([0, 0, 1, 2, 4] if up else [0, 1, 4, 10])
    return ScalingRules(stabilization=Seconds(PERIOD_S * window), policies=policies, select=select)


def _autoscaler(chance: random.Random) -> Autoscaler:
    metrics = (
        ScalingMetric(name="cpu", type=MetricType.RESOURCE, target=chance.choice([50.0, 65.0, 120.0])),
        ScalingMetric(name="rate", type=MetricType.PODS, target=chance.choice([15.0, 1500.0])),
    )
    return Autoscaler(
        min_replicas=chance.randint(1, 5),
        max_replicas=chance.randint(8, 25),
        metrics=metrics[: chance.randint(1, 2)],
        tolerance=Ratio(chance.choice([0.0, 0.1, 0.1, 0.3])),
        scale_up=_rules(chance, up=True),
        scale_down=_rules(chance, up=False),
        sync_period=Seconds(PERIOD_S),
    )


def _pods(chance: random.Random, hpa: Autoscaler, size: int, *, silent: bool) -> list[Pod]:
    """Under a load of which nobody knows where it comes from."""
    level = chance.choice([0.2, 0.7, 0.95, 1.0, 1.05, 1.1, 1.4, 3.0])
    pods = []
    for _ in range(max(0, size + chance.randint(-1, 1) if silent else size)):
        use = {
            metric.name: round(metric.target / rules.resolution_of(metric) * level * chance.uniform(0.9, 1.1))
            for metric in hpa.metrics
            if not (silent and chance.random() < 0.15)
        }
        pods.append(Pod(use=use, ready=not (silent and chance.random() < 0.15)))
    return pods


def _histories(chance: random.Random, count: int, *, silent: bool) -> Iterator[tuple[Autoscaler, list[Past]]]:
    for _ in range(count):
        hpa = _autoscaler(chance)
        history: list[Past] = []
        size = chance.randint(hpa.min_replicas, hpa.max_replicas)
        if chance.random() < 0.05:
            size = chance.choice([0, hpa.max_replicas + 5, max(0, hpa.min_replicas - 1)])
        for number in range(chance.randint(2, 12)):
            blind = frozenset(metric.name for metric in hpa.metrics if silent and chance.random() < 0.1)
            now = Past(at_s=number * PERIOD_S, size=size, pods=_pods(chance, hpa, size, silent=silent), blind=blind)
            size = decided(hpa, history, now)
            history.append(replace(now, decided=size))
        yield hpa, history


def _exactly(hpa: Autoscaler, history: Sequence[Past], lean: Lean) -> list[Decision]:
    """Followed without any doubt about instants."""
    memory, found = None, []
    for number, past in enumerate(history):
        seen = sync_of(hpa, number + 1, past).seen
        memory = rules.fresh(seen) if memory is None else memory
        decision = rules.decide(hpa, memory, seen, lean)
        memory = rules.remember(memory, seen, proposed=decision.proposed, change=past.decided - past.size)
        found.append(decision)
    return found


@pytest.mark.slow
def test_both_decide_the_same_of_thousands_of_histories() -> None:
    chance = random.Random(20261122)
    decisions = changes = 0

    for hpa, history in _histories(chance, 1200, silent=False):
        found = [decision.desired for decision in _exactly(hpa, history, Lean.LEAST)]

        assert found == [past.decided for past in history], (hpa, history)
        decisions += len(history)
        changes += sum(past.decided != past.size for past in history)

    assert decisions > 7_000
    assert changes > 1_500


@pytest.mark.slow
def test_with_silent_pods_the_truth_lies_between_both_leans() -> None:
    chance = random.Random(11)
    exact = decisions = 0

    for hpa, history in _histories(chance, 600, silent=True):
        syncs = [sync_of(hpa, number + 1, past) for number, past in enumerate(history)]
        found = predictions(hpa, syncs)

        assert [each.off for each in found] == [0] * len(history), (hpa, history)
        decisions += len(found)
        exact += sum(each.least.desired == each.most.desired for each in found)

    assert exact > 0.9 * decisions


@pytest.mark.slow
def test_what_scrapes_miss_and_blur_makes_no_right_decision_wrong() -> None:
    chance = random.Random(12)
    narrow = decisions = 0

    for hpa, history in _histories(chance, 600, silent=True):
        found = predictions(hpa, list(_scraped(chance, hpa, history)))

        assert all(each.off == 0 for each in found), (hpa, history)
        decisions += len(found)
        narrow += sum(each.most.desired - each.least.desired <= 1 for each in found)

    assert narrow > 0.6 * decisions


def _scraped(chance: random.Random, hpa: Autoscaler, history: Sequence[Past]) -> Iterator[Sync]:
    """Every tenth sync is not caught, the others are seen late; the first ones may be from before the record."""
    begins = chance.choice([0, 0, 3])
    for number, past in enumerate(history):
        late_s = chance.uniform(0.0, 5.0)
        if number >= begins and chance.random() > 0.1:
            yield sync_of(hpa, number + 1, past, at_s=past.at_s + late_s, error_s=chance.uniform(late_s, 5.0))
