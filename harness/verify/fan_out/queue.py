"""What the target's workers show of the posts that wait: how late they are, when that is over, and what became of all.

Every acknowledged post is delivered, waits, or was given up and kept. What is delivered is counted, the other two are
gauges that the worker reads once in a while; so only posts are counted that were acknowledged `SETTLED_S` before the
last scrape. Posts of unknown fate may be in the counts, too: what is missing from them is a lower bound.
"""

import math
from dataclasses import dataclass

import numpy as np

from harness.record.reader import Run
from harness.record.rows import Change, Outcome
from harness.verify import figures, windows
from harness.verify.figures import at, say
from harness.verify.verdict import Figure
from harness.verify.windows import Floats, column, is_word

BACKLOG_S = 1.0  # what waits for longer is a backlog, and not work under way
SETTLED_S = 5.0  # several times as long as a worker takes to look, and a scrape to see


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """One worker's, by scrape."""

    service: str
    at_s: Floats
    depth: Floats
    lag_s: Floats
    delivered: Floats
    dead_letters: Floats


def queues_of(run: Run) -> list[Queue]:
    """Of the workers that show all of it."""
    names = run.plan.target.metrics
    found = []
    for service in windows.services_with_role(run, "worker"):
        shown = [
            windows.series(run, service, metric).groupby("at_s")["value"].sum()
            for metric in (names.fan_out_depth, names.fan_out_lag, names.fan_out_dead_letters)
        ]
        delivered = windows.series(run, service, names.fan_out_delivered).groupby("at_s")["value"].sum()
        depth, lag, letters = shown
        if len(depth) and len(lag) and len(letters):
            found.append(
                Queue(
                    service=service,
                    at_s=depth.index.to_numpy(dtype=np.float64),
                    depth=depth.to_numpy(dtype=np.float64),
                    lag_s=lag.reindex(depth.index).to_numpy(dtype=np.float64),
                    delivered=delivered.reindex(depth.index, fill_value=0.0).to_numpy(dtype=np.float64),
                    dead_letters=letters.reindex(depth.index).to_numpy(dtype=np.float64),
                )
            )
    return found


def longest_lag(queue: Queue, most_s: float) -> Figure:
    worst = int(np.nanargmax(queue.lag_s))
    value = float(queue.lag_s[worst])
    reason = f"{queue.service} at {at(float(queue.at_s[worst]))}"
    return figures.bounded("longest lag", value, most_s, unit="s", samples=len(queue.at_s), reason=reason)


def drained(run: Run, queue: Queue, within_s: float) -> Figure:
    """From the end of the last disturbance until nothing waits for more than `BACKLOG_S`, for good."""
    over_s, doubt = windows.disturbance_over_s(run)
    if over_s is None:
        return figures.unknown("drained after", unit="s", accept=f"at most {say(within_s, 's')}", reason=doubt)
    late_s = queue.at_s[(queue.lag_s > BACKLOG_S) & (queue.at_s >= over_s)]
    took_s = float(late_s.max(initial=over_s)) - over_s
    reason = f"{queue.service} had a backlog until then"
    return figures.bounded("drained after", took_s, within_s, unit="s", samples=len(queue.at_s), reason=reason)


def in_the_end(run: Run, queue: Queue) -> list[Figure]:
    """Nothing waits, nothing was given up, and nothing is missing from the sum."""
    scrapes = len(queue.at_s)
    waiting, letters = int(queue.depth[-1]), int(queue.dead_letters[-1])
    return [
        _unaccounted(run, queue),
        figures.never("posts given up", letters, scrapes, reason=f"by {queue.service}, kept as dead letters"),
        figures.never("posts that wait in the end", waiting, scrapes, reason=f"{queue.service} has them"),
    ]


def _unaccounted(run: Run, queue: Queue) -> Figure:
    name = "acknowledged posts that are neither delivered nor kept"
    posted = run.requests.loc[is_word(run.requests["change"], Change.ADD)]
    first_s = float(column(posted, "scheduled_s").min()) if len(posted) else math.inf
    before = np.flatnonzero(queue.at_s <= first_s)
    if len(before) == 0 or (np.diff(queue.delivered) < 0).any():
        reason = f"{queue.service} was not scraped before the first post, or began to count anew"
        return figures.unknown(name, unit="", accept="0", reason=reason)
    acked = is_word(posted["outcome"], Outcome.OK) & (column(posted, "finished_s") <= queue.at_s[-1] - SETTLED_S)
    owed = posted.loc[acked, "written"].nunique()
    known = queue.delivered[-1] - queue.delivered[before[-1]] + queue.depth[-1] + queue.dead_letters[-1]
    missing = max(0, owed - int(known))
    reason = f"{queue.service} was given {owed:,} and knows of {int(known):,}"
    return figures.never(name, missing, owed, reason=reason)
