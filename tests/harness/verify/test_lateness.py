"""A generator that is late for a moment: nothing of a whole run, and much of the window that it was late in."""

from collections.abc import Callable

import pandas as pd
import pytest

from harness.experiment.expectations.recovery import RecoveryCheck
from harness.experiment.expectations.slo import SloCheck
from harness.units import Ratio, Seconds
from harness.verify.judge import judge
from harness.verify.lateness import late_in
from harness.verify.recovery import check_recovery
from harness.verify.slo import check_slo
from harness.verify.validity import check_validity
from harness.verify.verdict import Outcome
from harness.verify.windows import Window
from tests.harness.a_run import RunBuilder, a_run
from tests.harness.simulation import at, with_run_time
from tests.harness.verify.a_full_run import figure, guilty


def _long() -> RunBuilder:
    """The fault lasts from 30 s to 40 s, and the whole for minutes."""
    phases = {"warm_up": 5.0, "baseline": 12.0, "disturbed": 60.0, "recovery": 60.0}
    return a_run().with_rate(50.0).with_phases(**phases).with_fault()


def _stalled(from_s: float, to_s: float) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """The generator sends in the end what it should have sent meanwhile."""

    def changed(frame: pd.DataFrame) -> pd.DataFrame:
        frame = frame.copy()
        late = frame["scheduled_s"].between(from_s, to_s)
        by_ns = at(to_s) - frame.loc[late, "sent_ns"]
        frame.loc[late, "sent_ns"] += by_ns
        frame.loc[late, "finished_ns"] += by_ns
        return with_run_time(frame)

    return changed


def _busy(from_s: float, to_s: float) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """Each twentieth request is sent 300 ms late."""

    def changed(frame: pd.DataFrame) -> pd.DataFrame:
        frame = frame.copy()
        late = frame["scheduled_s"].between(from_s, to_s) & (frame.index % 20 == 0)
        frame.loc[late, ["sent_ns", "finished_ns"]] += 300_000_000
        return with_run_time(frame)

    return changed


LATE = _long().altering_requests(_busy(5.0, 17.0))
BASELINE = SloCheck(p99=Seconds(0.15))
NAMED = "from T+5.0 s to T+17.0 s the generator itself was late by 30"


def test_what_lasts_for_seconds_does_not_show_in_a_whole_run() -> None:
    assert check_validity(LATE.built()).verdict.outcome is Outcome.PASS


@pytest.mark.parametrize(
    "check",
    [
        BASELINE,
        SloCheck(goodput_ratio=Ratio(0.99), within=Seconds(0.2)),
        SloCheck(p99=Seconds(0.15), start=Seconds(0.0), end=Seconds(12.0), operation="home"),
    ],
)
def test_what_latency_breaks_while_the_generator_is_late_is_undecided(check: SloCheck) -> None:
    verdict = check_slo(LATE.built(), check)

    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert NAMED in verdict.sentence
    assert "ms (p99; at most 10 ms), which counts as latency" in verdict.sentence


def test_a_stall_of_a_second_is_named_in_the_window_that_it_was_in() -> None:
    run = _long().altering_requests(_stalled(10.0, 11.0)).built()

    assert check_validity(run).verdict.outcome is Outcome.PASS
    assert "from T+5.0 s to T+17.0 s the generator itself was late by 8" in check_slo(run, BASELINE).sentence


def test_what_the_system_breaks_while_the_generator_is_on_time_it_broke() -> None:
    slow = _long().with_slowness(from_s=10.0, to_s=11.0, service_s=1.0)
    elsewhere = LATE.with_slowness(from_s=50.0, to_s=60.0, service_s=1.0)

    assert check_slo(slow.built(), BASELINE).outcome is Outcome.FAIL
    assert check_slo(elsewhere.built(), SloCheck(phase="disturbed", p99=Seconds(0.15))).outcome is Outcome.FAIL


def test_what_was_kept_in_spite_of_a_late_generator_was_kept() -> None:
    assert check_slo(LATE.built(), SloCheck(p99=Seconds(0.5), error_ratio=Ratio(0.01))).outcome is Outcome.PASS


def test_nothing_fails_because_it_was_sent_late() -> None:
    failing = LATE.with_errors(from_s=5.0, to_s=17.0, share=0.2)
    verdict = check_slo(failing.built(), SloCheck(p99=Seconds(0.15), error_ratio=Ratio(0.01)))

    assert verdict.outcome is Outcome.FAIL
    assert verdict.sentence.startswith("error ratio")


def test_an_error_that_came_late_because_it_was_asked_for_late_is_undecided() -> None:
    failing = LATE.with_errors(from_s=5.0, to_s=17.0, share=0.5)
    verdict = check_slo(failing.built(), SloCheck(fails_within=Seconds(0.2)))

    assert (verdict.outcome, guilty(verdict)) == (Outcome.INCONCLUSIVE, ["errors later than 200ms"])
    assert NAMED in verdict.sentence


@pytest.mark.parametrize(("rto_s", "outcome"), [(1.0, Outcome.INCONCLUSIVE), (10.0, Outcome.PASS)])
def test_a_recovery_that_a_stall_hides_is_undecided(rto_s: float, outcome: Outcome) -> None:
    """The fault lasts from 294 s to 304 s; what is sent more than a second late is no goodput any more."""
    run = a_run().with_rate(20.0).with_phases(warm_up=5.0, baseline=95.0, disturbed=205.0, recovery=25.0)
    run = run.with_fault(at_s=294.0).altering_requests(_stalled(305.1, 308.1))
    verdict = check_recovery(run.built(), RecoveryCheck(rto=Seconds(rto_s)))

    assert check_validity(run.built()).evidence_holds
    assert verdict.outcome is outcome
    assert figure(verdict, "recovery time").value == 3.0


def test_a_run_of_which_that_decides_is_inconclusive() -> None:
    assert judge(LATE.expecting(BASELINE).built()).outcome is Outcome.INCONCLUSIVE


def test_a_window_without_requests_has_nobody_late() -> None:
    assert late_in(LATE.built(), Window(name="after the end", start_s=500.0, end_s=600.0)) == ""
