"""What a check says: pass, inconclusive or fail, why, and with which evidence. The worst wins."""

from enum import StrEnum
from typing import Literal

import msgspec

FORMAT_VERSION = 1


class Outcome(StrEnum):
    PASS = "pass"  # noqa: S105 - a verdict, no password
    INCONCLUSIVE = "inconclusive"
    FAIL = "fail"


_ORDER = (Outcome.PASS, Outcome.INCONCLUSIVE, Outcome.FAIL)


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


class Interval(_Strict, frozen=True, kw_only=True):
    """A confidence interval; `None` is unbounded on that side."""

    low: float | None
    high: float | None
    level: float
    method: str


class Figure(_Strict, frozen=True, kw_only=True):
    """One measured quantity: what it is, its value and error bar, how many samples, and what would have been accepted.

    `outcome` is this figure's own; `needed_samples` is how many would decide an inconclusive one. An `invariant` is
    what no want of CPU can break: on a crowded machine it stays broken.
    """

    name: str
    unit: str
    value: float | None
    interval: Interval | None = None
    samples: int
    blocks: int | None = None
    accept: str
    outcome: Outcome
    reason: str = ""
    needed_samples: int | None = None
    invariant: bool = False


class Evidence(_Strict, frozen=True, kw_only=True):
    """A moment of the record that shows the point: run time in seconds, a sentence, and what to look at."""

    at_s: float
    until_s: float | None = None
    sentence: str
    source: Literal["requests", "metrics", "events", "logs", "journal", "plan"]


class Guarantee(_Strict, frozen=True, kw_only=True):
    """One row of what was promised: to whom (`cohort`), whether at all, how often it was put to the test and broken."""

    name: str
    cohort: str
    promised: bool
    observed: int
    violations: int


class Act(_Strict, frozen=True, kw_only=True):
    """One operation of a scene: who did it, where it was served, when in run time, and its part in words."""

    session: int
    region: str
    kind: Literal["write", "delete", "read", "count"]
    start_s: float
    end_s: float
    words: str


class Arrow(_Strict, frozen=True, kw_only=True):
    """From a write to a read, by their places among the acts: the read showed it, or, where `missing`, should have."""

    source: int
    target: int
    missing: bool


class Scene(_Strict, frozen=True, kw_only=True):
    """Something that was broken, as the few operations that show it; `title` is for those who know no theory."""

    title: str
    sentence: str
    promised: bool
    acts: tuple[Act, ...]
    arrows: tuple[Arrow, ...]


class VisibleShare(_Strict, frozen=True, kw_only=True):
    """Of writes whose age, when they were looked for, was between these seconds: the share that was seen, by how many
    reads, and its interval of 95 %. `until_s` is None for the oldest."""

    from_s: float
    until_s: float | None
    reads: int
    share: float
    low: float
    high: float


class Visibility(_Strict, frozen=True, kw_only=True):
    """How soon strangers in the reader's region see what was written in the writer's; `disturbed`: with a fault in
    effect at some time between the two."""

    writer: str
    reader: str
    disturbed: bool
    ages: tuple[VisibleShare, ...]


class Verdict(_Strict, frozen=True, kw_only=True):
    """A check's answer. `sentence` is whole without the rest: it says what was expected and what was measured."""

    check: str
    name: str
    outcome: Outcome
    sentence: str
    figures: tuple[Figure, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    guarantees: tuple[Guarantee, ...] = ()
    scenes: tuple[Scene, ...] = ()
    visibility: tuple[Visibility, ...] = ()


class Verdicts(_Strict, frozen=True, kw_only=True):
    """All verdicts of a run, `validity` first, and the one they come to."""

    format_version: int = FORMAT_VERSION
    run_id: str
    outcome: Outcome
    stopped: bool
    clean: bool
    verdicts: tuple[Verdict, ...]


def worst(outcomes: list[Outcome]) -> Outcome:
    """The worst of several outcomes; nothing measured is inconclusive."""
    return max(outcomes, key=_ORDER.index, default=Outcome.INCONCLUSIVE)
