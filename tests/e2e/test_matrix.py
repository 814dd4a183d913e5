"""The clean system passes every experiment; every planted defect is red by the check that should see it; every defect
of the harness is neither a pass nor a red. Whatever happens, every scheduled request has exactly one outcome.

A run that says that it cannot tell is made again, once, alone, and that is printed; one that blames or clears where it
should not is not."""

import re
from collections.abc import Iterator
from concurrent.futures import Future

import pytest

from harness.errors import ExitCode
from harness.verify.verdict import Outcome
from tests.e2e.farm import Farm
from tests.e2e.gameday_process import EXPERIMENTS, RUNTIME, Finished, scheduled_requests
from tests.e2e.matrix import CLEAN, HARNESS_DEFECTS, PLANTED, Cell

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.measured]

CELLS = tuple(cell for cell in (*CLEAN, *PLANTED, *HARNESS_DEFECTS) if RUNTIME in cell.runtimes)
PARAMETERS = [pytest.param(cell, id=cell.name, marks=() if cell.gate else pytest.mark.nightly) for cell in CELLS]
REPORTS = {"verdicts.json", "report.html", "report.md", "junit.xml", "SEALED"}


@pytest.fixture(scope="module")
def farm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Farm]:
    farm = Farm(tmp_path_factory.mktemp("farm"))
    yield farm
    farm.close()


@pytest.fixture(scope="module")
def results(request: pytest.FixtureRequest, farm: Farm) -> dict[str, Future[Finished]]:
    """Begins the runs of all selected tests at once; each test waits for its own."""
    selected = {
        item.callspec.id
        for item in request.session.items
        if isinstance(item, pytest.Function) and hasattr(item, "callspec")
    }
    return {
        cell.name: farm.submit(cell.experiment, *cell.options, alone=cell.needs_a_calm_start)
        for cell in CELLS
        if cell.name in selected
    }


def test_every_experiment_of_the_repository_is_in_the_matrix() -> None:
    assert {cell.experiment for cell in CLEAN} == {path.stem for path in EXPERIMENTS.glob("*.yaml")}


@pytest.mark.parametrize("cell", PARAMETERS)
def test_a_run_ends_as_it_should(
    cell: Cell, results: dict[str, Future[Finished]], farm: Farm, capsys: pytest.CaptureFixture[str]
) -> None:
    finished = results[cell.name].result()
    if finished.exit_code == ExitCode.INCONCLUSIVE != cell.exit_code:
        with capsys.disabled():
            print(f"\n{cell.name} could not tell, and is made again:\n{finished.why_inconclusive()}")
        finished = farm.submit(cell.experiment, *cell.options, alone=True).result()

    assert finished.exit_code == cell.exit_code, finished.output
    if cell.check:
        red = [verdict for verdict in finished.verdicts_of(cell.check) if verdict.outcome is not Outcome.PASS]
        assert any(re.search(cell.why, verdict.sentence) for verdict in red), finished.output
    if cell.exit_code == ExitCode.FAIL:
        failed = {verdict.check for verdict in finished.verdicts.verdicts if verdict.outcome is Outcome.FAIL}
        assert cell.check in failed, finished.output
    run = finished.run
    assert run.requests["outcome"].notna().sum() == len(run.requests) == scheduled_requests(run) > 0
    assert {path.name for path in finished.folder.iterdir()} >= REPORTS
