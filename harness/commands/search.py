"""The search for a knee, by running an experiment again and again."""

from difflib import get_close_matches
from pathlib import Path
from typing import cast, get_args

from rich.console import Console
from rich.markup import escape

from harness import clock, gameday
from harness.commands.plans import assignments
from harness.display.runs import live_progress
from harness.display.search import show_knee, show_point
from harness.errors import ExitCode, ExperimentError
from harness.plan import Plan
from harness.record.writer import create_run_folder
from harness.search.bisection import COARSEST, FEWEST_RUNS, FINEST, MOST_RUNS, Search
from harness.search.knee import JudgedBy, Knee
from harness.units import PerSecond, Ratio


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
    from harness import searching  # noqa: PLC0415 - loads the scientific libraries

    assigned = assignments(overrides)
    if searching.RATE in assigned:
        raise ExperimentError(f"--set {searching.RATE}: is what the search changes. Use --within.")

    def plan_at(rate: PerSecond) -> Plan:
        at = {**assigned, searching.RATE: str(rate)}
        return gameday.make_plan(experiment, short=short, overrides=at, defect=defect, runtime=runtime)

    def attempt(plan: Plan) -> searching.Attempt:
        with live_progress(plan, console) as on_progress:
            return searching.attempt(plan, place, on_progress=on_progress)

    def show(knee: Knee) -> None:
        searching.write_knee(knee, folder)
        show_point(knee.points[-1], console)

    known = None if capacity is None else _capacity(capacity)
    question = searching.Question(judged_by=_judged_by(judged_by), phase=phase, capacity=known)
    searching.subject_of(plan_at(search.low), question)  # whatever is wrong is told before a folder is made
    folder = create_run_folder(searches, name=experiment.stem, at=clock.utc_now())
    searched = searching.find_knee(plan_at, search, question, attempt=attempt, on_point=show)
    if searched.why:
        console.print(f"[yellow]the search ended early:[/] {escape(searched.why)}", soft_wrap=True)
    show_knee(searched.knee, console, exit_code=searched.exit_code, folder=folder)
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
