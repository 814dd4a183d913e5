"""Where the users of a region were sent over time, as whoever routes them says: from its log, else from its metrics.

A log line has the time of the change itself, a metric only tells between which scrapes it was. Where several routers
tell, the first one is heard: they decide alike.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from harness.record.reader import Run
from harness.verify import windows
from harness.verify.moments import Moment
from harness.verify.windows import Bools, Floats

Line = dict[str, object]

LOG_ERROR_S = 0.01  # a line is written right after what it tells
DECIDED, CHANGED = "decided", "routes_changed"  # events in the router's log
WRITING, HEALTHY = "writing", "healthy"  # beside the regions in `routes_changed`


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """From this moment on: the share of its own users that the region got, whether it was taken for healthy, and
    whether it took their writes."""

    since: Moment
    share: float
    healthy: bool
    takes_writes: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Away:
    """A stretch during which a region did not take its users' writes; `end` is None where that lasted to the end."""

    start: Moment
    end: Moment | None

    def surely_holds(self, at_s: Floats) -> Bools:
        end_s = math.inf if self.end is None else self.end.earliest_s
        held: Bools = (at_s > self.start.latest_s) & (at_s < end_s)
        return held


@dataclass(frozen=True, slots=True, kw_only=True)
class Routes:
    """All steps of one region, the first one being where it stood at first; when it was found to be unhealthy and when
    its users were decided to go elsewhere, where a log tells that."""

    region: str
    steps: tuple[Step, ...]
    found_unhealthy: tuple[Moment, ...] = ()
    sent_away: tuple[Moment, ...] = ()

    def changes(self) -> Iterable[tuple[Step, Step]]:
        return zip(self.steps, self.steps[1:], strict=False)

    def left(self, began: Moment, until_s: float = math.inf) -> Moment | None:
        """T4: when the region first lost users after a fault began."""
        for before, after in self.changes():
            if after.share < before.share and began.earliest_s <= after.since.latest_s < until_s:
                return after.since.not_before(began)
        return None

    def detected(self, began: Moment, until_s: float = math.inf) -> Moment | None:
        """T2: when it was first found to be unhealthy after that."""
        turned = [after.since for before, after in self.changes() if before.healthy and not after.healthy]
        return _first(self.found_unhealthy or turned, began, until_s)

    def decided(self, began: Moment, until_s: float = math.inf) -> Moment | None:
        """T3: when its users were decided to go elsewhere; only a log knows it apart from T4."""
        return _first(self.sent_away, began, until_s)

    def healthy_since(self, after: Moment, until: Moment) -> Moment | None:
        """When it last became healthy between two moments."""
        turned = [step.since for before, step in self.changes() if step.healthy and not before.healthy]
        return next((each for each in reversed(turned) if after.latest_s < each.latest_s <= until.latest_s), None)

    def ramp(self, after: Moment, until_s: float) -> tuple[Step, ...]:
        """Steps by which its users came back (or went again) after a fail-over, up to the one with all of them."""
        taken: list[Step] = []
        for before, step in self.changes():
            if step.since.latest_s <= after.latest_s or step.since.at_s >= until_s or step.share == before.share:
                continue
            taken.append(step)
            if step.share >= 1.0:
                break
        return tuple(taken)

    def fail_overs(self) -> tuple[Moment, ...]:
        """Each time that it lost all its users because it was unhealthy; a step back of a ramp is none."""
        return tuple(
            after.since for before, after in self.changes() if before.share > 0 == after.share and not after.healthy
        )

    def away(self) -> list[Away]:
        stretches: list[Away] = []
        start: Moment | None = None
        for step in self.steps:
            if not step.takes_writes and start is None:
                start = step.since
            if step.takes_writes and start is not None:
                stretches.append(Away(start=start, end=step.since))
                start = None
        return stretches if start is None else [*stretches, Away(start=start, end=None)]


def routes_of(run: Run, region: str) -> Routes | None:
    """None where nobody tells."""
    scraped, logged = _scraped(run, region), _logged(run, region)
    if logged is None or scraped is None:
        return logged or scraped
    return logged if len(logged.steps) >= len(scraped.steps) else scraped


def _first(moments: Sequence[Moment], began: Moment, until_s: float) -> Moment | None:
    for moment in moments:
        if began.earliest_s <= moment.latest_s < until_s:
            return moment.not_before(began)
    return None


