"""What each command of `gameday` does: calls the steps, shows what came of them, and gives the exit code."""

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from harness import display, display_capacity, display_diagnosis, gameday
from harness.capacity.inputs import Inputs, TimelineApiInputs, why_out_of_range
from harness.capacity.plan import MAX_YEARS
from harness.capacity.plan import plan as capacity_plan
from harness.capacity.timeline_api import ServerRate
from harness.errors import ExitCode, ExperimentError, TargetError
from harness.faults.revert import leftovers, revert_leftovers
from harness.loader import load_capacity_inputs, load_fault, load_target
from harness.loading.schema import json_schema
from harness.observe.overview import overview
from harness.plan import Plan
from harness.target import runtimes
from harness.target.lock import locked
from harness.units import PerSecond, Seconds, enc_hook

if TYPE_CHECKING:
    from harness.judging import Diagnosed  # loads the scientific libraries


def plan_of(experiment: Path, short: bool, overrides: list[str], defect: str | None, runtime: str) -> Plan:
    return gameday.make_plan(experiment, short=short, overrides=_assignments(overrides), defect=defect, runtime=runtime)


def _assignments(overrides: list[str]) -> dict[str, str]:
    for text in overrides:
        if "=" not in text:
            raise ExperimentError(f'--set {text}: write it as NAME=VALUE, like "--set baseline=10s".')
    return dict(text.split("=", 1) for text in overrides)


def show_plan(console: Console, plan: Plan, *, as_json: bool) -> ExitCode:
    if as_json:
        _print_json(plan)
    else:
        display.show_plan(plan, console)
    return ExitCode.PASS


def _print_json(value: object) -> None:
    sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(value, enc_hook=enc_hook)) + b"\n")


def run(console: Console, plan: Plan, *, place: gameday.Place, harness_defect: str | None) -> ExitCode:
    console.print(f"[bold]{escape(plan.title)}[/]  ({plan.duration_s:.0f} s)")
    with display.live_progress(plan, console) as on_progress:
        result = gameday.run_plan(
            plan,
            place,
            harness_defect=harness_defect,
            on_progress=on_progress,
            on_stage=lambda text: console.print(f"[dim]{escape(text)}[/]"),
        )
    if result.stopped_by is not None:
        console.print(f"[yellow]stopped by {result.stopped_by}:[/] {escape(result.reason)}", soft_wrap=True)
    code = judge(console, result.folder)
    if result.unclean:
        console.print(f"[red]unclean:[/] {escape(result.unclean)}", soft_wrap=True)
    return code


def judge(console: Console, folder: Path) -> ExitCode:
    from harness.judging import judge_run  # noqa: PLC0415 - loads the scientific libraries; other commands are quicker

    judged = judge_run(folder)
    display.show_verdicts(judged.verdicts, console, exit_code=judged.exit_code, report=judged.report)
    return judged.exit_code


def report(console: Console, folder: Path) -> ExitCode:
    from harness.judging import judge_run  # noqa: PLC0415 - as in `judge`

    console.print(str(judge_run(folder).report), soft_wrap=True)
    return ExitCode.PASS


def selftest(console: Console, folder: Path | None) -> ExitCode:
    from harness.judging import try_the_checks  # noqa: PLC0415 - as in `judge`

    tried = try_the_checks(folder)
    display.show_trials(tried, console)
    return tried.exit_code


def revert(console: Console, runs: Path) -> ExitCode:
    outcome = revert_leftovers(runs)
    for leftover in outcome.reverted:
        console.print(f"reverted: {escape(leftover.sentence())}", soft_wrap=True)
    for leftover in outcome.stuck:
        console.print(f"[red]stuck:[/] {escape(leftover.sentence())}\n  " + "\n  ".join(leftover.commands))
    if not outcome.reverted and not outcome.stuck:
        console.print("Nothing is left over: every fault of every run is reverted.")
    return ExitCode.UNCLEAN if outcome.stuck else ExitCode.PASS


def list_runs(console: Console, folder: Path) -> ExitCode:
    from harness.record.reader import runs as recorded_runs  # noqa: PLC0415 - as in `judge`

    table = Table("run", "experiment", "outcome", "", box=None)
    for summary in recorded_runs(folder):
        remark = summary.problem or ("" if summary.sealed else "not finished")
        table.add_row(summary.run_id, escape(summary.title), summary.outcome or "–", escape(remark))
    console.print(table)
    return ExitCode.PASS


def series(console: Console, folders: list[Path]) -> ExitCode:
    from harness.judging import judge_series  # noqa: PLC0415 - as in `judge`
    from harness.verify.failover.series import exit_code, in_words  # noqa: PLC0415 - as in `judge`

    found = judge_series(folders)
    for check, series in found:
        console.print(f"users of {check.cohort}: {in_words(series, str(check.rto))}", highlight=False, soft_wrap=True)
    return exit_code([series for _, series in found])


