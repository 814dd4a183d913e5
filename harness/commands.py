"""What each command of `gameday` does: calls the steps, shows what came of them, and gives the exit code."""

import asyncio
import sys
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, cast, get_args

import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from harness import clock, display, display_capacity, display_diagnosis, display_search, gameday
from harness.capacity.inputs import Inputs, TimelineApiInputs, why_out_of_range
from harness.capacity.plan import MAX_YEARS
from harness.capacity.plan import plan as capacity_plan
from harness.capacity.timeline_api import ServerRate
from harness.errors import ExitCode, ExperimentError, TargetError
from harness.experiment import Suite
from harness.faults.revert import leftovers, revert_leftovers
from harness.loader import load_capacity_inputs, load_fault, load_target
from harness.loading.schema import json_schema
from harness.observe.overview import overview
from harness.plan import Plan
from harness.record.writer import create_run_folder
from harness.runner import RunResult
from harness.search.bisection import COARSEST, FEWEST_RUNS, FINEST, MOST_RUNS, Ending, Search, standing
from harness.search.knee import JudgedBy, Knee, read_knee
from harness.suite import BUDGET_S, Ended, exit_code, parts_of, planned_time_s, run_all
from harness.target import runtimes
from harness.target.lock import locked
from harness.units import PerSecond, Ratio, Seconds, enc_hook

if TYPE_CHECKING:
    from harness.judging import Diagnosed, Judged  # these load the scientific libraries
    from harness.report.junit import Unjudged
    from harness.report.summary import Summary


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
    _, judged = _run(console, plan, place=place, harness_defect=harness_defect)
    return judged.exit_code


def _run(
    console: Console, plan: Plan, *, place: gameday.Place, harness_defect: str | None = None
) -> tuple[RunResult, "Judged"]:
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
    judged = _judge(console, result.folder)
    if result.unclean:
        console.print(f"[red]unclean:[/] {escape(result.unclean)}", soft_wrap=True)
    return result, judged


def suite(console: Console, name: Suite, *, folder: Path, runtime: str, place: gameday.Place) -> ExitCode:
    """Every experiment of a suite, one after the other. The JUnit file of all is written anew after each."""
    from harness.report.write import write_suite_junit  # noqa: PLC0415 - as in `judge`

    parts = parts_of(name, folder, runtime=runtime)
    planned_min, budget_min = planned_time_s(parts) / 60, BUDGET_S[name] / 60
    console.print(f"{name}: {len(parts)} experiments, about {planned_min:.0f} min of at most {budget_min:.0f}")
    junit = place.runs / f"{name}.junit.xml"
    ended: list[Ended] = []
    for one in run_all(parts, partial(_run_of_suite, console, place)):
        ended.append(one)
        write_suite_junit([_reported(each) for each in ended], junit)
    display.show_suite(ended, console, exit_code=exit_code(ended), junit=junit)
    return exit_code(ended)


def _reported(ended: Ended) -> "Summary | Unjudged":
    from harness.report.junit import Unjudged  # noqa: PLC0415 - as in `judge`

    left_out = ended.exit_code is None
    return ended.reported or Unjudged(experiment=ended.experiment, why=ended.sentence, error=not left_out)


def _run_of_suite(console: Console, place: gameday.Place, plan: Plan) -> Ended:
    from harness.report.summary import summarise  # noqa: PLC0415 - as in `judge`

    result, judged = _run(console, plan, place=place)
    summary = summarise(judged.run, judged.verdicts)
    return Ended(
        experiment=plan.experiment,
        exit_code=judged.exit_code,
        sentence=summary.headline,
        reported=summary,
        is_last=judged.exit_code is ExitCode.UNCLEAN or result.stopped_by == "operator",
    )


def knee(
    console: Console,
    experiment: Path,
    *,
    short: bool,
    overrides: list[str],
    defect: str | None,
    search: Search,
    judged_by: str,
    phase: str,
    capacity: str | None,
    place: gameday.Place,
    runtime: str,
    searches: Path,
) -> ExitCode:
    from harness import searching  # noqa: PLC0415 - as in `judge`

    assigned = _assignments(overrides)
    if searching.RATE in assigned:
        raise ExperimentError(f"--set {searching.RATE}: is what the search changes. Use --within.")

    def plan_at(rate: PerSecond) -> Plan:
        at = {**assigned, searching.RATE: str(rate)}
        return gameday.make_plan(experiment, short=short, overrides=at, defect=defect, runtime=runtime)

    def attempt(plan: Plan) -> searching.Attempt:
        with display.live_progress(plan, console) as on_progress:
            return searching.attempt(plan, place, on_progress=on_progress)

    def show(knee: Knee) -> None:
        searching.write_knee(knee, folder)
        display_search.show_point(knee.points[-1], console)

    known = None if capacity is None else _capacity(capacity)
    question = searching.Question(judged_by=_judged_by(judged_by), phase=phase, capacity=known)
    searching.subject_of(plan_at(search.low), question)  # whatever is wrong is told before a folder is made
    folder = create_run_folder(searches, name=experiment.stem, at=clock.utc_now())
    searched = searching.find_knee(plan_at, search, question, attempt=attempt, on_point=show)
    if searched.why:
        console.print(f"[yellow]the search ended early:[/] {escape(searched.why)}", soft_wrap=True)
    display_search.show_knee(searched.knee, console, exit_code=searched.exit_code, folder=folder)
    return searched.exit_code


