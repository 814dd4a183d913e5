"""A scene as a space-time diagram: a line for each session and region, a box for each operation, arrows between them.

Time runs to the right, but not to scale: what matters lies milliseconds and minutes apart in one picture. Every
operation begins in a column of its own, in the order of their beginnings; a box that reaches into the next column was
not over when that one began. This places everything; the page draws it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from harness.report import wording
from harness.verify.verdict import Act, Arrow, Scene

LABELS = 150.0  # width of the lanes' names
COLUMN = 150.0
BOX = 0.5  # of a column, if nothing else begins meanwhile
LANE, TOP = 92.0, 16.0
BOX_HEIGHT = 22.0
HEAD = 8.0  # length of an arrow's head
BOW = 34.0  # how far an arrow along one lane bends away from it
LONGEST_WORD = 14


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    region: str
    session: str
    y: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """`words` are its lines of text, `wrong` marks the one that should have shown something else."""

    x: float
    y: float
    width: float
    kind: str
    wrong: bool
    words: tuple[str, ...]
    when: str
    whole: str

    @property
    def top(self) -> float:
        return self.y - BOX_HEIGHT / 2

    @property
    def end(self) -> float:
        return self.x + self.width


@dataclass(frozen=True, slots=True, kw_only=True)
class Pointer:
    """An arrow: an SVG path, its head as a polygon, and where the cross of a missing one is."""

    path: str
    head: str
    missing: bool
    cross: tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagram:
    width: float
    height: float
    lanes: tuple[Lane, ...]
    boxes: tuple[Box, ...]
    pointers: tuple[Pointer, ...]


def diagram_of(scene: Scene) -> Diagram:
    places = _lanes(scene.acts)
    y = {place: TOP + LANE * (number + 0.5) for number, place in enumerate(places)}
    wrong = {arrow.target for arrow in scene.arrows if arrow.missing}
    boxes = tuple(
        _box(scene.acts, number, y=y[act.region, act.session], wrong=number in wrong)
        for number, act in enumerate(scene.acts)
    )
    return Diagram(
        width=LABELS + COLUMN * max(1, len(scene.acts)),
        height=TOP * 2 + LANE * len(places),
        lanes=tuple(
            Lane(region=region or "nobody knows where", session=f"session {session}", y=y[region, session])
            for region, session in places
        ),
        boxes=boxes,
        pointers=tuple(_pointer(boxes, arrow) for arrow in scene.arrows),
    )


def _lanes(acts: Sequence[Act]) -> list[tuple[str, int]]:
    """Region and session; those of one region together, the regions in the order in which they come in."""
    regions = list(dict.fromkeys(act.region for act in acts))
    together = sorted(acts, key=lambda act: regions.index(act.region))
    return list(dict.fromkeys((act.region, act.session) for act in together))


def _box(acts: Sequence[Act], number: int, *, y: float, wrong: bool) -> Box:
    act = acts[number]
    begun = sum(other.start_s < act.end_s for other in acts[number + 1 :])
    return Box(
        x=LABELS + COLUMN * number,
        y=y,
        width=COLUMN * (BOX + begun),
        kind=act.kind,
        wrong=wrong,
        words=tuple(_shortened(line) for line in act.words.split(", ")),
        when=f"{act.start_s:,.3f} s",
        whole=f"{act.words}: {act.start_s:.3f} to {act.end_s:.3f} s ({wording.duration(act.end_s - act.start_s)})",
    )


def _shortened(line: str) -> str:
    """Long ids by their ends, which differ."""
    return " ".join(word if len(word) <= LONGEST_WORD else f"…{word[1 - LONGEST_WORD :]}" for word in line.split())


def _pointer(boxes: Sequence[Box], arrow: Arrow) -> Pointer:
    source, target = boxes[arrow.source], boxes[arrow.target]
    if source.y == target.y:
        return _along(source, target, missing=arrow.missing)
    down = target.y > source.y
    from_x, from_y = source.end, source.y + (BOX_HEIGHT / 2 if down else -BOX_HEIGHT / 2)
    to_x, to_y = target.x, target.y + (-BOX_HEIGHT / 2 if down else BOX_HEIGHT / 2)
    from_x = min(from_x, max(source.x, to_x - 10.0))  # the source may have been going on still
    return Pointer(
        path=f"M{from_x:.1f} {from_y:.1f}L{to_x:.1f} {to_y:.1f}",
        head=_head(from_x, from_y, to_x, to_y),
        missing=arrow.missing,
        cross=((from_x + to_x) / 2, (from_y + to_y) / 2),
    )


def _along(source: Box, target: Box, *, missing: bool) -> Pointer:
    """Along one lane: below it, so that it does not run through what lies between."""
    from_x, to_x, y = source.x + source.width / 2, target.x + target.width / 2, source.y + BOX_HEIGHT / 2
    middle = (from_x + to_x) / 2
    return Pointer(
        path=f"M{from_x:.1f} {y:.1f}Q{middle:.1f} {y + 2 * BOW:.1f} {to_x:.1f} {y:.1f}",
        head=_head(middle, y + 2 * BOW, to_x, y),
        missing=missing,
        cross=(middle, y + BOW),
    )


def _head(from_x: float, from_y: float, to_x: float, to_y: float) -> str:
    """A triangle whose tip is the end of the line."""
    angle = math.atan2(to_y - from_y, to_x - from_x)
    backs = (angle - math.pi / 7, angle + math.pi / 7)
    sides = [(to_x - HEAD * math.cos(back), to_y - HEAD * math.sin(back)) for back in backs]
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in [(to_x, to_y), *sides])