def up(console: Console, target: Path, *, choice: runtimes.Choice, defect: str | None) -> ExitCode:
    runtimes.check_runtime(choice.runtime)
    spec = load_target(target)
    state_dir = gameday.Place(runs=Path(), loopback=choice.loopback).state_of(target)
    with locked(state_dir, purpose="its start", for_s=60):
        if runtimes.running(spec, state_dir) is not None:
            raise TargetError(f"{spec.name} is up already on {choice.loopback}. Run: gameday status, or gameday down.")
        running = asyncio.run(runtimes.up(choice, spec, target, state_dir=state_dir, defect=defect))
    host, port = running.address(spec.entry)
    console.print(f"{spec.name} is up: http://{host}:{port}  (stop it with: gameday down)", soft_wrap=True)
    return ExitCode.PASS


def down(console: Console, target: Path, loopback: str) -> ExitCode:
    spec = load_target(target)
    state_dir = gameday.Place(runs=Path(), loopback=loopback).state_of(target)
    with locked(state_dir, purpose="its stop", for_s=30):
        running = runtimes.running(spec, state_dir)
        if running is None:
            _say_not_up(console, spec.name, target, loopback)
            return ExitCode.PASS
        asyncio.run(running.down())
    console.print(f"{spec.name} is down.")
    return ExitCode.PASS


def _say_not_up(console: Console, name: str, target: Path, loopback: str) -> None:
    console.print(f"{name} is not up on {loopback}.")
    for other in gameday.others_up(target, loopback):
        console.print(f"Up there is another one: --target {escape(other)}", soft_wrap=True)


def status(console: Console, target: Path, loopback: str, runs: Path) -> ExitCode:
    spec = load_target(target)
    running = runtimes.running(spec, gameday.Place(runs=runs, loopback=loopback).state_of(target))
    if running is None:
        _say_not_up(console, spec.name, target, loopback)
    else:
        services = asyncio.run(running.status())
        display.show_status(services, console)
        regions, links = asyncio.run(overview(running, [row.service for row in services if row.healthy]))
        display.show_regions(regions, links, console)
    left = leftovers(runs)
    for leftover in left:
        console.print(f"[red]not reverted:[/] {escape(leftover.sentence())}", soft_wrap=True)
    if not left:
        console.print("Every fault of every run is reverted.")
    return ExitCode.UNCLEAN if left else ExitCode.PASS


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


def diagnose(console: Console, folder: Path, *, as_json: bool) -> ExitCode:
    from harness.judging import diagnose_run  # noqa: PLC0415 - as in `judge`

    return _show_diagnosis(console, diagnose_run(folder), as_json=as_json)


def diagnose_live(
    console: Console, target: Path, loopback: str, *, watch: str, usual: Path | None, as_json: bool
) -> ExitCode:
    from harness.judging import diagnose_samples  # noqa: PLC0415 - as in `judge`

    spec = load_target(target)
    try:
        for_s = Seconds.parse(watch)
    except ValueError as error:
        raise ExperimentError(f"--for: {error}") from None
    samples = gameday.watch(spec, target, loopback, for_s=for_s)
    return _show_diagnosis(console, diagnose_samples(samples, spec, for_s=for_s, usual=usual), as_json=as_json)


def _show_diagnosis(console: Console, found: "Diagnosed", *, as_json: bool) -> ExitCode:
    if as_json:
        _print_json(found.findings)
    else:
        display_diagnosis.show_diagnosis(found, console)
    return ExitCode.PASS


def capacity(
    console: Console, inputs: Path | None, *, years: int, rps_per_server: str | None, as_json: bool
) -> ExitCode:
    if not 0 <= years <= MAX_YEARS:
        raise ExperimentError(f"--years {years}: must be from 0 to {MAX_YEARS}.")
    server = None if rps_per_server is None else _server_rate(rps_per_server)
    plan = capacity_plan(Inputs() if inputs is None else load_capacity_inputs(inputs), years=years, server=server)
    if as_json:
        _print_json(plan)
    else:
        display_capacity.show_capacity(plan, console)
    return ExitCode.PASS


def _server_rate(text: str) -> ServerRate:
    try:
        rps = PerSecond.parse(text)
    except ValueError as error:
        raise ExperimentError(f"--rps-per-server: {error}.") from None
    wrong = why_out_of_range(TimelineApiInputs, "rps_per_server", rps)
    if wrong:
        raise ExperimentError(f"--rps-per-server {text}: {wrong}.")
    return ServerRate(rps=rps, source="given with --rps-per-server")


def print_schema() -> ExitCode:
    _print_json(json_schema())
    return ExitCode.PASS
