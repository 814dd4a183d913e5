"""The promise beside the share: pass, fail and the doubt between."""

from dataclasses import replace

import msgspec
import pandas as pd
import pytest

from harness.experiment.expectations.severity import Severity, SeverityCheck
from harness.record import rows
from harness.units import Seconds
from harness.verify.severity.check import check_severity
from harness.verify.verdict import Outcome
from tests.harness.a_run import RunBuilder, a_run
from tests.harness.report import some
from tests.harness.simulation import CONTROLLER, at


def _hit(share: float) -> RunBuilder:
    """This share of the requests fails for ten seconds; hardly any user comes twice."""
    return a_run().with_errors(from_s=30, to_s=40, share=share)


ROWS = [
    ("quiet", _hit(0.0), Severity.NONE, Outcome.PASS),
    ("a tenth of the bound", _hit(0.01), Severity.SEV3, Outcome.PASS),
    ("close to the bound", _hit(0.09), Severity.SEV3, Outcome.INCONCLUSIVE),
    ("twice the bound", _hit(0.2), Severity.SEV3, Outcome.FAIL),
    ("twice that bound is within the next", _hit(0.2), Severity.SEV2, Outcome.PASS),
    ("everybody", _hit(1.0), Severity.SEV2, Outcome.FAIL),
    ("one in a hundred is not nobody", _hit(0.01), Severity.SEV4, Outcome.FAIL),
    ("a level without harm", a_run().with_inputs(from_s=31, to_s=33, cpu_ratio=0.8), Severity.SEV4, Outcome.PASS),
    ("a level is not nothing", a_run().with_inputs(from_s=31, to_s=33, cpu_ratio=0.8), Severity.NONE, Outcome.FAIL),
]


@pytest.mark.parametrize(("run", "at_most", "outcome"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_what_is_allowed(run: RunBuilder, at_most: Severity, outcome: Outcome) -> None:
    verdict = check_severity(run.built(), SeverityCheck(at_most=at_most))

    assert verdict.outcome is outcome, verdict.sentence


def test_a_share_beyond_the_bound_in_ten_seconds_with_few_users_is_no_pass() -> None:
    """A twentieth of a thousand is within a tenth, and surely more than two of fourteen."""

    def few(frame: pd.DataFrame) -> pd.DataFrame:
        late = frame[frame["scheduled_s"] > 60.0].iloc[::70]
        late = late.assign(outcome=["failed" if number in {7, 8} else "ok" for number in range(len(late))])
        return pd.concat([frame[frame["scheduled_s"] <= 55.0], late])

    run = a_run().with_errors(from_s=30, to_s=40, share=0.05).altering_requests(few).built()

    verdict = check_severity(run, SeverityCheck(at_most=Severity.SEV3))

    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "users were affected" in verdict.sentence


def test_what_is_late_is_for_the_experiment_to_say() -> None:
    run = a_run().with_slowness(from_s=30, to_s=40, service_s=1.5).built()

    assert check_severity(run, SeverityCheck(at_most=Severity.SEV2)).outcome is Outcome.FAIL
    assert check_severity(run, SeverityCheck(at_most=Severity.SEV2, late=Seconds(2.0))).outcome is Outcome.PASS


def test_a_pass_says_how_bad_it_was() -> None:
    verdict = check_severity(_hit(0.02).built(), SeverityCheck(at_most=Severity.SEV3))

    assert verdict.sentence.startswith("SEV3, minor degradation: at worst, from T+")
    assert verdict.evidence[0].at_s == pytest.approx(30.0, abs=9.0)


def test_where_nobody_came_nothing_is_known() -> None:
    verdict = check_severity(some.an_empty_run(), SeverityCheck(at_most=Severity.SEV3))

    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "no user came" in verdict.sentence


def test_one_of_two_controllers_that_is_silent_leaves_open_whether_anything_was_about_to_happen() -> None:
    quiet = a_run().built()
    target = quiet.plan.target
    services = {**target.services, "europe-controller": target.services[CONTROLLER]}
    plan = msgspec.structs.replace(quiet.plan, target=msgspec.structs.replace(target, services=services))

    verdict = check_severity(replace(quiet, plan=plan), SeverityCheck(at_most=Severity.NONE))

    assert verdict.outcome is Outcome.INCONCLUSIVE


def test_what_was_refused_in_the_warm_up_is_no_risk() -> None:
    def refused(frame: pd.DataFrame) -> pd.DataFrame:
        cold = (frame["priority"] == 4) & (frame["scheduled_s"] < 5.0)
        return frame.assign(outcome=frame["outcome"].mask(cold, "shed"))

    run = a_run().altering_requests(refused).built()

    assert check_severity(run, SeverityCheck(at_most=Severity.NONE)).outcome is Outcome.PASS


def _changed(at_s: float, *, healthy: bool) -> rows.Event:
    return rows.HealthChanged(at_ns=at(at_s), service="us-east-api-1", healthy=healthy)


@pytest.mark.parametrize(
    ("events", "outcome"),
    [
        ([_changed(-2.0, healthy=False), _changed(3.0, healthy=True)], Outcome.PASS),
        ([_changed(-2.0, healthy=True), _changed(3.0, healthy=False)], Outcome.FAIL),
        ([_changed(3.0, healthy=False), _changed(9.0, healthy=True)], Outcome.FAIL),
    ],
    ids=["came up in the warm-up", "went in the warm-up and stayed away", "came back after it"],
)
def test_a_part_that_was_away_from_the_warm_up_on_is_a_risk(events: list[rows.Event], outcome: Outcome) -> None:
    run = a_run().altering_events(lambda its: [*its, *events]).built()

    assert check_severity(run, SeverityCheck(at_most=Severity.NONE)).outcome is outcome


def test_without_a_controller_nobody_knows_that_nothing_was_about_to_happen() -> None:
    silent = a_run().altering_metrics(lambda frame: frame[frame["service"] != "us-east-controller"]).built()

    verdict = check_severity(silent, SeverityCheck(at_most=Severity.NONE))

    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "no controller showed its level or its alerts" in verdict.sentence
