"""Faults outside of a run: one by hand, and those that dead runs left behind."""

from pathlib import Path

from rich.console import Console
from rich.markup import escape

from harness import gameday
from harness.errors import ExitCode, ExperimentError
from harness.faults.revert import revert_leftovers
from harness.loader import load_fault, load_target
from harness.units import Seconds


def inject(console: Console, text: str, *, lasts: str, target: Path, loopback: str, runs: Path) -> ExitCode:
    """One fault by hand: the same journal, guard and canary as in a run, without load and without a verdict."""
    spec = load_target(target)
    try:
        lasts_s = Seconds.parse(lasts)
    except ValueError as error:
        raise ExperimentError(f"--lasts: {error}") from None
    fault = load_fault(text, lasts=lasts_s, target=spec)
    gameday.inject_by_hand(
        fault,
        spec,
        gameday.Place(runs=runs, loopback=loopback),
        target_path=target,
        on_stage=lambda line: console.print(escape(line), soft_wrap=True),
    )
    return ExitCode.PASS


def revert(console: Console, target: Path, runs: Path) -> ExitCode:
    outcome = revert_leftovers(runs, *gameday.all_states(target))
    for leftover in outcome.reverted:
        console.print(f"reverted: {escape(leftover.sentence())}", soft_wrap=True)
    for leftover in outcome.stuck:
        lines = "\n  ".join([leftover.sentence(), *leftover.commands])
        console.print(f"[red]stuck:[/] {escape(lines)}", soft_wrap=True)
    if not outcome.reverted and not outcome.stuck:
        console.print("Nothing is left over: every fault of every run is reverted.")
    return ExitCode.UNCLEAN if outcome.stuck else ExitCode.PASS
