"""How soon others see what was written, as a grid of small charts: a row for each writer's region, a column for each
reader's. Drawn as SVG in the page, like scenes: it does not move with the timeline, and costs no time to draw.

This places everything; the page draws it.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from harness.report import wording
from harness.verify.verdict import Verdict, Visibility, VisibleShare

AGE = 22.0  # width of one age
CELL_HEIGHT, GAP, LABELS, HEAD, FOOT = 76.0, 18.0, 106.0, 22.0, 22.0
APART = 3.0  # how far the marks without and with a fault stand to the left and right of their age
VAGUE = 0.5  # an interval wider than that says little more than that somebody looked
OLD_ENOUGH_S = 1.0  # of what the sentence speaks: that something a moment old is missing elsewhere is nothing strange


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """Of one cell, as SVG paths: intervals, and points, of which the vague ones are hollow."""

    disturbed: bool
    bars: str
    points: str
    hollow: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    x: float
    y: float
    own: bool
    marks: tuple[Marks, ...]
    whole: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    x: float
    y: float
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """`ages` and `shares` are the ticks below and beside the cells, `rows` and `columns` the regions' names.

    `sentence` tells where something was missing that should be there by then.
    """

    width: float
    height: float
    cell_width: float
    cells: tuple[Cell, ...]
    rows: tuple[Tick, ...]
    columns: tuple[Tick, ...]
    ages: tuple[Tick, ...]
    shares: tuple[Tick, ...]
    disturbed: bool
    sentence: str


def grid_of(verdicts: Sequence[Verdict], regions: Sequence[str]) -> Grid | None:
    """From the first verdict that has it; nothing where fewer than two regions were written to and read in."""
    found = next((verdict.visibility for verdict in verdicts if verdict.visibility), ())
    names = [region for region in regions if any(region in (each.writer, each.reader) for each in found)]
    if len(names) < 2:
        return None
    starts = sorted({age.from_s for each in found for age in each.ages})
    cell_width = AGE * len(starts)
    left = {name: LABELS + place * (cell_width + GAP) for place, name in enumerate(names)}
    top = {name: HEAD + place * (CELL_HEIGHT + GAP) for place, name in enumerate(names)}
    bottom = HEAD + len(names) * (CELL_HEIGHT + GAP)
    return Grid(
        width=LABELS + len(names) * (cell_width + GAP),
        height=bottom + FOOT,
        cell_width=cell_width,
        cells=tuple(
            _cell(writer, reader, found, starts, x=left[reader], y=top[writer]) for writer in names for reader in names
        ),
        rows=tuple(Tick(x=0.0, y=top[name] + CELL_HEIGHT / 2, words=name) for name in names),
        columns=tuple(Tick(x=left[name] + cell_width / 2, y=HEAD - 8, words=f"read in {name}") for name in names),
        ages=tuple(
            Tick(x=left[name] + place * AGE, y=bottom, words=wording.duration(start_s))
            for name in names
            for place, start_s in enumerate(starts)
            if (place % 3 == 0 and start_s > 0) or place == 1
        ),
        shares=tuple(
            Tick(x=LABELS - 5, y=top[name] + below, words=words)
            for name in names
            for below, words in ((9.0, "100 %"), (CELL_HEIGHT, "0 %"))
        ),
        disturbed=any(each.disturbed for each in found),
        sentence=_sentence(found),
    )


def _cell(
    writer: str, reader: str, found: Iterable[Visibility], starts: Sequence[float], *, x: float, y: float
) -> Cell:
    mine = [each for each in found if (each.writer, each.reader) == (writer, reader)]
    told = [
        f"{age_words(age)}{', with a fault' if each.disturbed else ''}: {_share(age)}"
        for each in mine
        for age in each.ages
    ]
    return Cell(
        x=x,
        y=y,
        own=writer == reader,
        marks=tuple(_marks(each, starts, x=x, y=y) for each in mine),
        whole=f"written in {writer}, read in {reader}: {'; '.join(told) or 'nobody looked'}",
    )


def _marks(found: Visibility, starts: Sequence[float], *, x: float, y: float) -> Marks:
    def at(age: VisibleShare) -> float:
        return x + AGE * (starts.index(age.from_s) + 0.5) + (APART if found.disturbed else -APART)

    def height(share: float) -> float:
        return y + CELL_HEIGHT * (1 - share)

    points: dict[bool, str] = {False: "", True: ""}
    for age in found.ages:
        points[age.high - age.low > VAGUE] += f"M{at(age):.1f} {height(age.share):.1f}h0"
    bars = "".join(f"M{at(age):.1f} {height(age.low):.1f}V{height(age.high):.1f}" for age in found.ages)
    return Marks(disturbed=found.disturbed, bars=bars, points=points[False], hollow=points[True])


def age_words(age: VisibleShare) -> str:
    """`1 s to 2 s old`, or `over 50 s old`."""
    if age.until_s is None:
        return f"over {wording.duration(age.from_s)} old"
    return f"{wording.duration(age.from_s)} to {wording.duration(age.until_s)} old"


def _share(age: VisibleShare) -> str:
    bar = f"{wording.ratio(age.low)} to {wording.ratio(age.high)}"
    return f"{wording.ratio(age.share)} ({bar}, {wording.plural(age.reads, 'read')})"


def _sentence(found: Iterable[Visibility]) -> str:
    """Where something that should be there by now was most surely missing, if anywhere."""
    old = [(age, each) for each in found for age in each.ages if age.from_s >= OLD_ENOUGH_S]
    missing = [(age, each) for age, each in old if age.share < 1]
    if not missing:
        return f"Whatever was {wording.duration(OLD_ENOUGH_S)} old or older was seen by everybody who looked."
    age, worst = min(missing, key=lambda pair: (pair[0].high, pair[0].share))
    when = "with a fault in effect in between" if worst.disturbed else "with no fault in effect"
    return (
        f"Seen least: what was written in {worst.writer} and looked for in {worst.reader} {when}: of what was "
        f"{age_words(age)}, {_share(age)} was seen."
    )
