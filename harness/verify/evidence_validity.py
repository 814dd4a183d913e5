"""Whether the harness did its own work: load on schedule, nothing lost, no holes in what was observed."""

import math
from itertools import pairwise

import numpy as np
from scipy import stats

from harness.experiment.load import Arrivals
from harness.record import rows
from harness.record.reader import Run
from harness.verify import figures, lateness, windows
from harness.verify.figures import at, say
from harness.verify.lateness import MAX_LAG_S
from harness.verify.statistics import min_samples
from harness.verify.verdict import Figure
from harness.verify.windows import Floats, column, is_word

LAG = "generator lag p99"
MAX_UNSENT = 0.001  # of all offered requests
MAX_GAP_PERIODS = 3
LONGEST_PERIOD_S = 1.0  # of scrapes; a longer median gap is a hole, not a period
MAX_CLOCK_STEP_S = 0.5
# Chance that a healthy Poisson generator is called off schedule in any second of a run.
FALSE_ALARM = 1e-6


def figures_of(run: Run) -> list[Figure]:
    return [
        _record(run),
        _ran_to_its_end(run),
        _shards(run),
        _lag(run),
        _unsent(run),
        *_arrivals(run),
        _accounted(run),
        *_scrapes(run),
        _clock(run),
        _interference(run),
    ]


def _interference(run: Run) -> Figure:
    """Whoever else kills a part of the system does an experiment of his own; ours then says nothing either way."""
    killed = [event for event in windows.events_of(run, rows.ServiceExited) if event.by_somebody and not event.expected]
    told = [f"{event.service} at {at(windows.run_time_s(run, event.at_ns))} ({event.detail})" for event in killed]
    return figures.condition(
        "services that somebody else ended", float(len(killed)), unit="", samples=len(run.plan.target.services),
        accept="0", holds=not killed, reason="; ".join(told[:3]),
    )  # fmt: skip


# --- the record -----------------------------------------------------------------------------------------------------


def _record(run: Run) -> Figure:
    reasons = [*run.damage] + ([] if run.sealed else ["the record was never sealed: the run did not finish"])
    return figures.condition(
        "damage to the record", float(len(reasons)), unit="", samples=1, accept="sealed and undamaged",
        holds=not reasons, reason="; ".join(reason.rstrip(".") for reason in reasons[:3]),
    )  # fmt: skip


def _ran_to_its_end(run: Run) -> Figure:
    stopped = windows.first(run, rows.RunStopped)
    ended = windows.first(run, rows.RunEnded)
    reason = "no event tells the end of the run"
    if stopped is not None:
        reason = f"stopped by {stopped.by} at {at(windows.run_time_s(run, stopped.at_ns))}: {stopped.reason}"
    reached_s = None if ended is None else windows.run_time_s(run, (stopped or ended).at_ns)
    return figures.condition(
        "end of the run", reached_s, unit="s", samples=1, accept=f"{run.plan.duration_s:g} s, as planned",
        holds=stopped is None and ended is not None, reason=reason,
    )  # fmt: skip


def _clock(run: Run) -> Figure:
    """A wall clock that was set during the run shows as log lines that go back in time."""
    worst_s, where, lines = 0.0, "", 0
    for service, log in run.logs.items():
        times_s = np.array(
            [line["at_s"] for line in log if isinstance(line.get("at_s"), int | float)], dtype=np.float64
        )
        lines += len(times_s)
        if len(times_s) > 1 and -np.diff(times_s).min() > worst_s:
            worst_s, where = float(-np.diff(times_s).min()), service
    return figures.condition(
        "step back of the wall clock", worst_s, unit="s", samples=lines, accept=f"at most {MAX_CLOCK_STEP_S:g} s",
        holds=worst_s <= MAX_CLOCK_STEP_S, reason=f"in the log of {where}",
    )  # fmt: skip


# --- the load -------------------------------------------------------------------------------------------------------


def _shards(run: Run) -> Figure:
    states = windows.events_of(run, rows.ShardState)
    done = {event.shard for event in states if event.state == "done"}
    died = [event for event in states if event.state == "died"]
    missing = set(range(run.plan.load.shards)) - done
    reason = f"shards not done: {sorted(missing)}" if missing else ""
    if died:
        reason = f"shard {died[0].shard} died at {at(windows.run_time_s(run, died[0].at_ns))}: {died[0].detail}"
    return figures.condition(
        "load shards done", float(len(done)), unit="", samples=run.plan.load.shards,
        accept=f"all {run.plan.load.shards}, none died", holds=not missing and not died, reason=reason,
    )  # fmt: skip


def _lag(run: Run) -> Figure:
    """Over the whole run; where it was late in a window only, the checks of that window say so (`lateness.py`)."""
    lags_s = lateness.lags_s(run)
    enough = len(lags_s) >= min_samples(0.99)
    value = lateness.p99_s(lags_s) if enough else None
    return figures.condition(
        LAG, value, unit="s", samples=len(lags_s), accept=f"at most {say(MAX_LAG_S, 's')}",
        holds=value is not None and value <= MAX_LAG_S,
        reason="the generator was late, so latencies are partly its own" if enough else "too few requests to tell",
    )  # fmt: skip


