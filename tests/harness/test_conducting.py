"""How a run ends where its end goes wrong."""

from pathlib import Path

from harness import gameday
from harness.errors import TargetError
from harness.interrupts import run_through
from harness.record.reader import read_run
from harness.runner import Conductor
from tests.harness.loading.an_experiment import ROOT


class GoneTarget:
    """Whose engine does not answer any more."""

    def __init__(self) -> None:
        self.powers = frozenset[str]()

    def address(self, service: str) -> tuple[str, int]:
        del service
        return "127.0.0.1", 1

    async def about(self) -> dict[str, str]:
        return {}

    def log_files(self) -> dict[str, Path]:
        raise TargetError("the engine does not answer")


def test_a_target_that_is_gone_in_the_end_leaves_a_whole_record(tmp_path: Path) -> None:
    plan = gameday.make_plan(ROOT / "experiments" / "steady_state.yaml", short=True)

    def conductor(interrupts: object) -> Conductor:
        return Conductor(plan, GoneTarget(), tmp_path, log_marks={}, interrupts=interrupts)  # type: ignore[arg-type]

    async def conduct(interrupts: object) -> Conductor:
        one = conductor(interrupts)
        one.stop.ask("operator", "before it began")
        result = await one.conduct()
        assert (result.stopped_by, result.unclean) == ("operator", "")
        return one

    ended = run_through(conduct)

    assert read_run(ended.folder).plan.experiment == plan.experiment
