"""What a person sees in the terminal: the live run, verdicts, status tables. Rendering only."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from harness.errors import ExitCode
from harness.experiment.faults import place_of
from harness.observe.overview import LinkView, RegionView
from harness.plan import Plan, WholeFault, whole_faults
from harness.runner import Progress
from harness.suite import Ended
from harness.target.running_target import ServiceStatus
from harness.units import enc_hook
from harness.verify.quantities import ratio
from harness.verify.verdict import Outcome, Verdicts

if TYPE_CHECKING:
    from harness.judging import Tried  # loads the scientific libraries

BADGES = {
    Outcome.PASS: "[green]✓ pass[/]",
    Outcome.INCONCLUSIVE: "[yellow]? inconclusive[/]",
    Outcome.FAIL: "[red]✗ FAIL[/]",
}
EXIT_BADGES = {
    ExitCode.PASS: BADGES[Outcome.PASS],
    ExitCode.FAIL: BADGES[Outcome.FAIL],
    ExitCode.USAGE: "[red]✗ not started[/]",
    ExitCode.INCONCLUSIVE: BADGES[Outcome.INCONCLUSIVE],
    ExitCode.STOPPED: "[yellow]? stopped[/]",
    ExitCode.BROKEN: "[red]✗ not driven[/]",
    ExitCode.UNCLEAN: "[red]✗ UNCLEAN[/]",
}
TRIAL_BADGES = {"exactly": "[green]✓[/]", "no occasion": "[yellow]? no occasion[/]", "wrongly": "[red]✗ WRONG[/]"}
LINE_EVERY_S = 5.0  # without a terminal: a line now and then instead of a picture that moves


@contextmanager
def live_progress(plan: Plan, console: Console) -> Iterator[Callable[[Progress], None]]:
    """Show a run while it is live; a moving table on a terminal, a line every few seconds elsewhere."""
    if not sys.stdout.isatty():
        yield lambda progress: _print_line(plan, progress, console)
        return
    with Live(console=console, refresh_per_second=4, transient=True) as live:
        yield lambda progress: live.update(_picture(plan, progress))


def _print_line(plan: Plan, progress: Progress, console: Console) -> None:
    now_s = plan.duration_s - progress.run_left_s
    if round(now_s) % LINE_EVERY_S == 0:
        _say(console, f"{now_s:4.0f}s  " + "; ".join(f"{name} {value}" for name, value in _figures(plan, progress)))


def _picture(plan: Plan, progress: Progress) -> Panel:
    table = Table.grid(padding=(0, 2))
    for name, value in _figures(plan, progress):
        table.add_row(f"[dim]{name}[/]", Text(value))
    bar = ProgressBar(total=plan.duration_s, completed=plan.duration_s - progress.run_left_s, width=60)
    return Panel(Group(table, bar), title=escape(plan.title), width=100)


def _figures(plan: Plan, progress: Progress) -> list[tuple[str, str]]:
    load, second = progress.load, progress.load.second
    p99 = "–" if load.latency_s_p99 is None else f"{load.latency_s_p99 * 1000:.0f} ms"
    return [
        ("phase", f"{progress.phase}, {progress.left_s:.0f} s left (run {progress.run_left_s:.0f} s)"),
        ("offered", f"{progress.offered_per_s:.0f}/s planned, {second.offered}/s measured"),
        ("answered", f"{second.ok}/s ok, {second.shed}/s shed, {second.failed + second.unknown}/s failed"),
        ("p99", p99),
        ("level", _level_name(plan, progress.level)),
        ("faults", ", ".join(progress.active_faults) or "none"),
    ]


def _level_name(plan: Plan, level: int | None) -> str:
    promise = plan.target.promises.degradation
    names = {} if promise is None else {step.value: step.name for step in promise.levels}
    return "–" if level is None else f"{names.get(level, '?')} ({level})"


def show_verdicts(verdicts: Verdicts, console: Console, *, exit_code: ExitCode, report: Path) -> None:
    """Every verdict with its sentence, and where the report is."""
    for verdict in verdicts.verdicts:
        _say(console, f"{BADGES[verdict.outcome]}  [bold]{escape(verdict.name)}[/]")
        _say(console, f"    {escape(verdict.sentence)}")
    _say(console, f"[bold]{verdicts.outcome}[/] (exit {int(exit_code)})  report: {report}")


def show_suite(ended: Sequence[Ended], console: Console, *, exit_code: ExitCode, junit: Path) -> None:
    """How each experiment of a suite ended, and what that comes to."""
    table = Table("", "experiment", "", box=None)
    for one in ended:
        badge = "[dim]– left out[/]" if one.exit_code is None else EXIT_BADGES[one.exit_code]
        table.add_row(badge, one.experiment, escape(one.sentence))
    console.print()
    console.print(table)
    _say(console, f"[bold]exit {int(exit_code)}[/]  {junit}")


def show_trials(tried: "Tried", console: Console) -> None:
    """Every mutation, the check that has to notice it, and what did."""
    table = Table("", "mutation", "has to flip", "flipped", box=None)
    for trial in tried.trials:
        mutation, badge = trial.mutation, TRIAL_BADGES[trial.noticed]
        table.add_row(badge, mutation.name, mutation.flips, ", ".join(trial.flipped) or "–")
    console.print(f"Mutations of {escape(tried.source)}:")
    console.print(table)
    meaning = {
        ExitCode.PASS: "Each mutation flips exactly its check.",
        ExitCode.FAIL: "A mutation was not noticed, or not by its check alone: do not trust the verdicts.",
    }.get(tried.exit_code, "This history has no occasion for some mutations; nothing else is wrong.")
    _say(console, f"{meaning} (exit {int(tried.exit_code)})")


def _say(console: Console, text: str) -> None:
    """Wrapped for a reader's terminal; as one line for a log that is searched by lines."""
    console.print(text, soft_wrap=not console.is_terminal, highlight=False)


