"""What the target's workers show of the posts that wait: how late they are, when that is over, and what became of all.

Every acknowledged post is delivered, waits, or was given up and kept. What is delivered is counted, the other two are
gauges that the worker reads once in a while; so only posts are counted that were acknowledged `SETTLED_S` before the
last scrape, and what waits in the end is looked at that long after the last one. Posts of unknown fate may be in the
counts, too: what is missing from them is a lower bound. A worker that does not show all of it leaves the verdict open.
"""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from harness.record.reader import Run
from harness.record.rows import Change, Outcome
from harness.verify import figures, moments, windows
from harness.verify.figures import at, say
from harness.verify.moments import Moment, lapse
from harness.verify.verdict import Figure
from harness.verify.windows import Floats, column, is_word

BACKLOG_S = 2.0  # what waits for longer is a backlog, and not work under way
SETTLED_S = 5.0  # several times as long as a worker takes to look, and a scrape to see


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """One worker's, by scrape; NaN is not known."""

    service: str
    at_s: Floats
    depth: Floats
    lag_s: Floats
    delivered: Floats
    dead_letters: Floats

    @property
    def given(self) -> Floats:
        """All that it knows of: every post adds one, whatever becomes of it."""
        result: Floats = self.delivered + self.depth + self.dead_letters
        return result


def queues_of(run: Run) -> tuple[list[Queue], list[Figure]]:
    """Of every worker, and a doubt for each that does not show what is needed."""
    names = run.plan.target.metrics
    queues, doubts = [], []
    workers = windows.services_with_role(run, "worker")
    for service in workers:
        metrics = (names.fan_out_depth, names.fan_out_lag, names.fan_out_dead_letters, names.fan_out_delivered)
        shown = {metric: _shown(run, service, metric) for metric in metrics}
        missing = [metric for metric, values in shown.items() if not values.notna().any()]
        if missing:
            why = f"{service} does not show {', '.join(missing)}"
            doubts.append(figures.unknown("queues", unit="", accept="of all workers", reason=why))
            continue
        depth = shown[names.fan_out_depth]
        queues.append(
            Queue(
                service=service,
                at_s=depth.index.to_numpy(dtype=np.float64),
                depth=depth.to_numpy(dtype=np.float64),
                lag_s=_at(shown[names.fan_out_lag], depth),
                delivered=_at(shown[names.fan_out_delivered], depth, before_any=0.0),
                dead_letters=_at(shown[names.fan_out_dead_letters], depth),
            )
        )
    if not workers:
        doubts.append(figures.unknown("queues", unit="", accept="of all workers", reason="there is no worker"))
    return queues, doubts


def _shown(run: Run, service: str, metric: str) -> pd.Series:
    """By scrape, over all labels; NaN where any of them is."""
    samples = windows.series(run, service, metric)
    by_scrape = samples.groupby("at_s")["value"]
    return by_scrape.sum().where(by_scrape.count() == by_scrape.size())


def _at(values: pd.Series, scrapes: pd.Series, *, before_any: float = math.nan) -> Floats:
    """At these scrapes. A counter's labels may appear with what is counted first: before that it is 0."""
    result: Floats = values.reindex(scrapes.index, fill_value=before_any).to_numpy(dtype=np.float64)
    return result


def longest_lag(queue: Queue, most_s: float) -> Figure:
    worst = int(np.nanargmax(queue.lag_s))
    value = float(queue.lag_s[worst])
    reason = f"{queue.service} at {at(float(queue.at_s[worst]))}"
    known = int(np.isfinite(queue.lag_s).sum())
    if value <= most_s and known < len(queue.lag_s):
        why = f"{queue.service} did not know it at {len(queue.lag_s) - known} of {len(queue.lag_s)} scrapes"
        return figures.unknown("longest lag", unit="s", accept=f"at most {say(most_s, 's')}", reason=why)
    return figures.bounded("longest lag", value, most_s, unit="s", samples=known, reason=reason)


