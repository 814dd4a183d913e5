"""What a consistency check found: how much it judged, what was broken, and by which operations that is seen.

Counted by cohort, because what a system promises depends on where the operations of an obligation were served:

    sticky    all of them by one region
    remote    the writer's by one region, the reader's by another (a remote observer)
    moved     those of one session by different regions

An obligation belongs to one cohort; a read can be judged in several. Witnesses are a few of what was broken, earliest
first, each with all operations that are needed to draw it; the counts and the lists of operations are complete.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from harness.verify.consistency.history import History, Ints, Operation

WITNESSES = 10  # of each kind and cohort


class Cohort(StrEnum):
    STICKY = "sticky"
    REMOTE = "remote"
    MOVED = "moved"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """An operation's part in what happened, e.g. "wrote p1", "missed p1"; `missed` is the name of what it missed."""

    part: str
    operation: Operation
    missed: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Witness:
    sentence: str
    ids: tuple[str, ...]
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """`violating` are indices of operations of the history, ascending; nothing judged is nothing known."""

    judged: int
    violating: Ints
    witnesses: tuple[Witness, ...] = ()


Finding = Mapping[Cohort, Tally]


@dataclass(frozen=True, slots=True, kw_only=True)
class Caught:
    """The names of all that were caught, and witnesses of the first few."""

    names: tuple[str, ...]
    witnesses: tuple[Witness, ...]

    def __len__(self) -> int:
        return len(self.names)


@dataclass(slots=True)
class Cases:
    """Obligations of one cohort as they are found: the reads that met one, and those that did not with their details.

    `details` are columns of whatever the check needs to tell what happened, one row a broken obligation.
    """

    met: list[Ints] = field(default_factory=list)
    broken: list[Ints] = field(default_factory=list)
    details: list[tuple[Ints, ...]] = field(default_factory=list)

    def add_broken(self, read: Ints, *details: Ints) -> None:
        self.broken.append(read)
        self.details.append(details)


@dataclass(frozen=True, slots=True)
class Casebook:
    """The cases of all cohorts, on their way to a finding."""

    history: History
    cohorts: Mapping[Cohort, Cases] = field(default_factory=lambda: {cohort: Cases() for cohort in Cohort})

    def __getitem__(self, cohort: Cohort) -> Cases:
        return self.cohorts[cohort]

    def closed(self, tell: Callable[..., Witness]) -> Finding:
        """`tell` makes a witness of a broken obligation: the read, then its details, as integers."""
        return {cohort: self._tally(cases, tell) for cohort, cases in self.cohorts.items()}

    def _tally(self, cases: Cases, tell: Callable[..., Witness]) -> Tally:
        judged = np.zeros(len(self.history), dtype=bool)
        for read in (*cases.met, *cases.broken):
            judged[read] = True
        if not cases.broken:
            return Tally(judged=int(judged.sum()), violating=np.empty(0, dtype=np.int64))
        broken = np.concatenate(cases.broken)
        details = [np.concatenate(column) for column in zip(*cases.details, strict=True)]
        violating, first = np.unique(broken, return_index=True)
        witnesses = [tell(int(broken[row]), *(int(column[row]) for column in details)) for row in first[:WITNESSES]]
        return Tally(judged=int(judged.sum()), violating=violating, witnesses=tuple(witnesses))


def step(history: History, part: str, operation: int, *, missed: str = "") -> Step:
    return Step(part=part, operation=history.operation(operation), missed=missed)


def place_and_time(operation: Operation) -> str:
    """Where and when, for sentences: "in us-east at 1.234 s"."""
    where = operation.served or "an unknown region"
    return f"in {where} at {operation.completed_s:.3f} s"


def caught(names: Sequence[str], items: Iterable[int], tell: Callable[[int], Witness]) -> Caught:
    """From items, whose names are given by their codes."""
    all_of_them = list(items)
    return Caught(
        names=tuple(names[item] for item in all_of_them),
        witnesses=tuple(tell(item) for item in all_of_them[:WITNESSES]),
    )
