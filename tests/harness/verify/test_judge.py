"""The whole table: every planted change turns exactly the expectation that it breaks."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from harness.experiment.expectations.degradation import DegradationCheck
from harness.experiment.expectations.recovery import RecoveryCheck
from harness.experiment.expectations.slo import SloCheck
from harness.record import rows
from harness.record.reader import Run
from harness.units import Ratio, Seconds
from harness.verify import judge as judge_module
from harness.verify.judge import is_clean, judge
from harness.verify.verdict import Outcome, Verdict
from tests.harness.a_run import RunBuilder, a_run
from tests.harness.simulation import CONTROLLER, at
from tests.harness.verify.a_full_run import CHECKS, OVERLOAD_S, a_full_run, outcomes

pytestmark = pytest.mark.slow  # each builds and judges a whole run

ALL_PASS = {"validity": "pass", **dict.fromkeys(("slo", "degradation", "shedding", "recovery", "retries"), "pass")}


def test_a_system_that_keeps_its_promises_passes() -> None:
    verdicts = judge(a_full_run().built())

    assert outcomes(verdicts) == ALL_PASS, [verdict.sentence for verdict in verdicts.verdicts]
    assert (verdicts.outcome, verdicts.stopped, verdicts.clean) == (Outcome.PASS, False, True)
    assert verdicts.verdicts[0].check == "validity"


def _swap(
    column: str, old: str, new: str, *, from_s: float = 0.0, to_s: float = 99.0, every: int = 1
) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def changed(frame: pd.DataFrame) -> pd.DataFrame:
        hit = (frame[column] == old) & frame["scheduled_s"].between(from_s, to_s) & (frame.index % every == 0)
        return frame.assign(**{column: frame[column].mask(hit, new)})

    return changed


def _slow_baseline(frame: pd.DataFrame) -> pd.DataFrame:
    late_s = 0.3 * frame["scheduled_s"].between(5, 25)
    return frame.assign(latency_s=frame["latency_s"] + late_s, service_s=frame["service_s"] + late_s)


def _stuck_level(frame: pd.DataFrame) -> pd.DataFrame:
    """From 45 s the controller shows ADVISORY and should still be at WARNING."""
    mine = (frame["service"] == CONTROLLER) & (frame["metric"] == "degradation_level")
    mine &= frame["at_s"].between(45, 48)
    return frame.assign(value=frame["value"].mask(mine, 1.0))


@pytest.mark.parametrize(
    ("mutation", "run", "broken"),
    [
        ("slow before the fault", a_full_run().altering_requests(_slow_baseline), "slo"),
        ("a level skipped", a_full_run().altering_metrics(_stuck_level), "degradation"),
        ("the log is silent", a_full_run().altering_controller_log(lambda log: log[:1]), "degradation"),
        ("no banner", a_full_run().altering_requests(lambda f: f.assign(banner=False)), "degradation"),
        (
            "a third less is shed",
            a_full_run().altering_requests(
                _swap("outcome", "shed", "ok", from_s=OVERLOAD_S[0], to_s=OVERLOAD_S[1], every=3)
            ),
            "shedding",
        ),
        (
            "refusals are not marked",
            a_full_run().altering_requests(lambda f: f.assign(shed_reason="")),
            "shedding",
        ),
        (
            "errors go on after the end",
            a_full_run().with_errors(from_s=70, to_s=90, share=0.3, error="reset"),
            "recovery",
        ),
        ("a retry storm", a_full_run().with_retries(2.0), "retries"),
    ],
)
def test_each_mutation_turns_exactly_the_check_that_it_breaks(mutation: str, run: RunBuilder, broken: str) -> None:
    verdicts = judge(run.built())

    assert outcomes(verdicts) == {**ALL_PASS, broken: "fail"}, mutation
    assert verdicts.outcome is Outcome.FAIL


@pytest.mark.parametrize("broken", [a_full_run(), a_full_run().with_retries(2.0)])
def test_a_defect_of_the_harness_neither_clears_nor_blames(broken: RunBuilder) -> None:
    verdicts = judge(broken.unsealed("requests-0.arrow does not match its checksum").built())

    assert set(outcomes(verdicts).values()) == {"inconclusive"}
    assert all("It would have been a" in verdict.sentence for verdict in verdicts.verdicts[1:])


def test_a_system_that_was_sick_before_can_fail_but_not_pass() -> None:
    sick = a_run().with_fault().with_errors(from_s=5, to_s=25, share=0.1, error="reset")
    slo, recovery = SloCheck(error_ratio=Ratio(0.01)), RecoveryCheck(rto=Seconds(10.0))

    assert outcomes(judge(sick.expecting(slo).built())) == {"validity": "inconclusive", "slo": "fail"}
    assert outcomes(judge(sick.expecting(recovery).built())) == {
        "validity": "inconclusive",
        "recovery": "inconclusive",
    }


def test_a_check_that_throws_is_inconclusive_and_names_the_exception(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(run: Run, check: object) -> Verdict:
        raise ZeroDivisionError("no samples")

    monkeypatch.setitem(judge_module.CHECKS, DegradationCheck, broken)
    verdicts = judge(a_run().expecting(DegradationCheck()).built())

    assert outcomes(verdicts) == {"validity": "pass", "degradation": "inconclusive"}
    assert "ZeroDivisionError: no samples" in verdicts.verdicts[1].sentence


def test_an_empty_record_is_inconclusive_throughout() -> None:
    run = a_full_run().altering_requests(lambda f: f.iloc[:0]).altering_metrics(lambda f: f.iloc[:0])
    run = run.altering_events(lambda events: []).altering_controller_log(lambda log: [])
    verdicts = judge(run.built())

    assert set(outcomes(verdicts).values()) == {"inconclusive"}
    assert not [verdict.sentence for verdict in verdicts.verdicts if "crashed" in verdict.sentence]


def test_a_run_that_expects_nothing_is_judged_by_its_validity() -> None:
    assert outcomes(judge(a_run().built())) == {"validity": "pass"}


def test_the_same_expectation_twice_can_be_told_apart() -> None:
    names = [verdict.name for verdict in judge(a_run().expecting(CHECKS[0], CHECKS[0]).built()).verdicts]

    assert len(set(names)) == 3


def test_judging_is_a_function_of_the_record() -> None:
    run = a_full_run().built()

    assert judge(run) == judge(replace(run, folder=Path("/elsewhere")))


# --- stopped and clean ------------------------------------------------------------------------------------------------


def _journal(*states: str) -> tuple[dict[str, object], ...]:
    return tuple({"line": "fault", "fault": "fault-1", "state": state, "at_ns": 1} for state in states)


@pytest.mark.parametrize(
    ("states", "clean"),
    [
        ((), True),
        (("PLANNED",), True),
        (("PLANNED", "ARMED"), False),
        (("ARMED", "INJECTED", "REVERTED"), False),
        (("ARMED", "INJECTED", "REVERTED", "VERIFIED"), True),
        (("ARMED", "INJECTED", "STUCK"), False),
        (("ARMED", "STUCK", "VERIFIED"), True),  # somebody cleaned up later
    ],
)
def test_clean_is_what_the_journal_shows_to_be_undone(states: tuple[str, ...], clean: bool) -> None:
    run = replace(a_run().with_fault().built(), journal=_journal(*states))

    assert is_clean(run) is clean


def test_an_unconfirmed_revert_is_unclean() -> None:
    verdicts = judge(a_run().with_fault(reverted=False).built())

    assert (verdicts.clean, verdicts.outcome) == (False, Outcome.INCONCLUSIVE)


def test_a_stopped_run_says_so_and_decides_nothing() -> None:
    stop = rows.RunStopped(at_ns=at(50), by="stop_condition", reason="error ratio above 50 %")
    verdicts = judge(a_full_run().altering_events(lambda events: [*events, stop]).built())

    assert (verdicts.stopped, verdicts.outcome) == (True, Outcome.INCONCLUSIVE)
