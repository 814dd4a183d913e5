"""The clean system passes every experiment, and every run accounts for every request."""

from pathlib import Path

import pytest

from tests.e2e.gameday_process import EXPERIMENTS, Finished, run_experiment, scheduled_requests

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

LOOPBACK = "127.0.0.21"


@pytest.fixture(scope="module", params=sorted(path.stem for path in EXPERIMENTS.glob("*.yaml")))
def finished(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    runs: Path = tmp_path_factory.mktemp("runs")
    return run_experiment(request.param, runs=runs, loopback=LOOPBACK)


def test_the_clean_system_passes(finished: Finished) -> None:
    assert finished.exit_code == 0, finished.output


def test_every_scheduled_request_has_exactly_one_outcome(finished: Finished) -> None:
    run = finished.run
    outcomes = run.requests["outcome"].value_counts()

    assert outcomes.sum() == len(run.requests) == scheduled_requests(run) > 0
    assert run.sealed
    assert not run.damage


def test_all_reports_are_written(finished: Finished) -> None:
    written = {path.name for path in finished.folder.iterdir()}

    assert {"verdicts.json", "report.html", "report.md", "junit.xml", "SEALED"} <= written