def show_plan(plan: Plan, console: Console) -> None:
    """The plan as a timeline: phases, rate changes, faults, expectations."""
    console.print(f"[bold]{escape(plan.title)}[/]\n{escape(plan.hypothesis)}\n")
    table = Table("at", "until", "what", box=None)
    for start_s, end_s, what in sorted(_moments(plan)):
        table.add_row(f"{start_s:g}s", f"{end_s:g}s", escape(what))
    console.print(table)
    shares = _shares(plan, "")
    shards = "1 shard" if plan.load.shards == 1 else f"{plan.load.shards} shards"
    console.print(f"\n[bold]load[/]  {plan.load.arrivals} arrivals, seed {plan.load.seed}, {shards}: {shares}")
    for phase in plan.phases:
        if own := _shares(plan, phase.name):
            console.print(f"[bold]load[/]  in {phase.name} instead: {own}")
    for check in plan.expect:
        settings = {name: value for name, value in msgspec.to_builtins(check, enc_hook=enc_hook).items() if value}
        kind = settings.pop("check")
        told = "; ".join(f"{name} {_setting(value)}" for name, value in settings.items())
        console.print(f"[bold]expect[/]  {kind}" + escape(f": {told}" if told else ""))


def _shares(plan: Plan, phase: str) -> str:
    """Of what is done in that phase and in no other; the empty name is for what is done in all others."""
    return ", ".join(f"{one.name} {ratio(one.share)}" for one in plan.operations if one.phase == phase)


def _setting(value: object) -> str:
    match value:
        case dict():
            return ", ".join(f"{name} {_setting(of)}" for name, of in value.items())
        case list() | tuple():
            return ", ".join(map(_setting, value))
        case _:
            return str(value)


def _moments(plan: Plan) -> Iterator[tuple[float, float, str]]:
    for phase in plan.phases:
        yield phase.start_s, phase.end_s, f"phase {phase.name}"
    for piece in plan.rate:
        changes = "" if piece.from_per_s == piece.to_per_s else f" → {piece.to_per_s:g}/s"
        yield piece.start_s, piece.end_s, f"rate {piece.from_per_s:g}/s{changes}"
    for fault in whole_faults(plan):
        parts = f" ({', '.join(_places(fault))})" if fault.is_on_region else ""
        yield fault.inject_s, fault.revert_s, f"fault {fault.id} on {fault.where}{parts}"


def _places(fault: WholeFault) -> list[str]:
    """The services or links that a fault on a region attacks, each once."""
    return list(dict.fromkeys(place_of(part.fault) for part in fault.parts))


def show_regions(regions: list[RegionView], links: list[LinkView], console: Console) -> None:
    table = Table("region", "healthy", "level", "its users", "their writes", box=None)
    for view in regions:
        writes = {True: "here", False: "elsewhere", None: "–"}[view.takes_writes]
        table.add_row(
            view.region, f"{view.healthy} of {view.services}", _or_dash(view.level), ratio(view.share), writes
        )
    console.print()
    console.print(table)
    table = Table("link", "state", "replication lag", box=None)
    for link in links:
        state = "[green]whole[/]" if link.state == "whole" else f"[red]{escape(link.state)}[/]"
        table.add_row(link.link, state, "" if link.lag_s is None else f"{link.lag_s:.2f} s")
    console.print()
    console.print(table)


def _or_dash(value: int | None) -> str:
    return "–" if value is None else str(value)


def show_status(services: list[ServiceStatus], console: Console) -> None:
    table = Table("service", "port", "runs as", "state", "healthy", "memory", "CPU", box=None)
    for row in services:
        health = "[green]yes[/]" if row.healthy else "[red]no[/]"
        memory, cpu = f"{row.memory_bytes / 1e6:.0f} MB", f"{row.cpu_s:.1f} s"
        table.add_row(row.service, str(row.port), row.where or "–", row.state, health, memory, cpu)
    console.print(table)
