"""Figures as people read them: three significant digits, one unit, no false precision.

All formats of a report word their numbers here, and sentences of verdicts theirs with the same functions, so that one
figure never reads differently in two places. It chooses no numbers: `summary` does.
"""

import math

from harness.verify import quantities
from harness.verify.verdict import Figure, Interval, Outcome

NOTHING = quantities.NOTHING
number = quantities.number
ratio = quantities.ratio
quantity = quantities.say
COHORTS = {
    "sticky": "one region served all of it (sticky)",
    "remote": "the reader was served by another region (remote)",
    "moved": "the session was served by several regions (moved)",
}
SCENES_AT_ONCE = 3  # of one verdict; the others are folded away
GLYPHS = {Outcome.PASS: "✓", Outcome.INCONCLUSIVE: "?", Outcome.FAIL: "✗"}


def count(value: int) -> str:
    return f"{value:,}"


def duration(seconds: float | None) -> str:
    """As `quantities.seconds`, and in minutes where there are many: `3700` → `61 min 40 s`."""
    if seconds is None or not math.isfinite(seconds) or abs(seconds) < 600:
        return quantities.seconds(seconds)
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes:,} min {rest} s" if rest else f"{minutes:,} min"


def rate(per_s: float | None) -> str:
    return number(per_s)


def moment(seconds: float | None) -> str:
    """An instant of run time: tenths of a second, always with the unit."""
    return NOTHING if seconds is None or not math.isfinite(seconds) else f"{seconds:,.1f} s"


def span(start_s: float, end_s: float | None) -> str:
    if end_s is None or end_s <= start_s:
        return moment(start_s)
    return f"{start_s:,.1f}–{end_s:,.1f} s"


def measured(figure: Figure) -> str:
    """Its value, in as many digits as tell it from what is accepted."""
    return NOTHING if figure.value is None else quantities.unlike(figure.value, figure.unit, figure.accept)


def interval(figure: Figure) -> str:
    """The error bar, or an empty string where the figure has none."""
    return "" if figure.interval is None else _interval(figure.interval, figure.unit)


def _interval(bar: Interval, unit: str) -> str:
    low = "unbounded" if bar.low is None else quantity(bar.low, unit)
    high = "unbounded" if bar.high is None else quantity(bar.high, unit)
    return f"{low} to {high} ({bar.level * 100:g} % {bar.method})"


def sample_count(figure: Figure) -> str:
    blocks = "" if figure.blocks is None else f" in {figure.blocks:,} blocks"
    needed = "" if figure.needed_samples is None else f"; {figure.needed_samples:,} would decide"
    return f"{figure.samples:,}{blocks}{needed}"


def figure_line(figure: Figure) -> str:
    """One figure in one line, for formats without tables."""
    bar = interval(figure)
    parts = [
        f"{figure.name}: {measured(figure)}" + (f", {bar}" if bar else ""),
        f"accepted: {figure.accept}",
        f"n = {sample_count(figure)}",
        figure.outcome.value + (f" ({figure.reason})" if figure.reason else ""),
    ]
    return "; ".join(parts)


def cohort(name: str) -> str:
    """To whom something was promised: how the operations were served, or a region as it is called."""
    return COHORTS.get(name, name)


def plural(many: int, noun: str) -> str:
    return f"{many:,} {noun}" if many == 1 else f"{many:,} {noun}s"
