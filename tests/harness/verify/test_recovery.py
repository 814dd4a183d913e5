from collections.abc import Callable

import msgspec
import pandas as pd
import pytest

from harness.experiment.expectations.recovery import RecoveryCheck
from harness.record import rows
from harness.units import Ratio, Seconds
from harness.verify.recovery import check_recovery
from harness.verify.verdict import Outcome
from tests.harness.a_run import RunBuilder, a_run
from tests.harness.simulation import CONTROLLER, the_target
from tests.harness.verify.a_full_run import figure, guilty

WITHIN_10_S = RecoveryCheck(rto=Seconds(10.0))
REVERTED_S = 40.1  # the fault lasts from 30 s to 40 s, and its revert takes 0.1 s


def _recovering_until(to_s: float) -> RunBuilder:
    """Errors through the fault and after it."""
    return a_run().with_fault().with_errors(from_s=30, to_s=to_s, share=0.5, error="reset")


@pytest.mark.parametrize(
    ("errors_until_s", "recovery_time_s"),
    [(40.0, 0.0), (40.5, 1.0), (44.0, 4.0), (47.05, 7.0)],
)
def test_recovery_is_measured_from_the_revert_to_a_second(errors_until_s: float, recovery_time_s: float) -> None:
    verdict = check_recovery(_recovering_until(errors_until_s).built(), WITHIN_10_S)
    found = figure(verdict, "recovery time")

    assert verdict.outcome is Outcome.PASS
    assert found.value == recovery_time_s
    assert found.interval is not None
    assert found.interval.low is not None
    assert found.interval.low <= max(0.0, errors_until_s - REVERTED_S) <= recovery_time_s + 1


@pytest.mark.parametrize(
    ("errors_until_s", "outcome"),
    [
        (48.0, Outcome.PASS),
        (50.0, Outcome.INCONCLUSIVE),  # 10 s ± 1 s against 10 s
        (53.0, Outcome.FAIL),
        (99.0, Outcome.FAIL),  # never
    ],
)
def test_three_valued_against_the_objective(errors_until_s: float, outcome: Outcome) -> None:
    assert check_recovery(_recovering_until(errors_until_s).built(), WITHIN_10_S).outcome is outcome


def test_never_recovered_in_too_short_a_run_is_undecided() -> None:
    verdict = check_recovery(_recovering_until(99.0).built(), RecoveryCheck(rto=Seconds(60.0)))

    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "the run ended too early" in verdict.sentence


def test_goodput_without_the_level_is_no_recovery() -> None:
    run = a_run().with_fault().with_inputs(from_s=31, to_s=40, latency_p99_ms=1200.0).built()  # NORMAL again at 54.3 s

    assert figure(check_recovery(run, WITHIN_10_S), "recovery time").value == 15.0


def _level_until(at_s: float) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """The controller shows its level no more."""
    return lambda frame: frame[~((frame["metric"] == "degradation_level") & (frame["at_s"] > at_s))]


@pytest.mark.parametrize("at_s", [29.0, 36.0])  # NORMAL and WARNING
def test_a_level_that_nobody_showed_is_neither_recovered_nor_not(at_s: float) -> None:
    run = (
        a_run().with_fault().with_inputs(from_s=31, to_s=40, latency_p99_ms=450.0).altering_metrics(_level_until(at_s))
    )
    verdict = check_recovery(run.built(), WITHIN_10_S)

    assert (verdict.outcome, guilty(verdict)) == (Outcome.INCONCLUSIVE, ["controllers that show their level"])
    assert f"no scrape of {CONTROLLER} shows degradation_level after" in verdict.sentence
    alone = RecoveryCheck(rto=Seconds(10.0), goodput_alone=True)
    assert check_recovery(run.built(), alone).outcome is Outcome.PASS


def test_one_of_two_controllers_that_shows_no_level_leaves_it_open() -> None:
    target = the_target()
    services = {**target.services, "europe-controller": target.services[CONTROLLER]}
    run = a_run().with_target(msgspec.structs.replace(target, services=services)).with_fault().built()

    verdict = check_recovery(run, WITHIN_10_S)

    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "no scrape of europe-controller shows level and evaluation" in verdict.sentence


def test_goodput_that_is_not_back_is_a_fail_whatever_the_level_is() -> None:
    verdict = check_recovery(_recovering_until(99.0).altering_metrics(_level_until(36.0)).built(), WITHIN_10_S)

    assert verdict.outcome is Outcome.FAIL
    assert "of the offered load at a level that nobody showed" in verdict.sentence


