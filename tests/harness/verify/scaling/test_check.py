"""Whole runs of a simulated system: right ones pass, and each way of being wrong is found and named."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import msgspec
import numpy as np
import pandas as pd
import pytest

from harness.experiment.expectations.autoscaler import Autoscaler, PolicyType, ScalingPolicy, SelectPolicy
from harness.experiment.expectations.scaling import ScalingCheck
from harness.units import Ratio, Seconds
from harness.verify.judge import judge
from harness.verify.scaling.check import check_scaling
from harness.verify.verdict import Outcome, Verdict
from tests.harness.a_run import a_run
from tests.harness.simulation import CONTROLLER
from tests.harness.verify.a_full_run import figure, guilty
from tests.harness.verify.scaling.a_scaled_system import (
    ADMITTED,
    HPA,
    PLANNED,
    RATE,
    RIGHT_SYSTEM,
    ScaledSystem,
    Step,
    a_scaled_run,
    over,
    recorded,
    shedding,
)
from tests.harness.verify.scaling.by_history import Rounding

pytestmark = pytest.mark.slow  # each simulates a whole run

CHECK = ScalingCheck(autoscaler=HPA)
# A fifth more each seven seconds: many small decisions.
STAIRCASE = tuple((20.0 + 7.0 * number, 100.0 * 1.19 ** (number + 1)) for number in range(8))
AWAY, IN_A_ROW, SLIPS = (f"{what} away from the predicted" for what in ("replicas", "syncs in a row", "decisions"))


def _judged(system: ScaledSystem = RIGHT_SYSTEM, planned: Sequence[Step] = PLANNED) -> Verdict:
    return check_scaling(recorded(system, planned), CHECK)


def _altered(change: Callable[[pd.DataFrame], pd.DataFrame], system: ScaledSystem = RIGHT_SYSTEM) -> Verdict:
    run = recorded(system)
    return check_scaling(replace(run, metrics=change(run.metrics)), CHECK)


def _hpa(**changes: object) -> Autoscaler:
    return msgspec.structs.replace(HPA, **changes)


def _up(**changes: object) -> Autoscaler:
    return _hpa(scale_up=msgspec.structs.replace(HPA.scale_up, **changes))


def _down(**changes: object) -> Autoscaler:
    return _hpa(scale_down=msgspec.structs.replace(HPA.scale_down, **changes))


def _policy(kind: PolicyType, value: int) -> ScalingPolicy:
    return ScalingPolicy(type=kind, value=value, period=Seconds(60.0))


# --- what is right ----------------------------------------------------------------------------------------------------


def test_a_system_that_scales_as_kubernetes_would_passes() -> None:
    verdict = _judged()

    assert verdict.outcome is Outcome.PASS, verdict.sentence
    assert verdict.sentence == (
        "us-east-controller decided what was predicted at 148 syncs; with 9 changes it kept between 5 and 15 replicas."
    )
    assert [evidence.sentence for evidence in verdict.evidence][:2] == [
        "5 → 8 replicas, by the rate limit; 5 were ready.",
        "8 → 10 replicas, by stabilisation; 8 were ready.",
    ]


@pytest.mark.parametrize(
    ("system", "why"),
    [
        *((replace(RIGHT_SYSTEM, seed=seed), "whatever single pods do") for seed in range(2, 6)),
        (replace(RIGHT_SYSTEM, starts_s=3.0), "replicas that are long not ready"),
        (replace(RIGHT_SYSTEM, first_sync_s=-0.9), "an autoscaler that was started while it was watched"),
        (replace(RIGHT_SYSTEM, first_sync_s=-6.4), "one whose first recommendation still counts, unseen"),
        (replace(RIGHT_SYSTEM, size=20), "a size that has to go down first"),
        (replace(RIGHT_SYSTEM, size=1), "a size below the bounds"),
        (replace(RIGHT_SYSTEM, own=_hpa(sync_period=Seconds(16.5))), "syncs somewhat slower than promised"),
    ],
)
def test_a_right_system_passes_in_any_state(system: ScaledSystem, why: str) -> None:
    verdict = _judged(system)

    assert verdict.outcome is Outcome.PASS, (why, verdict.sentence)


def test_a_right_staircase_passes() -> None:
    assert _judged(ScaledSystem(rate=over(*STAIRCASE)), STAIRCASE).outcome is Outcome.PASS


def test_syncs_that_are_not_shown_until_the_end_are_not_known() -> None:
    """It shrinks from 70 s on, or does not: nobody sees what it decides after 60 s."""
    verdict = _altered(lambda f: f[~((f["metric"] == "autoscaler_desired_replicas") & (f["at_s"] > 60))])

    assert (verdict.outcome, guilty(verdict)) == (Outcome.INCONCLUSIVE, ["longest time without a sync"])
    assert f"no scrape of {CONTROLLER} shows autoscaler_desired_replicas after T+59.5 s" in verdict.sentence


# --- what is wrong ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("own", "guilty_figure", "witness"),
    [
        (_down(stabilization=Seconds(0.0)), AWAY, "it made 13, expected 15 (by stabilisation; proposed 12)"),
        (_down(stabilization=Seconds(240.0)), AWAY, "expected 15 (by stabilisation"),
        (_up(stabilization=Seconds(0.0)), AWAY, "it made 16, expected 12 (by stabilisation; proposed 16)"),
        (_up(policies=(_policy(PolicyType.PERCENT, 1000),)), AWAY, "it made 12, expected 5 to 8 (by the rate limit"),
        (_down(policies=(_policy(PolicyType.PERCENT, 100),)), AWAY, "it made 6, expected 12 (by the rate limit"),
        (_up(select=SelectPolicy.MIN), AWAY, "expected"),
        (_down(select=SelectPolicy.DISABLED), AWAY, "of 15 replicas it made 15, expected 13 (by the rate limit"),
        (_hpa(tolerance=Ratio(0.0)), SLIPS, "it made 16, expected 15 (by the tolerance; proposed 15)"),
        (_hpa(tolerance=Ratio(0.2)), AWAY, "expected"),
        (_hpa(max_replicas=120), AWAY, "it made 12, expected 16 (by the metrics; proposed 16)"),
        (_hpa(min_replicas=120), AWAY, "of 12 replicas it made 12, expected 10 (by the rate limit"),
    ],
)
def test_another_rule_than_promised_is_found_with_the_moment_and_the_rule(
    own: Autoscaler, guilty_figure: str, witness: str
) -> None:
    verdict = _judged(replace(RIGHT_SYSTEM, own=own))

    found = figure(verdict, guilty_figure)
    assert (verdict.outcome, found.outcome) == (Outcome.FAIL, Outcome.FAIL), verdict.sentence
    assert "the autoscaler deviates" in found.reason
    assert "T+" in found.reason
    assert witness in found.reason
    assert verdict.evidence[0].sentence.startswith("Deviation: T+")


@pytest.mark.parametrize(
    ("rounding", "planned", "why"),
    [
        (Rounding(up=math.floor), PLANNED, "a percent policy up rounds up"),
        (Rounding(down=math.ceil), PLANNED, "a percent policy down truncates"),
        (Rounding(proposal=math.floor), STAIRCASE, "proposals round up"),
    ],
)
def test_a_wrong_rounding_is_found(rounding: Rounding, planned: Sequence[Step], why: str) -> None:
    system = ScaledSystem(rate=over(*planned), rounding=rounding)

    verdict = _judged(system, planned)

    assert verdict.outcome is Outcome.FAIL, why
    assert "the autoscaler deviates" in verdict.sentence


def test_one_quiet_sample_must_not_make_it_smaller() -> None:
    def rate(at_s: float) -> float:
        return 30.0 if 49.0 <= at_s < 49.75 else over(*PLANNED)(at_s)

    hasty = _down(stabilization=Seconds(0.0))
    steady, flapping = (_judged(ScaledSystem(rate=rate, own=own)) for own in (HPA, hasty))

    assert steady.outcome is Outcome.PASS, steady.sentence
    assert figure(flapping, AWAY).outcome is Outcome.FAIL
    assert "deviates at T+49.5 s" in figure(flapping, AWAY).reason


def test_a_fresh_autoscaler_that_shrinks_at_once_is_found() -> None:
    system = replace(RIGHT_SYSTEM, size=15, first_sync_s=5.3, own=_down(stabilization=Seconds(0.0)))

    verdict = _judged(system)

    assert verdict.outcome is Outcome.FAIL
    assert "T+5.5 s (sync 1): of 15 replicas it made 13, expected 15 (by stabilisation" in verdict.evidence[0].sentence


def test_an_autoscaler_that_sees_only_the_admitted_load_is_found_though_it_decides_rightly() -> None:
    verdict = check_scaling(shedding(recorded(ADMITTED)), CHECK)

    assert verdict.outcome is Outcome.FAIL
    assert guilty(verdict)[-1] == f"{RATE} of what was shed"
    assert figure(verdict, AWAY).value == 0.0
    assert check_scaling(shedding(recorded()), CHECK).outcome is Outcome.PASS


# --- what is doubtful -------------------------------------------------------------------------------------------------


def test_nothing_measured_is_inconclusive() -> None:
    verdict = check_scaling(a_run().built(), CHECK)

    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "no scrape of a controller shows a sync" in verdict.sentence


def test_a_metric_that_nobody_shows_is_inconclusive() -> None:
    verdict = _altered(lambda frame: frame[frame["labels"] != f'metric="{RATE}"'])

    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert f"shows autoscaler_metric of {RATE}" in verdict.sentence


def _without(*between_s: tuple[float, float]) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def change(frame: pd.DataFrame) -> pd.DataFrame:
        lost = np.logical_or.reduce([frame["at_s"].between(*each) for each in between_s])
        kept: pd.DataFrame = frame[~lost]
        return kept

    return change


def test_a_few_missed_syncs_do_not_matter_and_many_make_it_inconclusive() -> None:
    few, many = _altered(_without((40.2, 41.2))), _altered(_without((40.0, 42.0), (50.0, 52.0), (60.0, 62.0)))

    assert few.outcome is Outcome.PASS, few.sentence
    assert figure(few, "syncs that no scrape caught").value == pytest.approx(1 / 148, abs=0.001)
    assert many.outcome is Outcome.INCONCLUSIVE
    assert many.sentence.startswith("syncs that no scrape caught: expected at most 2 %, measured")
    assert guilty(many) == ["syncs that no scrape caught"]


def test_what_is_surely_wrong_stays_wrong_beside_a_hole() -> None:
    verdict = _altered(_without((75.2, 76.2)), replace(RIGHT_SYSTEM, own=_down(stabilization=Seconds(0.0))))

    assert figure(verdict, AWAY).outcome is Outcome.FAIL


def test_a_run_in_which_nothing_had_to_be_scaled_proves_nothing_unless_that_was_meant() -> None:
    run = recorded(ScaledSystem(rate=over((0.0, 100.0))), planned=())
    quiet = msgspec.structs.replace(CHECK, expect_scaling=False)

    assert guilty(check_scaling(run, CHECK)) == ["syncs at which the number changed or had to"]
    assert check_scaling(run, CHECK).outcome is Outcome.INCONCLUSIVE
    assert check_scaling(run, quiet).outcome is Outcome.PASS


# --- around the decisions ---------------------------------------------------------------------------------------------


def test_an_autoscaler_that_stops_is_found() -> None:
    def stuck(frame: pd.DataFrame) -> pd.DataFrame:
        before = frame[frame["at_s"] < 50.0]
        last = before[before["at_s"] == before["at_s"].max()]
        whole: pd.DataFrame = pd.concat([before, *(last.assign(at_s=50.0 + 0.5 * number) for number in range(120))])
        return whole

    found = figure(_altered(stuck), "longest time without a sync")

    assert (found.outcome, found.accept, found.reason) == (Outcome.FAIL, "at most 5 s", "the autoscaler stopped")


def test_decisions_that_nobody_carries_out_are_found() -> None:
    def ignored(frame: pd.DataFrame) -> pd.DataFrame:
        mine = (frame["metric"] == "autoscaler_current_replicas") & (frame["at_s"] > 35.0)
        return frame.assign(value=np.where(mine, 5.0, frame["value"]))

    found = figure(_altered(ignored), "syncs in a row at another size than was decided")

    assert found.outcome is Outcome.FAIL
    assert found.reason.startswith("8 were decided and 5 found at T+35")


def test_two_autoscalers_are_judged_by_themselves_and_named() -> None:
    run = recorded()
    twice = pd.concat([run.metrics, run.metrics.assign(service="other")], ignore_index=True)
    services = {**run.plan.target.services, "other": run.plan.target.services[CONTROLLER]}
    target = msgspec.structs.replace(run.plan.target, services=services)

    verdict = check_scaling(replace(run, plan=msgspec.structs.replace(run.plan, target=target), metrics=twice), CHECK)

    assert verdict.outcome is Outcome.PASS
    assert figure(verdict, f"{AWAY} number ({CONTROLLER})").outcome is Outcome.PASS
    assert figure(verdict, f"{AWAY} number (other)").outcome is Outcome.PASS
    assert "other decided what was predicted" in verdict.sentence


def test_the_table_of_checks_knows_it() -> None:
    verdicts = judge(a_scaled_run().expecting(CHECK).built())

    assert verdicts.verdicts[1].name == "scaling: scales as Kubernetes would"
    assert verdicts.verdicts[1].outcome is Outcome.PASS, verdicts.verdicts[1].sentence
