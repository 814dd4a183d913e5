"""The promise beside the share: pass, fail and the doubt between."""

import pytest

from harness.experiment.expectations.severity import Severity, SeverityCheck
from harness.units import Seconds
from harness.verify.severity.check import check_severity
from harness.verify.verdict import Outcome
from tests.harness.a_run import RunBuilder, a_run
from tests.harness.report import some


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


def test_without_a_controller_nobody_knows_that_nothing_was_about_to_happen() -> None:
    silent = a_run().altering_metrics(lambda frame: frame[frame["service"] != "us-east-controller"]).built()

    verdict = check_severity(silent, SeverityCheck(at_most=Severity.NONE))

    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "no controller showed its level or its alerts" in verdict.sentence
