"""One experiment, run and judged."""

from importlib import import_module
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape

from harness import gameday
from harness.commands.records import judge_and_show
from harness.display.runs import live_progress
from harness.errors import ExitCode
from harness.plan import Plan
from harness.runner import RunResult

if TYPE_CHECKING:
    from harness.judging import Judged  # loads the scientific libraries


def run(console: Console, plan: Plan, *, place: gameday.Place, harness_defect: str | None) -> ExitCode:
    _, judged = run_and_judge(console, plan, place=place, harness_defect=harness_defect)
    return judged.exit_code


def run_and_judge(
    console: Console, plan: Plan, *, place: gameday.Place, harness_defect: str | None = None
) -> tuple[RunResult, "Judged"]:
    console.print(f"[bold]{escape(plan.title)}[/]  ({plan.duration_s:.0f} s)")
    with live_progress(plan, console) as on_progress:
        result = gameday.run_plan(
            plan,
            place,
            harness_defect=harness_defect,
            on_progress=on_progress,
            on_stage=lambda text: console.print(f"[dim]{escape(text)}[/]"),
            meanwhile=lambda: import_module("harness.judging"),
        )
    if result.stopped_by is not None:
        console.print(f"[yellow]stopped by {result.stopped_by}:[/] {escape(result.reason)}", soft_wrap=True)
    judged = judge_and_show(console, result.folder)
    if result.unclean:
        console.print(f"[red]unclean:[/] {escape(result.unclean)}", soft_wrap=True)
    return result, judged
