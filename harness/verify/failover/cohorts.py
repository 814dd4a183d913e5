"""What the users of one region met: their requests as columns, and how much they were hurt. No judgement.

A cohort is all users who ask for a region, whoever serves them in the end: averages over all regions hide an outage of
one. Times are cut into blocks of a second, counted from where the outage began.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.experiment.expectations.failover import FailoverCheck, Operations
from harness.record.reader import Run
from harness.record.rows import Outcome as Ending
from harness.verify import statistics, windows
from harness.verify.slo import BAD, GIVEN_UP
from harness.verify.windows import Bools, Floats, Window, column, is_word

BLOCK_S = 1.0
GOODPUT_SHARE = 0.95  # of the baseline's, as for a recovery: with less all is not well again
Ints = NDArray[np.int64]
Words = NDArray[np.object_]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cohort:
    """Requests of the users of a region, those of the final reads left out; times in seconds of run time. A good answer
    takes at most `within_s`."""

    region: str
    name: str
    within_s: float
    scheduled_s: Floats
    sent_s: Floats
    finished_s: Floats
    latency_s: Floats  # infinite where the request was given up without an answer
    ok: Bools
    bad: Bools
    writes: Bools
    timed: Bools  # those that a percentile is about
    user: Ints
    served: Words  # by which region; empty where nobody answered

    def __len__(self) -> int:
        return len(self.scheduled_s)

    @property
    def good(self) -> Bools:
        result: Bools = self.ok & (self.latency_s <= self.within_s)
        return result

    @property
    def refused_or_late(self) -> Bools:
        """Neither bad nor good."""
        result: Bools = ~self.bad & ~self.good
        return result


@dataclass(frozen=True, slots=True, kw_only=True)
class Harm:
    """What an outage did to a cohort. `goodput_lost` is in requests, against the share that was good in the baseline
    (None without one); `hurt_s` are the whole seconds in which something of a hurt user's was failing."""

    offered: int
    bad: int
    refused_or_late: int
    longest_gap: tuple[float, float]  # from, to: without any success
    bad_blocks: Bools  # from the outage on: whether more was bad in this second than the objective allows
    goodput_lost: float | None
    users: int
    users_hurt: int
    hurt_s_median: float
    hurt_s_worst: float

    @property
    def bad_seconds(self) -> int:
        return int(self.bad_blocks.sum())

    @property
    def longest_gap_s(self) -> float:
        return self.longest_gap[1] - self.longest_gap[0]


def cohort_of(run: Run, region: str, check: FailoverCheck, operations: Operations = Operations.ALL) -> Cohort:
    frame = run.requests
    final = windows.phase_window(run.plan, "final_reads")
    chosen = is_word(frame["region_asked"], region)
    if final is not None:
        chosen = chosen & ~final.holds(column(frame, "scheduled_s"))
    writing = is_word(frame["operation"], *writing_operations(run))
    if operations is not Operations.ALL:
        chosen = chosen & (writing if operations is Operations.WRITES else ~writing)
    rows = frame.loc[chosen]
    given_up = is_word(rows["error"], *GIVEN_UP)
    ok = is_word(rows["outcome"], Ending.OK)
    return Cohort(
        region=region,
        name=region if operations is Operations.ALL else f"{region}, {operations.value}",
        within_s=float(check.within),
        scheduled_s=column(rows, "scheduled_s"),
        sent_s=column(rows, "sent_s"),
        finished_s=column(rows, "finished_s"),
        latency_s=np.where(given_up, np.inf, column(rows, "latency_s")),
        ok=ok,
        bad=is_word(rows["outcome"], *BAD),
        writes=writing[chosen],
        timed=ok | given_up,
        user=rows["user"].to_numpy(dtype=np.int64),
        served=rows["region_served"].to_numpy(dtype=object),
    )


def writing_operations(run: Run) -> list[str]:
    return [operation.name for operation in run.plan.operations if operation.writes]


def regions_asked(run: Run) -> list[str]:
    """Regions of the target that somebody asked for, in the target's order."""
    asked = set(run.requests["region_asked"].unique())
    return [region for region in run.plan.target.regions if region in asked]


# --- blocks ---------------------------------------------------------------------------------------------------------


def blocks_of(cohort: Cohort, hits: Bools, from_s: float, until_s: float) -> Floats:
    """How many of the requests that are hits were scheduled in each whole block."""
    count = max(0, int((until_s - from_s) / BLOCK_S + 1e-9))
    number = np.floor((cohort.scheduled_s[hits] - from_s) / BLOCK_S)
    inside = number[(number >= 0) & (number < count)].astype(np.int64)
    return np.bincount(inside, minlength=count).astype(np.float64)


