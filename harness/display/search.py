"""What a person sees of a search: a line for each run, and what all of them come to. Rendering only."""

from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from harness.display.runs import BADGES
from harness.errors import ExitCode
from harness.search.bisection import Ending
from harness.search.knee import Knee, Point
from harness.verify.quantities import NOTHING, ratio, seconds


def show_point(point: Point, console: Console) -> None:
    _say(console, f"{BADGES[point.outcome]}  [bold]{point.rate}[/]  {escape(point.sentence)}")


def show_knee(knee: Knee, console: Console, *, exit_code: ExitCode, folder: Path) -> None:
    """The runs by their rate, and the answer."""
    table = Table("offered", "", "timed", "p99", "good", "run", box=None)
    for point in sorted(knee.points, key=lambda point: point.rate):
        timed = NOTHING if point.timed is None else f"{point.timed:,}"
        good = NOTHING if point.goodput_per_s is None else f"{point.goodput_per_s:,.1f}/s"
        table.add_row(str(point.rate), BADGES[point.outcome], timed, seconds(point.latency_p99_s), good, point.run)
    console.print(table)
    _say(console, f"[dim]{escape('; '.join(knee.subject.objectives))}[/]")
    _say(console, f"[bold]{escape(knee.sentence)}[/]")
    if knee.ending is Ending.FOUND:
        regions, replicas = knee.subject.regions, knee.subject.replicas
        _say(console, f"{knee.per_region} a region of {regions}, {knee.per_replica} a replica of {replicas}.")
    if knee.share_of_capacity is not None:
        _say(console, f"{ratio(knee.share_of_capacity)} of the capacity, {knee.subject.capacity}.")
    files = f"result: {folder / 'knee.json'}  page: {folder / 'knee.html'}"
    _say(console, f"[bold]{knee.ending}[/] (exit {int(exit_code)})  {escape(files)}")


def _say(console: Console, text: str) -> None:
    console.print(text, soft_wrap=not console.is_terminal, highlight=False)
