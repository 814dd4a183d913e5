"""Whole experiments in containers: those that only containers can do, and what is left on the engine afterwards."""

from pathlib import Path

import pytest

from harness.record import rows
from tests.e2e.docker.system import LOOPBACK, snapshot
from tests.e2e.gameday_process import run_experiment, scheduled_requests

pytestmark = [pytest.mark.docker, pytest.mark.e2e, pytest.mark.slow]


@pytest.mark.parametrize("experiment", ["crashed_database"])
def test_an_experiment_passes_and_leaves_nothing(experiment: str, tmp_path: Path) -> None:
    before = snapshot()

    finished = run_experiment(experiment, runs=tmp_path, loopback=LOOPBACK, runtime="docker")

    assert finished.exit_code == 0, finished.output
    assert snapshot() == before
    run = finished.run
    assert run.requests["outcome"].notna().sum() == len(run.requests) == scheduled_requests(run) > 0
    assert run.environment.runtime == "docker"
    assert run.environment.versions["docker engine"].startswith("Docker Engine ")
    assert {path.stem for path in (finished.folder / "logs").iterdir()} == set(run.plan.target.services)
    assert not [event for event in run.events if isinstance(event, rows.ServiceExited) and not event.expected]
