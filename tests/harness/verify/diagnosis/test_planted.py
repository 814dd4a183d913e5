"""Each cause that the reference system's runbook names is planted by an experiment, which expects that it is found."""

from pathlib import Path

from harness.experiment.expectations.diagnosis import DiagnosisCheck
from harness.loader import load_experiment

EXPERIMENTS = Path(__file__).parents[4] / "experiments"
# Redis holds what would be invalidated, and nothing else is slow for want of it; late posts make no timeline slow.
NOT_PLANTED = {("timeline_latency", "invalidation_storm"), ("timeline_latency", "fan_out")}


def test_every_cause_is_planted_somewhere() -> None:
    loaded = [load_experiment(path) for path in sorted(EXPERIMENTS.glob("*.yaml"))]
    planted = {
        (check.symptom, check.cause)
        for one in loaded
        for check in one.experiment.expect
        if isinstance(check, DiagnosisCheck) and check.symptom is not None
    }
    runbook = loaded[0].target.runbook
    assert runbook is not None
    causes = {(name, cause) for name, symptom in runbook.symptoms.items() for cause in symptom.causes}

    assert causes - planted == NOT_PLANTED
