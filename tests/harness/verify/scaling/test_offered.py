"""Whether load that was shed is hidden from the autoscaler: runs in which a third is shed while the rate is high."""

from dataclasses import replace

import msgspec
import pytest

from harness.experiment.expectations.autoscaler import ScalingMetric
from harness.experiment.expectations.scaling import ScalingCheck
from harness.record.reader import Run
from harness.units import PerSecond
from harness.verify.scaling import offered
from harness.verify.scaling.hpa import scaled
from harness.verify.scaling.trace import traces_of
from harness.verify.verdict import Figure, Outcome
from tests.harness.verify.scaling.a_scaled_system import (
    ADMITTED,
    HPA,
    PLANNED,
    RATE,
    RIGHT_SYSTEM,
    over,
    recorded,
    shedding,
)

pytestmark = pytest.mark.slow  # simulates a run's requests

CHECK = ScalingCheck(autoscaler=HPA)
OF_ALL, OF_SHED = f"{RATE} of what arrived", f"{RATE} of what was shed"
BEGINS = "rate of a replica at which shedding begins"


def _figures(run: Run, check: ScalingCheck = CHECK) -> dict[str, Figure]:
    hpa = scaled(check.autoscaler)
    [trace] = traces_of(run, hpa)
    return {figure.name: figure for figure in offered.figures_of(run, check, hpa, trace)}


def test_what_was_shed_is_part_of_the_offered_load() -> None:
    found = _figures(shedding(recorded()))

    assert {name: figure.outcome for name, figure in found.items()} == dict.fromkeys(
        (BEGINS, OF_ALL, OF_SHED), Outcome.PASS
    )
    assert found[OF_ALL].value == pytest.approx(1.0, abs=0.02)
    assert found[OF_SHED].value == pytest.approx(1.0, abs=0.05)


def test_an_autoscaler_that_sees_only_what_is_admitted_is_found() -> None:
    found = _figures(shedding(recorded(ADMITTED)))

    assert found[OF_SHED].outcome is Outcome.FAIL
    assert found[OF_SHED].value == pytest.approx(0.0, abs=0.05)
    assert found[OF_SHED].reason == "the shedder hides load from the autoscaler"


@pytest.mark.parametrize(
    ("seen_per_s", "of_all", "of_shed", "why"),
    [
        (300.0, Outcome.PASS, Outcome.PASS, "all of it"),
        (260.0, Outcome.PASS, Outcome.INCONCLUSIVE, "six tenths of what was shed"),
        (130.0, Outcome.FAIL, Outcome.FAIL, "not even what was admitted"),
    ],
)
def test_half_of_it_is_a_doubt(seen_per_s: float, of_all: Outcome, of_shed: Outcome, why: str) -> None:
    system = replace(RIGHT_SYSTEM, rate=over((30.0, seen_per_s), (70.0, 100.0)))

    found = _figures(shedding(recorded(system)))

    assert (found[OF_ALL].outcome, found[OF_SHED].outcome) == (of_all, of_shed), why


def test_where_little_was_shed_nothing_could_be_hidden() -> None:
    found = _figures(shedding(recorded(), every=6))

    assert OF_SHED not in found
    assert found[OF_ALL].outcome is Outcome.PASS


def test_a_metric_that_is_too_small_without_any_shedding_is_found() -> None:
    found = _figures(recorded(replace(RIGHT_SYSTEM, rate=lambda at_s: 0.7 * over(*PLANNED)(at_s))))

    assert found[OF_ALL].outcome is Outcome.FAIL
    assert found[OF_ALL].value == pytest.approx(0.7, abs=0.02)
    assert found[OF_ALL].reason == "the autoscaler sees less load than arrives"


def test_requests_of_other_regions_are_not_this_one_s_load() -> None:
    run = recorded(replace(RIGHT_SYSTEM, rate=lambda at_s: 0.5 * over(*PLANNED)(at_s)))
    half = run.requests.index % 2 == 0
    elsewhere = run.requests["region_served"].astype(str).mask(half, "europe")

    found = _figures(replace(run, requests=run.requests.assign(region_served=elsewhere)))

    assert found[OF_ALL].value == pytest.approx(1.0, abs=0.02)


def test_what_pods_say_just_after_the_planned_rate_changed_does_not_count() -> None:
    def rate(at_s: float) -> float:
        return 0.0 if 30.0 <= at_s < 32.0 or 70.0 <= at_s < 72.0 else over(*PLANNED)(at_s)

    found = _figures(recorded(replace(RIGHT_SYSTEM, rate=rate)))

    assert found[OF_ALL].value == pytest.approx(1.0, abs=0.005)


def test_where_the_number_of_pods_changes_nothing_is_compared_for_a_while() -> None:
    run = recorded()
    brief = run.metrics["at_s"].between(60.0, 60.6) & (run.metrics["metric"] == "autoscaler_counted_pods")
    changed = replace(run, metrics=run.metrics.assign(value=run.metrics["value"] - brief))

    before, after = _figures(run)[OF_ALL], _figures(changed)[OF_ALL]

    assert after.samples == before.samples - 6  # two syncs of one pod less, and the next 2.25 s
    assert after.value == pytest.approx(1.0, abs=0.005)


def test_without_steady_syncs_nothing_is_known() -> None:
    run = recorded(replace(RIGHT_SYSTEM, starts_s=500.0))
    few = replace(run, metrics=run.metrics[run.metrics["at_s"].between(30.0, 34.0)])

    found = _figures(few)

    assert found[OF_ALL].outcome is Outcome.INCONCLUSIVE
    assert "fewer than 5 syncs in steady load" in found[OF_ALL].reason


def test_a_shedder_that_begins_within_the_target_s_tolerance_is_found() -> None:
    """The system sheds from 100/s of a replica on."""
    metrics = tuple(
        msgspec.structs.replace(metric, target=95.0) if metric.name == RATE else metric for metric in HPA.metrics
    )
    late = msgspec.structs.replace(CHECK, autoscaler=msgspec.structs.replace(HPA, metrics=metrics))

    found = _figures(recorded(), late)[BEGINS]

    assert (found.outcome, found.value, found.accept) == (Outcome.FAIL, 100.0, "above 105 /s")


def test_without_a_shedder_or_a_load_metric_nothing_is_asked() -> None:
    run = recorded()
    promises = msgspec.structs.replace(run.plan.target.promises, shedding=None)
    target = msgspec.structs.replace(run.plan.target, promises=promises)
    without = replace(run, plan=msgspec.structs.replace(run.plan, target=target))

    assert set(_figures(without)) == {OF_ALL}
    assert _figures(run, msgspec.structs.replace(CHECK, load_metric=None)) == {}


def test_the_load_metric_may_have_another_name() -> None:
    named = ScalingMetric(name="calls", type=HPA.metrics[1].type, target=20.0)
    hpa = msgspec.structs.replace(HPA, metrics=(named,))
    run = recorded()
    renamed = run.metrics.assign(labels=run.metrics["labels"].str.replace(RATE, "calls"))

    found = _figures(replace(run, metrics=renamed), ScalingCheck(autoscaler=hpa, load_metric="calls"))

    assert found["calls of what arrived"].outcome is Outcome.PASS


def test_where_a_replica_is_less_than_the_promise_is_about_the_check_says_from_when_it_sheds() -> None:
    found = _figures(recorded(), msgspec.structs.replace(CHECK, sheds_above=PerSecond(1.0)))[BEGINS]

    assert (found.value, found.outcome) == (1.0, Outcome.FAIL)
