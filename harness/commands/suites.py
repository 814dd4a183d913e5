"""All experiments of a suite."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from harness import gameday
from harness.commands.running import run_and_judge
from harness.display.runs import show_suite
from harness.errors import ExitCode
from harness.experiment.experiment import Suite
from harness.plan import Plan
from harness.suite import BUDGET_S, Ended, exit_code, parts_of, planned_time_s, run_all

if TYPE_CHECKING:
    from harness.report.junit import Unjudged  # these load the scientific libraries
    from harness.report.summary import Summary


def suite(console: Console, name: Suite, *, folder: Path, runtime: str, place: gameday.Place) -> ExitCode:
    """Every experiment of a suite, one after the other. The JUnit file of all is written anew after each."""
    from harness.report.write import write_suite_junit  # noqa: PLC0415 - loads the scientific libraries

    parts = parts_of(name, folder, runtime=runtime)
    planned_min, budget_min = planned_time_s(parts) / 60, BUDGET_S[name] / 60
    console.print(f"{name}: {len(parts)} experiments, about {planned_min:.0f} min of at most {budget_min:.0f}")
    junit = place.runs / f"{name}.junit.xml"
    ended: list[Ended] = []
    for one in run_all(parts, partial(_run_of_suite, console, place)):
        ended.append(one)
        write_suite_junit([_reported(each) for each in ended], junit)
    show_suite(ended, console, exit_code=exit_code(ended), junit=junit)
    return exit_code(ended)


def _reported(ended: Ended) -> "Summary | Unjudged":
    from harness.report.junit import Unjudged  # noqa: PLC0415 - loads the scientific libraries

    left_out = ended.exit_code is None
    return ended.reported or Unjudged(experiment=ended.experiment, why=ended.sentence, error=not left_out)


def _run_of_suite(console: Console, place: gameday.Place, plan: Plan) -> Ended:
    from harness.report.summary import summarise  # noqa: PLC0415 - loads the scientific libraries

    result, judged = run_and_judge(console, plan, place=place)
    summary = summarise(judged.run, judged.verdicts)
    return Ended(
        experiment=plan.experiment,
        exit_code=judged.exit_code,
        sentence=summary.headline,
        reported=summary,
        is_last=judged.exit_code is ExitCode.UNCLEAN or result.stopped_by == "operator",
    )
