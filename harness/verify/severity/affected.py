"""Which users were affected, as shares of those who came, in windows of ten seconds. No judgement.

What hurts is a request that failed, whose fate is unknown or that could not be sent, an answer later than `late_s`, and
a refusal (shed, or its feature is off) of priority 1 to 3. Refusals of priority 4 (trends, whom to follow) are what the
specification calls acceptable to lose. A user is affected of whose requests in a window at least a tenth hurt, so with
fewer than ten by any. One in a hundred does not make an outage, neither over a run, in which everybody meets one in
time, nor over ten seconds in which each user asks a hundred times.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.record.reader import Run
from harness.record.rows import Outcome
from harness.verify import windows
from harness.verify.slo import BAD
from harness.verify.windows import Bools, Floats, Window, column, is_word

WINDOW_S = 10.0  # ours: as long as it takes to look at a board, and long enough for hundreds of users to come
STEP_S = 1.0
AFFECTED_FROM = 0.1  # of a user's requests in a window; ours, the specification says no more than "affected"
REFUSALS_TO_PRIORITY = 3  # what is refused to users of this priority number and below affects them
REFUSED = (Outcome.SHED, Outcome.DISABLED)
WAYS = ("error", "late answer", "refusal")
UNHURT = ""

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Came:
    """The requests of users after the warm-up, by scheduled time; times in seconds of run time. `over_s`: when a
    request had ended, or when it was scheduled where it never began. `way`: the one in which it hurt, of WAYS, or
    empty."""

    start_s: float
    end_s: float
    scheduled_s: Floats
    over_s: Floats
    user: Ints
    way: NDArray[np.object_]
    region: NDArray[np.object_]
    operation: NDArray[np.object_]

    @property
    def hurt(self) -> Bools:
        result: Bools = self.way != UNHURT
        return result

    def between(self, start_s: float, end_s: float) -> slice:
        """The requests scheduled then; the end is not in it."""
        first, last = np.searchsorted(self.scheduled_s, (start_s, end_s))
        return slice(int(first), int(last))


@dataclass(frozen=True, slots=True, kw_only=True)
class Shares:
    """For each window that anybody came in: its start, how many users came, and how many of them were affected."""

    length_s: float
    start_s: Floats
    users: Floats
    affected: Floats

    def __len__(self) -> int:
        return len(self.start_s)

    @property
    def share(self) -> Floats:
        result: Floats = self.affected / self.users
        return result


def came_of(run: Run, *, late_s: float) -> Came:
    looked_at = _looked_at(run)
    frame = run.requests.loc[looked_at.holds(column(run.requests, "scheduled_s"))]
    scheduled_s = column(frame, "scheduled_s")
    return Came(
        start_s=looked_at.start_s,
        end_s=looked_at.end_s,
        scheduled_s=scheduled_s,
        over_s=np.fmax(column(frame, "finished_s"), scheduled_s),
        user=frame["user"].to_numpy(dtype=np.int64),
        way=_way(frame, late_s),
        region=frame["region_asked"].to_numpy(dtype=object),
        operation=frame["operation"].to_numpy(dtype=object),
    )


def _looked_at(run: Run) -> Window:
    """From the end of the warm-up, in which everything is cold, to when users stop coming."""
    warm_up = windows.phase_window(run.plan, "warm_up")
    return Window(name="run", start_s=warm_up.end_s if warm_up else 0.0, end_s=windows.end_of_load_s(run))


def _way(frame: pd.DataFrame, late_s: float) -> NDArray[np.object_]:
    late = is_word(frame["outcome"], Outcome.OK) & (column(frame, "latency_s") > late_s)
    refused = is_word(frame["outcome"], *REFUSED) & (frame["priority"].to_numpy() <= REFUSALS_TO_PRIORITY)
    ways = np.array([*WAYS, UNHURT], dtype=object)  # of objects, as np.select would not keep them
    found = np.select([is_word(frame["outcome"], *BAD), late, refused], [0, 1, 2], default=3)
    result: NDArray[np.object_] = ways[found]
    return result


def refused_extras(run: Run) -> int:
    """How many requests were refused without anybody being affected by it."""
    frame = run.requests.loc[_looked_at(run).holds(column(run.requests, "scheduled_s"))]
    lower = frame["priority"].to_numpy() > REFUSALS_TO_PRIORITY
    return int((is_word(frame["outcome"], *REFUSED) & lower).sum())


def shares_of(came: Came) -> Shares:
    """A window begins every second; a run that is shorter than one is one window."""
    length_s = min(WINDOW_S, came.end_s - came.start_s)
    starts = np.arange(came.start_s, came.end_s - length_s + 1e-9, STEP_S) if length_s > 0 else np.empty(0)
    counted = [(start_s, *_users(came, came.between(start_s, start_s + length_s))) for start_s in starts]
    start_s, users, affected = np.array([row for row in counted if row[1]], dtype=np.float64).reshape(-1, 3).T
    return Shares(length_s=length_s, start_s=start_s, users=users, affected=affected)


def _users(came: Came, place: slice) -> tuple[int, int]:
    users, whose = np.unique(came.user[place], return_inverse=True)
    asked, hurt = np.bincount(whose), np.bincount(whose, weights=came.hurt[place])
    return len(users), int((hurt >= AFFECTED_FROM * asked).sum())
