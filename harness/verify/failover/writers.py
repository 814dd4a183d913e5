"""Whether one region took the writes at a time: the writer changes twice in an outage, and never are there two.

While the writes of a region's users go elsewhere, an acknowledged one that the region took itself is one too many. What
one user adds or removes is taken by one region as long as the writer does not change, wherever that user is; and who
had the lost region for a writer has the one that took over for it now. Counters are raised in whatever region a user
is: they are mistakes only where none of its users were sent to the region. Writes that were sent while the routes were
changing prove nothing.
"""

from dataclasses import dataclass
from itertools import pairwise

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


def strays_of(run: Run, routes: Routes, *, refuge: str) -> Strays:
    """`refuge`: the region that took over, empty where none did."""
    writes = _acknowledged(run)
    concerned = _concerned(writes, routes.region)
    found = _by_another_region(writes, routes, refuge) | _by_the_lost_region(writes.loc[concerned], routes)
    return Strays(judged=int(concerned.sum()), found=tuple(sorted(found.values(), key=lambda stray: stray.at_s)))


def _acknowledged(run: Run) -> pd.DataFrame:
    frame = run.requests
    done = is_word(frame["outcome"], Ending.OK) & is_word(frame["operation"], *writing_operations(run))
    columns = ["user", "operation", "change", "written", "sent_s", "finished_s", "region_asked", "region_served"]
    return frame.loc[done & ~is_word(frame["region_served"], ""), columns]


def _concerned(writes: pd.DataFrame, region: str) -> Bools:
    """Of users who ask for the region, or by it."""
    return is_word(writes["region_asked"], region) | is_word(writes["region_served"], region)


def _by_the_lost_region(writes: pd.DataFrame, routes: Routes) -> dict[int, Stray]:
    """By the write's row."""
    sent_s = column(writes, "sent_s")
    away = np.zeros(len(writes), dtype=bool)
    for stretch in routes.away():
        away |= stretch.surely_holds(sent_s)
    wrong_there = is_word(writes["change"], Change.ADD, Change.REMOVE) | _surely_empty(routes, sent_s)
    stray = away & is_word(writes["region_served"], routes.region) & wrong_there
    strays = writes.loc[stray]
    return {row: _stray(write, "another region") for row, write in zip(strays.index, _each(strays), strict=True)}


def _stray(write: _Write, writer: str) -> Stray:
    return Stray(at_s=write.finished_s, sentence=f"{write} was taken by {write.region}, while {writer} was to take it")


def _surely_empty(routes: Routes, at_s: Floats) -> Bools:
    """When none of its users were sent to the region."""
    ends_s = [*(step.since.earliest_s for step in routes.steps[1:]), np.inf]
    empty = np.zeros(len(at_s), dtype=bool)
    for step, end_s in zip(routes.steps, ends_s, strict=True):
        if step.share == 0:
            empty |= (at_s > step.since.latest_s) & (at_s < end_s)
    return empty


def _by_another_region(writes: pd.DataFrame, routes: Routes, refuge: str) -> dict[int, Stray]:
    """What was added or removed by another region than the user's writer of that time; by the write's row."""
    switches = [after.since for before, after in pairwise(routes.steps) if before.takes_writes != after.takes_writes]
    sent_s = column(writes, "sent_s")
    sure = is_word(writes["change"], Change.ADD, Change.REMOVE)
    for switch in switches:
        sure = sure & ((sent_s < switch.earliest_s - CHANGING_S) | (sent_s > switch.latest_s + CHANGING_S))
    placed = writes.loc[sure].assign(
        turn=np.searchsorted([switch.latest_s for switch in switches], sent_s[sure]),
        taken_by=writes.loc[sure, "region_served"].astype(str),
    )
    at_home = placed["turn"] % 2 == (0 if routes.steps[0].takes_writes else 1)
    homes = placed.loc[at_home].groupby("user")["taken_by"].agg(frozenset)
    lost = placed["user"].isin(homes.index[homes == frozenset({routes.region})])
    usual = placed.groupby(["user", "turn"])["taken_by"].transform(lambda regions: regions.mode().iat[0])
    writer = usual.mask(lost & ~at_home, refuge) if refuge else usual
    strays = placed.loc[placed["taken_by"] != writer]
    return {
        row: _stray(write, region)
        for row, write, region in zip(strays.index, _each(strays), writer[strays.index], strict=True)
    }


def _each(writes: pd.DataFrame) -> list[_Write]:
    words = (writes[name].astype(str) for name in ("operation", "written", "region_served"))
    numbers = (column(writes, name).tolist() for name in ("user", "sent_s", "finished_s"))
    return [
        _Write(
            user=int(user), operation=operation, written=written, region=region, sent_s=sent_s, finished_s=finished_s
        )
        for operation, written, region, user, sent_s, finished_s in zip(*words, *numbers, strict=True)
    ]