def search_of(within: str, *, resolution: str, at_most: int) -> Search:
    """`--within 100/s..400/s` and its companions; ExperimentError says which one makes no sense."""
    low, dots, high = within.partition("..")
    if not dots:
        raise ExperimentError(f'--within {within}: write it as LOW..HIGH, like "--within 100/s..400/s".')
    try:
        search = Search(
            low=PerSecond.parse(low), high=PerSecond.parse(high), resolution=Ratio.parse(resolution), at_most=at_most
        )
    except ValueError as error:
        raise ExperimentError(f"--within {within} --resolution {resolution}: {error}.") from None
    if not 0 < search.low < search.high:
        raise ExperimentError(f"--within {within}: the first rate has to be above 0 and below the second.")
    if not FINEST <= search.resolution <= COARSEST:
        raise ExperimentError(f"--resolution {resolution}: must be from {FINEST} to {COARSEST}.")
    if not FEWEST_RUNS <= at_most <= MOST_RUNS:
        raise ExperimentError(f"--at-most {at_most}: must be from {FEWEST_RUNS} to {MOST_RUNS} runs.")
    return search


def _capacity(text: str) -> PerSecond:
    try:
        rate = PerSecond.parse(text)
    except ValueError as error:
        raise ExperimentError(f"--capacity: {error}.") from None
    if not rate > 0:
        raise ExperimentError(f"--capacity {text}: has to be above 0.")
    return rate


def _judged_by(word: str) -> JudgedBy:
    known = get_args(JudgedBy)
    if word not in known:
        near = get_close_matches(word, known, n=1)
        hint = f' Did you mean "{near[0]}"?' if near else ""
        raise ExperimentError(f"--judged-by {word}: is nothing to search by.{hint} Known: {', '.join(known)}.")
    return cast("JudgedBy", word)


def judge(console: Console, folder: Path) -> ExitCode:
    return _judge(console, folder).exit_code


def _judge(console: Console, folder: Path) -> "Judged":
    from harness.judging import judge_run  # noqa: PLC0415 - loads the scientific libraries; other commands are quicker

    judged = judge_run(folder)
    display.show_verdicts(judged.verdicts, console, exit_code=judged.exit_code, report=judged.report)
    return judged


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
    from harness.verify.failover.series import exit_code as worst_of  # noqa: PLC0415 - as in `judge`
    from harness.verify.failover.series import in_words  # noqa: PLC0415 - as in `judge`

    found = judge_series(folders)
    for check, series in found:
        console.print(f"users of {check.cohort}: {in_words(series, str(check.rto))}", highlight=False, soft_wrap=True)
    return worst_of([series for _, series in found])


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
    console: Console,
    inputs: Path | None,
    *,
    years: int,
    rps_per_server: str | None,
    measured: Path | None,
    as_json: bool,
) -> ExitCode:
    if not 0 <= years <= MAX_YEARS:
        raise ExperimentError(f"--years {years}: must be from 0 to {MAX_YEARS}.")
    if measured is not None and rps_per_server is not None:
        raise ExperimentError("--measured and --rps-per-server both say what a server does. Give one of them.")
    server = None if rps_per_server is None else _server_rate(rps_per_server)
    server = server if measured is None else _measured(measured)
    plan = capacity_plan(Inputs() if inputs is None else load_capacity_inputs(inputs), years=years, server=server)
    if as_json:
        _print_json(plan)
    else:
        display_capacity.show_capacity(plan, console)
    return ExitCode.PASS


def _measured(path: Path) -> ServerRate:
    """The rate of a replica from a search for the knee of latency and errors; ExperimentError where it is none."""
    knee = read_knee(path)
    if knee.subject.judged_by != "slo":
        raise ExperimentError(
            f"{path}: was searched by {knee.subject.judged_by}. A server's capacity is how much it serves in time: "
            "search by slo."
        )
    if knee.subject.defect is not None:
        raise ExperimentError(f"{path}: was searched with the defect {knee.subject.defect}, which is no server's rate.")
    if knee.ending is not Ending.FOUND or knee.per_replica is None:
        raise ExperimentError(f"{path}: knows no server's rate. {knee.sentence}")
    wrong = why_out_of_range(TimelineApiInputs, "rps_per_server", knee.per_replica)
    if wrong:
        raise ExperimentError(f"{path}: {knee.per_replica} a replica: {wrong}.")
    source = f"measured by {knee.subject.experiment} on {knee.subject.target}, {', '.join(knee.subject.objectives)}"
    if not standing([point.trial for point in knee.points]).confirmed:
        source += "; no second run has confirmed it"
    return ServerRate(rps=knee.per_replica, source=source)


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