def first_good_window(offered: Floats, limits: Sequence[tuple[Floats, float]], *, blocks: int) -> int | None:
    """The first block that is itself good and begins a stretch of `blocks` blocks that is good as a whole.

    Good: something was offered, and of each of the counts in `limits` there was at most that share of it.
    """
    good = offered > 0
    for count, most in limits:
        good &= _at_most(count, offered, most)
    for start in np.flatnonzero(good):
        stretch = slice(start, start + blocks)
        if stretch.stop > len(offered):
            return None
        if all(_at_most(count[stretch].sum(), offered[stretch].sum(), most) for count, most in limits):
            return int(start)
    return None


def _at_most(count: Floats, offered: Floats, share: float) -> Bools:
    result: Bools = count <= (share + 1e-12) * offered
    return result


def bad_blocks(offered: Floats, bad: Floats, error_ratio: float) -> Bools:
    result: Bools = (offered > 0) & ~_at_most(bad, offered, error_ratio)
    return result


def longest_gap(at_s: Sequence[float] | Floats, from_s: float, until_s: float) -> tuple[float, float]:
    """The longest stretch between two run times in which none of the instants lies; the first of equals."""
    instants = np.asarray(at_s, dtype=np.float64)
    inside = np.sort(instants[(instants >= from_s) & (instants <= until_s)])
    edges = np.concatenate(([from_s], inside, [max(from_s, until_s)]))
    place = int(np.argmax(np.diff(edges)))
    return float(edges[place]), float(edges[place + 1])


# --- harm -----------------------------------------------------------------------------------------------------------


def harm_of(cohort: Cohort, baseline: Window | None, *, from_s: float, until_s: float, error_ratio: float) -> Harm:
    """Between two run times; what was under way when it began counts, too, if it ended badly."""
    inside = (cohort.scheduled_s >= from_s) & (cohort.scheduled_s < until_s)
    under_way = (cohort.scheduled_s < from_s) & (cohort.finished_s >= from_s)
    hurt = cohort.bad & (inside | under_way)
    offered = blocks_of(cohort, np.ones(len(cohort), dtype=bool), from_s, until_s)
    bad = blocks_of(cohort, cohort.bad, from_s, until_s)
    seconds = hurt_seconds(cohort.user[hurt], np.maximum(cohort.scheduled_s[hurt], from_s), cohort.finished_s[hurt])
    usual = good_share(cohort, baseline)
    lost = None if usual is None else max(0.0, usual * inside.sum() - (cohort.good & inside).sum())
    return Harm(
        offered=int(inside.sum()),
        bad=int(hurt.sum()),
        refused_or_late=int((cohort.refused_or_late & inside).sum()),
        longest_gap=longest_gap(cohort.finished_s[cohort.ok], from_s, until_s),
        bad_blocks=bad_blocks(offered, bad, error_ratio),
        goodput_lost=None if lost is None else float(lost),
        users=len(np.unique(cohort.user[inside | hurt])),
        users_hurt=len(seconds),
        hurt_s_median=float(np.median(seconds)) if len(seconds) else 0.0,
        hurt_s_worst=float(seconds.max()) if len(seconds) else 0.0,
    )


def hurt_seconds(user: Ints, from_s: Floats, to_s: Floats) -> Floats:
    """For each user the number of whole seconds of run time that any of these stretches touches."""
    first = np.floor(from_s).astype(np.int64)
    many = np.maximum(np.floor(to_s).astype(np.int64) - first, 0) + 1
    offset = np.arange(int(many.sum())) - np.repeat(np.cumsum(many) - many, many)
    touched = np.unique(np.stack([np.repeat(user, many), np.repeat(first, many) + offset]), axis=1)
    return np.unique(touched[0], return_counts=True)[1].astype(np.float64)


def good_share(cohort: Cohort, baseline: Window | None) -> float | None:
    if baseline is None:
        return None
    inside = baseline.holds(cohort.scheduled_s)
    return float((cohort.good & inside).sum() / inside.sum()) if inside.any() else None


def unserved_ratio(cohort: Cohort, baseline: Window | None) -> float:
    """The share of requests that may go without a good answer where all is well; without a baseline everything was."""
    usual = good_share(cohort, baseline)
    return 1 - GOODPUT_SHARE * (1.0 if usual is None else usual)


def latency_p99(cohort: Cohort, from_s: float, until_s: float) -> tuple[float | None, int]:
    """With the number of samples; None where they are too few or nobody was answered."""
    inside = cohort.timed & (cohort.scheduled_s >= from_s) & (cohort.scheduled_s < until_s)
    value = statistics.empirical_quantile(np.sort(cohort.latency_s[inside]), 0.99)
    return (value if value is not None and np.isfinite(value) else None), int(inside.sum())
