"""knee.html: a search on one page, as p99 and goodput against the offered rate. Drawn as SVG, so it needs no script.

This places everything; the page draws it. Times are on a logarithmic scale, because beyond the knee they explode.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from harness.report import wording
from harness.report.palette import css_variables
from harness.search.bisection import Ending
from harness.search.knee import Knee, Point

HERE = Path(__file__).parent
WIDTH, HEIGHT = 880.0, 260.0
LEFT, RIGHT, TOP, BOTTOM = 76.0, 16.0, 14.0, 34.0
STEPS = (1, 2, 5)  # of each decade a tick may stand at
MOST_TICKS = 6

Scale = Callable[[float], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    at: float
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """One run; `words` are read out and shown by pointing at it."""

    x: float
    y: float
    outcome: str
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """`line` is the height of what was wanted: a limit, or as much answered as offered (`slope` from corner to corner);
    `bracket` is where the knee lies, from left to right."""

    title: str
    caption: str
    marks: tuple[Mark, ...]
    across: tuple[Tick, ...]
    up: tuple[Tick, ...]
    line: float | None
    slope: tuple[float, float, float, float] | None
    bracket: tuple[float, float] | None


def load_curve_html(knee: Knee) -> str:
    return (
        _environment()
        .get_template("load_curve.html.j2")
        .render(
            knee=knee,
            charts=charts_of(knee),
            points=sorted(knee.points, key=lambda point: point.rate),
            found=knee.ending is Ending.FOUND,
            colours={theme: Markup(css_variables(theme)) for theme in ("light", "dark")},  # noqa: S704  # constants of ours
            css=Markup((HERE / "report.css").read_text()),  # noqa: S704  # our own file
            place={"width": WIDTH, "height": HEIGHT, "left": LEFT, "right": RIGHT, "top": TOP, "bottom": BOTTOM},
        )
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.globals.update(say=wording)
    return environment


def charts_of(knee: Knee) -> tuple[Chart, ...]:
    """The two curves; none where no run measured anything."""
    rates = [float(point.rate) for point in knee.points]
    if not rates:
        return ()
    across = _linear(0.0, max(rates) * 1.05, LEFT, WIDTH - RIGHT)
    return tuple(chart for chart in (_latency(knee, across), _goodput(knee, across)) if chart is not None)


def _latency(knee: Knee, across: Scale) -> Chart | None:
    measured = [(point, point.latency_p99_s) for point in knee.points if point.latency_p99_s is not None]
    limit_s = knee.subject.p99_limit
    values = [value for _, value in measured] + ([] if limit_s is None else [float(limit_s)])
    if not measured:
        return None
    low, high = min(values) / 1.5, max(values) * 1.5
    up = _linear(math.log10(low), math.log10(high), HEIGHT - BOTTOM, TOP)
    return Chart(
        title="p99 against offered rate",
        caption="From the scheduled instant; logarithmic. A run in which more than 1 % were never answered has none.",
        marks=tuple(_mark(point, across, up(math.log10(value)), _p99(point, value)) for point, value in measured),
        across=_rate_ticks(knee, across),
        up=tuple(Tick(at=up(math.log10(tick)), words=wording.duration(tick)) for tick in _decades(low, high)),
        line=None if limit_s is None else up(math.log10(limit_s)),
        slope=None,
        bracket=_bracket(knee, across),
    )


def _p99(point: Point, value_s: float) -> str:
    over = "" if point.timed is None else f" (n = {point.timed:,})"
    return f"{wording.duration(value_s)}{over}"


def _goodput(knee: Knee, across: Scale) -> Chart | None:
    measured = [(point, point.goodput_per_s) for point in knee.points if point.goodput_per_s is not None]
    if not measured:
        return None
    highest = max(float(point.rate) for point in knee.points) * 1.05
    up = _linear(0.0, highest, HEIGHT - BOTTOM, TOP)
    return Chart(
        title="Goodput against offered rate",
        caption="Answered as asked and in time, a second. On the dotted line all that was offered was.",
        marks=tuple(_mark(point, across, up(value), f"{wording.rate(value)}/s good") for point, value in measured),
        across=_rate_ticks(knee, across),
        up=tuple(Tick(at=up(tick), words=wording.number(tick)) for tick in _even(highest)),
        line=None,
        slope=(across(0.0), up(0.0), across(highest), up(highest)),
        bracket=_bracket(knee, across),
    )


def _mark(point: Point, across: Scale, y: float, measured: str) -> Mark:
    words = f"{point.rate}: {measured}, {point.outcome.value}"
    return Mark(x=round(across(point.rate), 1), y=round(y, 1), outcome=point.outcome.value, words=words)


def _bracket(knee: Knee, across: Scale) -> tuple[float, float] | None:
    if knee.ending is not Ending.FOUND or knee.highest_pass is None or knee.lowest_fail is None:
        return None
    return across(knee.highest_pass), across(knee.lowest_fail)


def _rate_ticks(knee: Knee, across: Scale) -> tuple[Tick, ...]:
    highest = max(float(point.rate) for point in knee.points) * 1.05
    return tuple(Tick(at=across(tick), words=f"{wording.number(tick)}/s") for tick in _even(highest))


def _linear(from_value: float, to_value: float, from_place: float, to_place: float) -> Scale:
    slope = (to_place - from_place) / (to_value - from_value)
    return lambda value: round(from_place + (value - from_value) * slope, 1)


def _even(highest: float) -> Sequence[float]:
    """From 0 in steps of 1, 2 or 5 of some decade, as few as may be read."""
    decade = 10.0 ** math.floor(math.log10(highest / MOST_TICKS))
    step = next(size for factor in (*STEPS, 10) if (size := factor * decade) * MOST_TICKS >= highest)
    return [number * step for number in range(int(highest / step) + 1)]


def _decades(low: float, high: float) -> Sequence[float]:
    ticks = [step * 10.0**power for power in range(-5, 4) for step in STEPS]
    inside = [tick for tick in ticks if low <= tick <= high]
    return inside if len(inside) <= MOST_TICKS else [tick for tick in inside if math.log10(tick).is_integer()]