def drained(run: Run, queue: Queue, within_s: float) -> Figure:
    """From the end of the last disturbance until nothing waits for more than `BACKLOG_S`, for good."""
    name, accept = "drained after", f"at most {say(within_s, 's')}"
    over_s, doubt = windows.disturbance_over_s(run)
    if over_s is None:
        return figures.unknown(name, unit="s", accept=accept, reason=doubt)
    after = queue.at_s >= over_s
    if not after.any() or not np.isfinite(queue.lag_s[after]).all():
        why = f"{queue.service} did not always show its lag after {at(over_s)}"
        return figures.unknown(name, unit="s", accept=accept, reason=why)
    waits = after & (queue.lag_s > BACKLOG_S)
    if waits[-1]:
        why = f"{queue.service} has a backlog at the end"
        watched_s = float(queue.at_s[-1]) - over_s
        return moments.never_within(name, within_s, watched_s=watched_s, samples=len(queue.at_s), why=why)
    last = int(np.flatnonzero(waits)[-1]) if waits.any() else None
    over = Moment.exactly(over_s, "events")
    calm = over if last is None else _between(queue.at_s[last], queue.at_s[last + 1])
    return moments.timed(name, lapse(over, calm), within_s, samples=int(after.sum()))


def _between(earliest_s: float, latest_s: float) -> Moment:
    """Somewhen between two scrapes."""
    return Moment(at_s=float(latest_s), earliest_s=float(earliest_s), latest_s=float(latest_s), source="metrics")


def in_the_end(run: Run, queue: Queue) -> list[Figure]:
    """Nothing waits, nothing was given up, and nothing is missing from the sum."""
    return [_unaccounted(run, queue), *_left(run, queue)]


def _left(run: Run, queue: Queue) -> list[Figure]:
    """At the last scrape. What waits says nothing, and that nothing was given up neither, while posts are new."""
    letters, waiting = "posts given up", "posts that wait in the end"
    posted = _posted(run, Outcome.OK, Outcome.UNKNOWN)
    last_s = float(column(posted, "finished_s").max()) if len(posted) else math.inf
    settled = bool(last_s + SETTLED_S <= queue.at_s[-1] and np.isfinite(queue.given[-1]))
    kept, waits = float(queue.dead_letters[-1]), float(queue.depth[-1])
    scrapes = len(queue.at_s)
    why = f"{queue.service} did not show it {SETTLED_S:g} s after the last post"
    return [
        figures.never(letters, int(kept), scrapes, reason=f"by {queue.service}, kept as dead letters")
        if settled or kept > 0
        else figures.unknown(letters, unit="", accept="0", reason=why),
        figures.never(waiting, int(waits), scrapes, reason=f"{queue.service} has them")
        if settled
        else figures.unknown(waiting, unit="", accept="0", reason=why),
    ]


def _unaccounted(run: Run, queue: Queue) -> Figure:
    name = "acknowledged posts that are neither delivered nor kept"
    services = run.plan.target.services
    mine = services[queue.service].region
    sharing = [other for other in windows.services_with_role(run, "worker") if services[other].region == mine]
    if len(sharing) > 1:
        reason = f"{', '.join(sharing)} share a queue, and nobody knows who was given what"
        return figures.unknown(name, unit="", accept="0", reason=reason)
    posted = _posted(run, *Outcome)
    first_s = float(column(posted, "scheduled_s").min()) if len(posted) else math.inf
    before = np.flatnonzero(queue.at_s <= first_s)
    if len(before) == 0 or (np.diff(queue.delivered) < 0).any():
        reason = f"{queue.service} was not scraped before the first post, or began to count anew"
        return figures.unknown(name, unit="", accept="0", reason=reason)
    known = float(queue.given[-1] - queue.given[before[-1]])
    if not np.isfinite(known):
        reason = f"{queue.service} did not know what it had"
        return figures.unknown(name, unit="", accept="0", reason=reason)
    acked = is_word(posted["outcome"], Outcome.OK) & (column(posted, "finished_s") <= queue.at_s[-1] - SETTLED_S)
    owed = posted.loc[acked, "written"].nunique()
    missing = max(0, owed - int(known))
    reason = f"{queue.service} was given {owed:,} and knows of {int(known):,}"
    return figures.never(name, missing, owed, reason=reason)


def _posted(run: Run, *outcomes: Outcome) -> pd.DataFrame:
    frame = run.requests
    return frame.loc[is_word(frame["change"], Change.ADD) & is_word(frame["outcome"], *outcomes)]
