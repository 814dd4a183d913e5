"""Whether one region took the writes at a time: the writer changes twice in an outage, and never are there two.

While the writes of a region's users go elsewhere, an acknowledged one that the region took itself is one too many. So
are two of one user's that two regions took at the same time. Counters are raised in whatever region a user is, so as
long as some users are sent to the region, only what is added or removed there is a mistake. Writes that were sent while
the routes were changing prove nothing.
"""

from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np
import pandas as pd

from harness.record.reader import Run
from harness.record.rows import Change
from harness.record.rows import Outcome as Ending
from harness.verify.failover.cohorts import writing_operations
from harness.verify.failover.routes import Routes
from harness.verify.windows import Bools, Floats, column, is_word

CHANGING_S = 0.1  # on both sides of a change of the writer: writes of both may be under way


@dataclass(frozen=True, slots=True, kw_only=True)
class Stray:
    at_s: float
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Strays:
    """Acknowledged writes by a region that was not to take them, by time; of `judged` that had to do with it."""

    judged: int
    found: tuple[Stray, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Write:
    user: int
    operation: str
    written: str
    region: str
    sent_s: float
    finished_s: float

    def __str__(self) -> str:
        return f"{self.operation} {self.written}" if self.written else f"{self.operation} of user {self.user}"

    def meets(self, other: "_Write") -> bool:
        """Each was sent before the other one was acknowledged."""
        return self.sent_s < other.finished_s and other.sent_s < self.finished_s


def strays_of(run: Run, routes: Routes) -> Strays:
    writes = _acknowledged(run, routes.region)
    found = [*_by_the_lost_region(writes, routes), *_by_two_regions(writes, routes)]
    return Strays(judged=len(writes), found=tuple(sorted(found, key=lambda stray: stray.at_s)))


def _acknowledged(run: Run, region: str) -> pd.DataFrame:
    """Of users who ask for the region, or by it."""
    frame = run.requests
    done = is_word(frame["outcome"], Ending.OK) & is_word(frame["operation"], *writing_operations(run))
    own = is_word(frame["region_asked"], region) & ~is_word(frame["region_served"], "")
    columns = ["user", "operation", "change", "written", "sent_s", "finished_s", "region_asked", "region_served"]
    return frame.loc[done & (own | is_word(frame["region_served"], region)), columns]


def _by_the_lost_region(writes: pd.DataFrame, routes: Routes) -> list[Stray]:
    sent_s = column(writes, "sent_s")
    away = np.zeros(len(writes), dtype=bool)
    for stretch in routes.away():
        away |= stretch.surely_holds(sent_s)
    wrong_there = is_word(writes["change"], Change.ADD, Change.REMOVE) | _surely_empty(routes, sent_s)
    stray = away & is_word(writes["region_served"], routes.region) & wrong_there
    return [
        Stray(
            at_s=write.finished_s, sentence=f"{write} was taken by {write.region}, while another region was to take it"
        )
        for write in _each(writes.loc[stray])
    ]


def _surely_empty(routes: Routes, at_s: Floats) -> Bools:
    """When none of its users were sent to the region."""
    ends_s = [*(step.since.earliest_s for step in routes.steps[1:]), np.inf]
    empty = np.zeros(len(at_s), dtype=bool)
    for step, end_s in zip(routes.steps, ends_s, strict=True):
        if step.share == 0:
            empty |= (at_s > step.since.latest_s) & (at_s < end_s)
    return empty


def _by_two_regions(writes: pd.DataFrame, routes: Routes) -> list[Stray]:
    """Pairs of one user's that met, in a time of one writer."""
    sent_s = column(writes, "sent_s")
    switches = [after.since for before, after in pairwise(routes.steps) if before.takes_writes != after.takes_writes]
    changing = np.zeros(len(writes), dtype=bool)
    for switch in switches:
        changing |= (sent_s >= switch.earliest_s - CHANGING_S) & (sent_s <= switch.latest_s + CHANGING_S)
    placed = is_word(writes["change"], Change.ADD, Change.REMOVE) & is_word(writes["region_asked"], routes.region)
    mine = writes.assign(writer=np.searchsorted([switch.latest_s for switch in switches], sent_s))
    mine = mine.loc[placed & ~changing]
    regions = mine.groupby(["user", "writer"])["region_served"].transform("nunique").to_numpy()
    found = []
    for _, own in mine.loc[regions > 1].groupby(["user", "writer"]):
        for one, other in combinations(_each(own), 2):
            if one.region != other.region and one.meets(other):
                sentence = (
                    f"{one} was taken by {one.region} and {other} by {other.region}, "
                    f"both of user {one.user} and at the same time"
                )
                found.append(Stray(at_s=max(one.sent_s, other.sent_s), sentence=sentence))
    return found


def _each(writes: pd.DataFrame) -> list[_Write]:
    words = (writes[name].astype(str) for name in ("operation", "written", "region_served"))
    numbers = (column(writes, name).tolist() for name in ("user", "sent_s", "finished_s"))
    return [
        _Write(
            user=int(user), operation=operation, written=written, region=region, sent_s=sent_s, finished_s=finished_s
        )
        for operation, written, region, user, sent_s, finished_s in zip(*words, *numbers, strict=True)
    ]