# --- metrics --------------------------------------------------------------------------------------------------------


def _scraped(run: Run, region: str) -> Routes | None:
    names = run.plan.target.metrics
    metrics = run.metrics
    for service in metrics.loc[metrics["metric"] == names.region_share, "service"].unique():
        share = _column(run, str(service), names.region_share, region)
        if share is not None:
            healthy = _column(run, str(service), names.region_healthy, region)
            writes = _column(run, str(service), names.region_takes_writes, region)
            return Routes(region=region, steps=tuple(_steps(share, healthy, writes)))
    return None


def _column(run: Run, service: str, metric: str, region: str) -> pd.Series | None:
    table = windows.by_label(run, service, metric, "region")
    return table[region].dropna() if region in table else None


def _steps(share: pd.Series, healthy: pd.Series | None, writes: pd.Series | None) -> Iterable[Step]:
    """One for each scrape that shows something else than the one before."""
    at_s = share.index.to_numpy(dtype=np.float64)
    shares = share.to_numpy(dtype=np.float64)
    well = shares > 0 if healthy is None else _held(healthy, at_s) > 0
    takes = shares > 0 if writes is None else _held(writes, at_s) > 0
    for place in range(len(at_s)):
        state = (shares[place], well[place], takes[place])
        if place == 0 or state != (shares[place - 1], well[place - 1], takes[place - 1]):
            earliest_s = float(at_s[max(0, place - 1)])
            now_s = float(at_s[place])
            yield Step(
                since=Moment(at_s=now_s, earliest_s=earliest_s, latest_s=now_s, source="metrics"),
                share=float(shares[place]),
                healthy=bool(well[place]),
                takes_writes=bool(takes[place]),
            )


def _held(series: pd.Series, at_s: Floats) -> Floats:
    """The value that a metric last had at each instant; 1 before it had any."""
    held: Floats = series.reindex(at_s, method="ffill").fillna(1.0).to_numpy(dtype=np.float64)
    return held


# --- logs -----------------------------------------------------------------------------------------------------------


def _logged(run: Run, region: str) -> Routes | None:
    for lines in run.logs.values():
        steps = list(_told_steps(lines, region))
        if steps:
            return Routes(
                region=region,
                steps=tuple(steps),
                found_unhealthy=_decisions(lines, region, lambda line: line.get("healthy") is False),
                sent_away=_decisions(lines, region, lambda line: line.get("share") == 0),
            )
    return None


def _told_steps(lines: Sequence[Line], region: str) -> Iterable[Step]:
    """The region has all its users until a line says something else. None where no line tells of it."""
    last = Step(since=Moment.exactly(-math.inf, "logs"), share=1.0, healthy=True, takes_writes=True)
    any_told = False
    for line in lines:
        routes, at_s = line.get("routes"), line.get("at_s")
        if line.get("event") != CHANGED or not isinstance(at_s, int | float) or not isinstance(routes, dict):
            continue
        share = _share(routes.get(region))
        if share is None:
            continue
        if not any_told:
            any_told = True
            yield last
        state = {"healthy": _names(routes, HEALTHY, region), "takes_writes": _names(routes, WRITING, region)}
        step = Step(since=_written(float(at_s)), share=share, **state)
        if replace(step, since=last.since) != last:
            yield step
            last = step


def _share(told: object) -> float | None:
    """`"25 us-west"`: a quarter of its users go to the region itself, the others to us-west."""
    words = told.split() if isinstance(told, str) else []
    try:
        return float(words[0]) / 100
    except (ValueError, IndexError):
        return None


def _names(routes: Line, word: str, region: str) -> bool:
    """Whether a comma-separated list names the region; a router that keeps no such list means all."""
    return word not in routes or region in str(routes[word]).split(",")


def _decisions(lines: Sequence[Line], region: str, means: Callable[[Line], bool]) -> tuple[Moment, ...]:
    mine = [line for line in lines if line.get("event") == DECIDED and line.get("region") == region and means(line)]
    times_s = [line.get("at_s") for line in mine]
    return tuple(_written(float(at_s)) for at_s in times_s if isinstance(at_s, int | float))


def _written(at_s: float) -> Moment:
    return Moment(at_s=at_s, earliest_s=at_s - LOG_ERROR_S, latest_s=at_s, source="logs")