def test_what_is_late_is_no_goodput_where_nobody_would_wait_for_it() -> None:
    def slow(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.assign(latency_s=frame["latency_s"].mask(frame["scheduled_s"].between(40, 46), 0.4))

    run = a_run().with_fault().altering_requests(slow).built()
    patient, impatient = WITHIN_10_S, RecoveryCheck(rto=Seconds(10.0), within=Seconds(0.3))

    assert figure(check_recovery(run, patient), "recovery time").value == 0.0
    assert figure(check_recovery(run, impatient), "recovery time").value == 6.0


def test_a_relapse_is_a_recovery_that_did_not_last() -> None:
    run = a_run().with_fault().with_errors(from_s=60, to_s=66, share=0.2, error="reset").built()
    verdict = check_recovery(run, WITHIN_10_S)

    assert (verdict.outcome, guilty(verdict)) == (Outcome.FAIL, ["relapses"])


def test_a_system_that_flaps_for_ever_has_not_recovered() -> None:
    """Three good seconds after the revert, then one good and two bad ones in turn: never three bad ones on end."""
    run = a_run().with_fault()
    for turn in range(12):
        bad_s = REVERTED_S + 4 + 3 * turn
        run = run.with_errors(from_s=bad_s, to_s=bad_s + 2, error="reset")
    verdict = check_recovery(run.built(), WITHIN_10_S)
    afterwards = figure(verdict, "goodput from the recovery to the end of the load")

    assert (verdict.outcome, guilty(verdict)) == (Outcome.FAIL, [afterwards.name])
    assert afterwards.value == pytest.approx(16 / 40, abs=0.01)
    assert afterwards.accept == "at least 95 % (95 % of the baseline's 100 %)"
    assert "24 of 39 seconds were bad, the first from T+44.1 s" in verdict.sentence


def test_what_was_served_afterwards_is_told_of_a_system_that_recovered() -> None:
    verdict = check_recovery(_recovering_until(44.0).built(), WITHIN_10_S)

    assert "to the end of the load 100 % of what was offered was goodput, in the baseline 100 %" in verdict.sentence


@pytest.mark.parametrize(
    ("why", "service_s", "share", "outcome"),
    [
        ("nobody got an answer in time, as nobody does now", 2.0, 1.0, Outcome.INCONCLUSIVE),
        ("one in seven had to wait for too long", 2.0, 0.15, Outcome.INCONCLUSIVE),
        ("one in twenty is not what makes a system sick", 2.0, 0.05, Outcome.PASS),
        ("all were in time", 0.5, 1.0, Outcome.PASS),
    ],
)
def test_to_be_like_a_sick_baseline_is_no_recovery(why: str, service_s: float, share: float, outcome: Outcome) -> None:
    run = a_run().with_fault().with_slowness(from_s=0, to_s=80, service_s=service_s, share=share).built()
    verdict = check_recovery(run, RecoveryCheck(rto=Seconds(10.0), goodput_share=Ratio(0.9)))

    assert verdict.outcome is outcome, why
    if outcome is Outcome.INCONCLUSIVE:
        assert "goodput in the baseline: expected at least 90 %" in verdict.sentence
        assert "the system was not well" in verdict.sentence


def test_a_baseline_without_requests_shows_nothing_to_come_back_to() -> None:
    run = a_run().with_fault().altering_requests(lambda frame: frame[frame["scheduled_s"] >= 25.0]).built()
    verdict = check_recovery(run, WITHIN_10_S)

    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "no request was scheduled in the baseline" in verdict.sentence


def test_a_recovery_after_which_nobody_came_is_none() -> None:
    run = a_run().with_fault().altering_requests(lambda frame: frame[frame["scheduled_s"] < 40.0]).built()
    verdict = check_recovery(run, WITHIN_10_S)

    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "nothing was offered after it" in verdict.sentence


def test_final_reads_are_no_load_that_a_system_serves_again() -> None:
    phases = {"warm_up": 5.0, "baseline": 20.0, "disturbed": 30.0, "recovery": 25.0, "final_reads": 10.0}
    run = a_run().with_phases(**phases).with_fault().with_errors(from_s=30, to_s=80, share=0.5, error="reset").built()
    verdict = check_recovery(run, RecoveryCheck(rto=Seconds(45.0)))

    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "after 39 s" in verdict.sentence


def test_a_cache_that_is_never_used_again_is_no_recovery() -> None:
    def fallback(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.assign(cache=frame["cache"].astype(object).mask(frame["scheduled_s"] > 30, "fallback"))

    verdict = check_recovery(a_run().with_fault().altering_requests(fallback).built(), WITHIN_10_S)

    assert verdict.outcome is Outcome.FAIL
    assert "from a fallback" in verdict.sentence


def test_a_single_bad_second_is_no_relapse() -> None:
    run = a_run().with_fault().with_errors(from_s=60, to_s=61, share=0.5, error="reset").built()

    assert check_recovery(run, WITHIN_10_S).outcome is Outcome.PASS


def test_after_an_overload_the_clock_starts_when_the_load_is_back() -> None:
    run = a_run().with_overload(from_s=30.0, to_s=45.0, per_s=400.0)
    run = run.with_errors(from_s=45, to_s=48, share=0.5, error="reset")
    found = figure(check_recovery(run.built(), WITHIN_10_S), "recovery time")

    assert found.value == 3.0


def test_slow_answers_are_no_goodput() -> None:
    run = a_run().with_fault().with_slowness(from_s=30, to_s=43.1, service_s=2.0).built()

    assert figure(check_recovery(run, WITHIN_10_S), "recovery time").value == 3.0


@pytest.mark.parametrize(
    ("why", "run"),
    [
        ("no disturbance", a_run()),
        ("no baseline", a_run().with_phases(warm_up=25.0, disturbed=30.0, recovery=25.0).with_fault()),
        ("never shown to be reverted", a_run().with_fault(reverted=False)),
        (
            "never injected",
            a_run()
            .with_fault()
            .altering_events(lambda events: [event for event in events if not isinstance(event, rows.FaultEdge)]),
        ),
    ],
)
def test_without_a_known_end_of_the_disturbance_nothing_is_said(why: str, run: RunBuilder) -> None:
    assert check_recovery(run.built(), WITHIN_10_S).outcome is Outcome.INCONCLUSIVE, why


def test_goodput_alone_asks_nothing_of_how_it_is_served() -> None:
    def fallback(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.assign(cache=frame["cache"].astype(object).mask(frame["scheduled_s"] > 30, "fallback"))

    run = a_run().with_fault().altering_requests(fallback).built()

    assert check_recovery(run, RecoveryCheck(rto=Seconds(10.0), goodput_alone=True)).outcome is Outcome.PASS


def test_goodput_alone_is_broken_by_goodput() -> None:
    check = RecoveryCheck(rto=Seconds(10.0), goodput_alone=True)

    assert check_recovery(_recovering_until(53.0).built(), check).outcome is Outcome.FAIL
