"""Figures as people read them: three significant digits, one unit, no false precision.

All formats of a report word their numbers here, so that the same figure never reads differently in two places. It
chooses no numbers: `summary` does.
"""

import math

from harness.verify.verdict import Figure, Interval, Outcome

NOTHING = "–"
COHORTS = {
    "sticky": "one region served all of it (sticky)",
    "remote": "the reader was served by another region (remote)",
    "moved": "the session was served by several regions (moved)",
}
SCENES_AT_ONCE = 3  # of one verdict; the others are folded away
GLYPHS = {Outcome.PASS: "✓", Outcome.INCONCLUSIVE: "?", Outcome.FAIL: "✗"}


def number(value: float | None, digits: int = 3) -> str:
    """Three significant digits, thousands separated, never in powers of ten."""
    if value is None or not math.isfinite(value):
        return NOTHING
    if value == 0:
        return "0"
    places = digits - 1 - math.floor(math.log10(abs(value)))
    rounded = round(value, places)
    text = f"{rounded:,.{max(0, min(places, 9))}f}" if abs(rounded) < 10**digits else f"{value:,.0f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def count(value: int) -> str:
    return f"{value:,}"


def duration(seconds: float | None) -> str:
    """`0.0312` → `31.2 ms`; `73.25` → `73.3 s`; `3700` → `61 min 40 s`; infinite: there was no answer."""
    if seconds == math.inf:
        return "no answer"
    if seconds is None or not math.isfinite(seconds):
        return NOTHING
    if seconds != 0 and abs(seconds) < 1:
        return f"{number(seconds * 1000)} ms"
    if abs(seconds) >= 600:
        minutes, rest = divmod(round(seconds), 60)
        return f"{minutes:,} min {rest} s" if rest else f"{minutes:,} min"
    return f"{number(seconds)} s"


def ratio(value: float | None) -> str:
    return NOTHING if value is None or not math.isfinite(value) else f"{number(value * 100)} %"


def rate(per_s: float | None) -> str:
    return number(per_s)


def moment(seconds: float | None) -> str:
    """An instant of run time: tenths of a second, always with the unit."""
    return NOTHING if seconds is None or not math.isfinite(seconds) else f"{seconds:,.1f} s"


def span(start_s: float, end_s: float | None) -> str:
    if end_s is None or end_s <= start_s:
        return moment(start_s)
    return f"{start_s:,.1f}–{end_s:,.1f} s"


def quantity(value: float | None, unit: str) -> str:
    """A value in a check's own unit; seconds and ratios in the form people say them."""
    match unit:
        case "s":
            return duration(value)
        case "ratio":
            return ratio(value)
        case "":
            return number(value)
        case _:
            return NOTHING if value is None else f"{number(value)} {unit}"


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
        f"{figure.name}: {quantity(figure.value, figure.unit)}" + (f", {bar}" if bar else ""),
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
