import pandas as pd
import pytest

from harness.experiment.expectations.recovery import RecoveryCheck
from harness.record import rows
from harness.units import Seconds
from harness.verify.recovery import check_recovery
from harness.verify.verdict import Outcome
from tests.harness.a_run import RunBuilder, a_run
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


def test_what_is_late_is_no_goodput_where_nobody_would_wait_for_it() -> None:
    def slow(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.assign(latency_s=frame["latency_s"].mask(frame["scheduled_s"].between(40, 46), 0.4))

    run = a_run().with_fault().altering_requests(slow).built()
    patient, impatient = WITHIN_10_S, RecoveryCheck(rto=Seconds(10.0), within=Seconds(0.3))

    assert figure(check_recovery(run, patient), "recovery time").value == 0.0
    assert figure(check_recovery(run, impatient), "recovery time").value == 6.0


def test_a_relapse_is_a_recovery_that_did_not_last() -> None:
    run = a_run().with_fault().with_errors(from_s=60, to_s=66, share=0.5, error="reset").built()
    verdict = check_recovery(run, WITHIN_10_S)

    assert (verdict.outcome, guilty(verdict)) == (Outcome.FAIL, ["relapses"])


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