def _unsent(run: Run) -> Figure:
    offered = len(run.requests)
    unsent = int(is_word(run.requests["error"], rows.ErrorClass.CLIENT_LIMIT).sum())
    share = unsent / offered if offered else None
    return figures.condition(
        "requests the generator could not send", share, unit="ratio", samples=offered,
        accept=f"at most {MAX_UNSENT * 100:g} %", holds=share is not None and share <= MAX_UNSENT,
        reason=f"{unsent:,} of {offered:,} hit the generator's limit of requests in flight",
    )  # fmt: skip


def _arrivals(run: Run) -> list[Figure]:
    """Each second, and the whole run, hold as many scheduled requests as the plan says; what visitors send again, if
    their profile lets them, is the system's doing and no part of the plan."""
    seconds = math.floor(run.plan.duration_s)
    planned_ones = run.requests["attempt"].to_numpy() == 1
    at_s = np.floor(column(run.requests, "scheduled_s")[planned_ones])
    inside = (at_s >= 0) & (at_s < seconds)
    counts = np.bincount(at_s[inside].astype(np.int64), minlength=seconds).astype(np.float64)
    planned = np.array([windows.planned_arrivals(run.plan, second, second + 1) for second in range(seconds)])
    low, high = _bounds(run, planned, FALSE_ALARM / max(1, seconds))
    off = np.flatnonzero((counts < low) | (counts > high))
    reason = ""
    if len(off):
        first = int(off[0])
        reason = f"at {at(first)} {counts[first]:,.0f} were scheduled, the plan says {planned[first]:,.1f}"
    total = windows.planned_arrivals(run.plan, 0.0, run.plan.duration_s)
    least, most = (float(end[0]) for end in _bounds(run, np.array([total]), FALSE_ALARM))
    offered = int(planned_ones.sum())
    return [
        figures.condition(
            "seconds with other arrivals than planned", float(len(off)), unit="", samples=seconds, accept="0",
            holds=len(off) == 0 and seconds > 0, reason=reason or "nothing was planned",
        ),
        figures.condition(
            "requests offered", float(offered), unit="", samples=offered,
            accept=f"{least:,.0f} to {most:,.0f}, {total:,.0f} planned",
            holds=least <= offered <= most, reason="requests are missing or too many",
        ),
    ]  # fmt: skip


def _bounds(run: Run, planned: Floats, chance: float) -> tuple[Floats, Floats]:
    """Between what counts lie: chance for Poisson arrivals, rounding (of rate pieces and shards) for even ones."""
    if run.plan.load.arrivals is Arrivals.POISSON:
        return stats.poisson.ppf(chance / 2, planned), stats.poisson.isf(chance / 2, planned)
    slack = 1.0 + run.plan.load.shards
    return planned - slack, planned + slack


def _accounted(run: Run) -> Figure:
    """Each offered request has exactly one known outcome."""
    known = int(is_word(run.requests["outcome"], *(outcome.value for outcome in rows.Outcome)).sum())
    offered = len(run.requests)
    return figures.condition(
        "requests with an outcome", float(known), unit="", samples=offered, accept=f"all {offered:,}",
        holds=known == offered > 0,
        reason=f"{offered - known:,} requests have no outcome" if offered else "no requests",
    )  # fmt: skip


# --- observers ------------------------------------------------------------------------------------------------------


def _scrapes(run: Run) -> list[Figure]:
    """For each service with metrics: no hole, except while a fault struck the service itself."""
    codes = run.metrics["service"].astype("category")
    by_service = run.metrics.groupby(codes, observed=True)["at_s"].unique()
    return [
        _scrape_figure(run, service, np.sort(np.asarray(by_service.get(service, []), dtype=np.float64)))
        for service, spec in run.plan.target.services.items()
        if spec.metrics is not None
    ]


def _scrape_figure(run: Run, service: str, at_s: Floats) -> Figure:
    period_s = min(LONGEST_PERIOD_S, float(np.median(np.diff(at_s)))) if len(at_s) > 1 else LONGEST_PERIOD_S
    limit_s = MAX_GAP_PERIODS * period_s
    inside = at_s[(at_s > 0) & (at_s < run.plan.duration_s)]
    edges = np.r_[max(0.0, at_s[0]) if len(at_s) and at_s[0] < 0 else 0.0, inside, run.plan.duration_s]
    attacks = windows.attacks_on(run, service)
    gaps = [
        (end_s - start_s, start_s)
        for gap_start_s, gap_end_s in pairwise(edges)
        for start_s, end_s in windows.parts_outside(attacks, gap_start_s, gap_end_s)
    ]
    longest_s, since_s = max(gaps, default=(0.0, 0.0))
    return figures.condition(
        f"longest hole in the scrapes of {service}", float(longest_s), unit="s", samples=len(at_s),
        accept=f"at most {limit_s:.3g} s", holds=longest_s <= limit_s and len(at_s) > 0,
        reason=f"from {at(since_s)}" if len(at_s) else "never scraped",
    )  # fmt: skip
