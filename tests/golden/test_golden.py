"""Old evidence stays readable: each folder beside this file is a run as a format version wrote it, never written again.

When the format changes, its version goes up, a run of the new version is added here, and the old ones must still pass
or be refused with a clear sentence.
"""

from pathlib import Path

import pytest

from harness.experiment.expectations.degradation import DegradationCheck
from harness.experiment.expectations.retries import RetriesCheck
from harness.experiment.expectations.slo import SloCheck
from harness.experiment.faults import LatencyFault
from harness.record import rows
from harness.record.reader import Run, read_run
from harness.record.writer import evidence_files

V1 = Path(__file__).parent / "v1"


@pytest.fixture(scope="module")
def run() -> Run:
    return read_run(V1)


def test_a_run_of_version_1_is_whole(run: Run) -> None:
    assert run.sealed
    assert run.damage == ()
    assert len(evidence_files(V1)) == 8


def test_the_plan_of_version_1_means_what_it_meant(run: Run) -> None:
    assert [phase.name for phase in run.plan.phases] == ["warm_up", "baseline", "disturbed", "recovery"]
    assert run.plan.duration_s == 13.0
    fault = run.plan.faults[0].fault
    assert isinstance(fault, LatencyFault)
    assert fault.latency == 0.3
    assert [type(check) for check in run.plan.expect] == [SloCheck, DegradationCheck, RetriesCheck]
    assert run.plan.target.links["us-east.api->us-east.redis"].probe == "redis"


def test_the_rows_of_version_1_mean_what_they_meant(run: Run) -> None:
    assert len(run.requests) == 390
    assert set(run.requests.outcome) == {rows.Outcome.OK}
    assert run.requests.scheduled_s.min() == pytest.approx(0.0, abs=0.1)
    assert run.requests.scheduled_s.max() == pytest.approx(13.0, abs=0.1)
    assert run.requests.latency_s.between(0.0, 1.0).all()
    assert (run.requests.written != "").any()
    assert set(run.metrics[run.metrics.metric == "degradation_level"].value) == {0.0}


def test_events_journal_and_logs_of_version_1_are_read(run: Run) -> None:
    assert [event.action for event in run.events if isinstance(event, rows.FaultEdge)] == ["inject", "revert"]
    assert [line["state"] for line in run.journal] == ["ARMED", "VERIFIED"]
    controller = run.logs["us-east-controller"]
    assert controller[0]["event"] == "started"
    assert controller[-1] == {"text": "a line that is not JSON", "at_s": None}
