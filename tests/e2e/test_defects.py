"""Every planted defect turns its experiment red, by the check that should see it."""

import itertools
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from harness.verify.verdict import Outcome
from tests.e2e.gameday_process import Finished, run_experiment
from tests.e2e.matrix import DEFECTS, HARNESS_DEFECTS, Cell

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

# Capacity is modelled, so several systems may share a machine without changing each other's verdicts.
SIDE_BY_SIDE = 3
FIRST_LOOPBACK = 31
# What is red does not need the long baseline that a pass needs for its error bars.
SHORTER = ("--set", "warm_up=3s", "--set", "baseline=8s")


class Farm:
    """Runs experiments side by side, each on a loopback address of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pool = ThreadPoolExecutor(max_workers=SIDE_BY_SIDE)
        self.free = list(range(FIRST_LOOPBACK, FIRST_LOOPBACK + SIDE_BY_SIDE))
        self.numbers = itertools.count()

    def submit(self, experiment: str, *options: str) -> Future[Finished]:
        runs = self.folder / f"runs-{next(self.numbers)}"
        return self.pool.submit(self._run, experiment, options, runs)

    def _run(self, experiment: str, options: tuple[str, ...], runs: Path) -> Finished:
        address = self.free.pop()
        try:
            return run_experiment(experiment, *options, runs=runs, loopback=f"127.0.0.{address}")
        finally:
            self.free.append(address)


@pytest.fixture(scope="module")
def results(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Future[Finished]]]:
    """Starts the runs of all selected tests at once; each test waits for its own."""
    farm = Farm(tmp_path_factory.mktemp("farm"))
    selected = {item.callspec.id for item in request.session.items if hasattr(item, "callspec")}
    futures = {
        cell.defect: farm.submit(cell.experiment, *SHORTER, "--defect", cell.defect)
        for cell in DEFECTS
        if cell.defect in selected
    } | {
        defect: farm.submit(experiment, *SHORTER, "--harness-defect", defect)
        for defect, experiment, _ in HARNESS_DEFECTS
        if defect in selected
    }
    yield futures
    farm.pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("cell", DEFECTS, ids=lambda cell: cell.defect)
def test_a_planted_defect_is_caught_by_its_check(cell: Cell, results: dict[str, Future[Finished]]) -> None:
    finished = results[cell.defect].result()

    assert finished.exit_code == 1, finished.output
    failed = {verdict.check for verdict in finished.verdicts.verdicts if verdict.outcome is Outcome.FAIL}
    assert cell.check in failed, finished.output


@pytest.mark.parametrize(
    ("defect", "experiment", "exit_code"), HARNESS_DEFECTS, ids=[row[0] for row in HARNESS_DEFECTS]
)
def test_a_defect_of_the_harness_never_passes_nor_blames_the_system(
    defect: str, experiment: str, exit_code: int, results: dict[str, Future[Finished]]
) -> None:
    finished = results[defect].result()

    assert finished.exit_code == exit_code, finished.output
