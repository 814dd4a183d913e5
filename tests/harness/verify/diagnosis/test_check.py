"""The promise beside the diagnosis: what was planted, what else shows, and what is missing."""

from dataclasses import replace

import msgspec
import pandas as pd
import pytest

from harness.experiment.expectations.diagnosis import DiagnosisCheck
from harness.verify.diagnosis.check import check_diagnosis
from harness.verify.judge import judge
from harness.verify.verdict import Outcome
from tests.harness.a_run import RunBuilder
from tests.harness.verify.a_full_run import guilty
from tests.harness.verify.diagnosis.some import a_watched_run

DATABASE = DiagnosisCheck(symptom="timeline_latency", cause="database")
QUIET = DiagnosisCheck()
SHOWN = "times that timeline_latency showed"
LED = "times that it led elsewhere than to database"
OTHERS = "other symptoms"


def _slow_database(**more: float) -> RunBuilder:
    return a_watched_run(p99_ms=450.0, db_s=4.0, **more).with_fault()


def test_what_was_planted_is_found() -> None:
    verdict = check_diagnosis(_slow_database().built(), DATABASE)

    assert verdict.outcome is Outcome.PASS
    assert verdict.sentence.startswith("timeline_latency showed (us-east T+30.0 s), the runbook led to database")
    assert verdict.evidence[0].sentence == "timeline_latency in us-east: database."


def test_a_quiet_run_shows_nothing() -> None:
    verdict = check_diagnosis(a_watched_run().built(), QUIET)

    assert (verdict.outcome, verdict.sentence) == (Outcome.PASS, "No symptom showed.")


REDS = [
    ("it never shows", a_watched_run(db_s=4.0).with_fault(), DATABASE, {SHOWN, LED}),
    ("another cause", a_watched_run(p99_ms=450.0, redis_s=9.0).with_fault(), DATABASE, {LED}),
    ("another symptom, too", _slow_database(pool_busy=1.0), DATABASE, {OTHERS}),
    ("before there was a reason", a_watched_run(p99_ms=450.0, db_s=4.0).with_fault(at_s=35.0), DATABASE, {OTHERS}),
    ("a symptom where none was wanted", _slow_database(), QUIET, {OTHERS}),
]


@pytest.mark.parametrize(("run", "check", "red"), [row[1:] for row in REDS], ids=[row[0] for row in REDS])
def test_what_turns_it_red(run: RunBuilder, check: DiagnosisCheck, red: set[str]) -> None:
    verdict = check_diagnosis(run.built(), check)

    assert verdict.outcome is Outcome.FAIL
    assert set(guilty(verdict)) == red


def test_what_may_show_does_no_harm() -> None:
    check = DiagnosisCheck(symptom="timeline_latency", cause="database", may_show=("connections_exhausted",))

    assert check_diagnosis(_slow_database(pool_busy=1.0).built(), check).outcome is Outcome.PASS


OPEN = [
    (
        "dependency_seconds_count",
        {LED},
        "redis_slow or database or elsewhere; not known: database_latency, redis_latency",
    ),
    ("degradation_input", {SHOWN, LED}, "no service shows, all the time"),
    ("fanout_lag_seconds", {OTHERS}, "no service shows, all the time, what it would be seen by: fan_out_backlog"),
]


@pytest.mark.parametrize(("without", "open_", "why"), OPEN, ids=[row[0] for row in OPEN])
def test_a_missing_metric_is_never_a_pass(without: str, open_: set[str], why: str) -> None:
    verdict = check_diagnosis(a_watched_run(without, p99_ms=450.0, db_s=4.0).with_fault().built(), DATABASE)

    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert set(guilty(verdict)) == open_
    assert any(why in figure.reason for figure in verdict.figures)


def _for_a_while(frame: pd.DataFrame, metric: str, *, lasts_s: float) -> pd.DataFrame:
    """From 30 s on the metric is shown as NaN."""
    hit = (frame["metric"] == metric) & frame["at_s"].between(30.0, 30.0 + lasts_s)
    return frame.assign(value=frame["value"].mask(hit))


@pytest.mark.parametrize(("lasts_s", "outcome"), [(10.0, Outcome.INCONCLUSIVE), (2.0, Outcome.PASS)])
def test_what_was_not_known_while_a_symptom_could_have_shown_is_no_pass(lasts_s: float, outcome: Outcome) -> None:
    quiet = a_watched_run().altering_metrics(lambda frame: _for_a_while(frame, "fanout_lag_seconds", lasts_s=lasts_s))

    verdict = check_diagnosis(quiet.built(), QUIET)

    assert verdict.outcome is outcome
    assert verdict.sentence.endswith(
        "what it would be seen by: fan_out_backlog." if outcome is Outcome.INCONCLUSIVE else "No symptom showed."
    )


def test_a_symptom_that_could_not_be_seen_in_time_is_not_called_absent() -> None:
    run = a_watched_run(p99_ms=450.0, db_s=4.0).with_fault()
    blind = run.altering_metrics(lambda frame: _for_a_while(frame, "degradation_input", lasts_s=12.0))

    verdict = check_diagnosis(blind.built(), DATABASE)

    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert set(guilty(verdict)) == {SHOWN, LED}


@pytest.mark.parametrize(("share", "outcome"), [(0.0, Outcome.FAIL), (0.05, Outcome.INCONCLUSIVE)])
def test_what_is_usual_has_to_be_healthy(share: float, outcome: Outcome) -> None:
    """The runbook leads elsewhere, perhaps because it compares with a baseline that was ill."""
    run = a_watched_run(p99_ms=450.0, redis_s=9.0).with_fault().with_errors(from_s=6.0, to_s=24.0, share=share)

    verdicts = judge(run.expecting(DATABASE).built())

    assert verdicts.verdicts[1].outcome is outcome


def test_a_target_without_a_runbook_has_no_symptoms() -> None:
    run = a_watched_run().built()
    target = msgspec.structs.replace(run.plan.target, runbook=None)
    bare = replace(run, plan=msgspec.structs.replace(run.plan, target=target))

    assert check_diagnosis(bare, QUIET).outcome is Outcome.INCONCLUSIVE
