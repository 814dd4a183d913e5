"""What was done to the target and what it did by itself, in run time: faults, levels, alerts, and how far it all goes.

Read from plan, events, metrics and logs; it judges nothing. What was asked (the plan) and what was confirmed (reading
back and the canary) stay two things.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import mean, median
from typing import Any, Literal

import msgspec
import numpy as np

from harness.experiment.faults import WrittenFault
from harness.record import rows
from harness.record.reader import Run
from harness.report.series import LevelLines, Line
from harness.units import enc_hook
from harness.verify import windows
from harness.verify.delivery import Delivery, Part, deliveries

Stage = Literal["before", "during", "after"]
SAME_HOLE_S = 2.0  # scrapes missed within that time of each other are told as one
NO_SETTINGS = ("kind", "link", "service", "region", "between", "direction", "at", "lasts")


# --- time -----------------------------------------------------------------------------------------------------------


def seconds(run: Run, at_ns: int) -> float:
    return windows.run_time_s(run, at_ns)


def stopped(run: Run) -> rows.RunStopped | None:
    return next((event for event in run.events if isinstance(event, rows.RunStopped)), None)


def ended(run: Run) -> rows.RunEnded | None:
    return next((event for event in run.events if isinstance(event, rows.RunEnded)), None)


def reached_s(run: Run) -> float:
    """How far the record goes: the planned end, or where a stopped or dead run broke off."""
    planned_s = run.plan.duration_s if run.plan.phases else 0.0
    stop = stopped(run)
    if stop is not None:
        return min(planned_s, max(0.0, seconds(run, stop.at_ns)))
    if ended(run) is not None or run.sealed:
        return planned_s
    last_s = [seconds(run, event.at_ns) for event in run.events]
    if len(run.requests):
        last_s.append(float(run.requests["scheduled_s"].max()))
    return min(planned_s, max([0.0, *last_s]))


# --- faults ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Edge:
    """One inject or revert: when the plan asked for it, when the call began and ended, and whether it was confirmed."""

    requested_s: float
    asked_s: float | None
    done_s: float | None
    confirmed: bool
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Readings:
    """The canary's readings of one stage: how many agreed with what the stage calls for."""

    stage: Stage
    many: int
    agreeing: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultStory:
    """A fault as configured and as delivered; `dose` is the canary's median while the fault was on.

    A fault on a region is one: `parts` are the ids of what was injected for it, its edges are confirmed if those of all
    parts are, `delivered` says in a sentence how many parts arrived, and its dose is the mean of theirs. `spans` are
    the times at which it was on, more than one where it comes and goes.
    """

    id: str
    kind: str
    where: str
    settings: str
    inject: Edge
    revert: Edge
    readings: tuple[Readings, ...]
    dose: float | None
    wanted_dose: float | None
    dose_unit: str
    parts: tuple[str, ...]
    delivered: str
    not_reverted: str  # parts by name
    spans: tuple[tuple[float, float], ...]


def faults_of(run: Run) -> tuple[FaultStory, ...]:
    return tuple(_fault(run, delivery) for delivery in deliveries(run))


def _fault(run: Run, delivery: Delivery) -> FaultStory:
    whole, parts = delivery.whole, delivery.parts
    during = [reading for part in parts for reading in part.during]
    doses = [reading.dose for reading in during if reading.dose is not None]
    wanted = [reading.wanted_dose for reading in during if reading.wanted_dose is not None]
    typical = mean if whole.is_on_region else median
    return FaultStory(
        id=whole.id,
        kind=whole.kind,
        where=whole.where,
        settings=_settings(whole.fault),
        inject=_edge(run, delivery, "inject"),
        revert=_edge(run, delivery, "revert"),
        readings=tuple(_readings(parts, stage) for stage in ("before", "during", "after")),
        dose=typical(doses) if doses else None,
        wanted_dose=wanted[0] if wanted else None,
        dose_unit=next((reading.dose_unit for reading in during if reading.dose is not None), ""),
        parts=tuple(part.planned.id for part in parts),
        delivered=delivery.sentence(),
        not_reverted=_not_reverted(delivery),
        spans=_spans(run, parts),
    )


def _edge(run: Run, delivery: Delivery, action: Literal["inject", "revert"]) -> Edge:
    """From the first part's call to the end of the last one's, confirmed if those of all parts are. Of each part the
    last call counts: a revert may have been tried more than once. A fault that comes and goes is all there when it is
    there for the first time."""
    whole, parts = delivery.whole, delivery.parts
    requested_s = whole.inject_s if action == "inject" else whole.revert_s
    counted = [part for part in parts if action == "revert" or part.planned.inject_s == whole.inject_s]
    last = [calls[-1] for part in counted if (calls := _calls(part, action))]
    if not last:
        return Edge(requested_s=requested_s, asked_s=None, done_s=None, confirmed=False, detail="never called")
    doubtful = [part for part in parts if not _is_done(_calls(part, action))]
    detail = last[0].detail
    if whole.is_on_region:
        detail = f"not for {delivery.names(doubtful)}" if doubtful else f"all {len(parts)} {delivery.noun}"
    return Edge(
        requested_s=requested_s,
        asked_s=min(seconds(run, edge.at_ns) for edge in last),
        done_s=max(seconds(run, edge.done_ns) for edge in last),
        confirmed=not doubtful,
        detail=detail,
    )


def _not_reverted(delivery: Delivery) -> str:
    left = [part for part in delivery.parts if part.injects and not _is_done(part.reverts)]
    return delivery.names(left) if delivery.whole.is_on_region else ""


def _calls(part: Part, action: Literal["inject", "revert"]) -> tuple[rows.FaultEdge, ...]:
    return part.injects if action == "inject" else part.reverts


def _is_done(edges: Sequence[rows.FaultEdge]) -> bool:
    return bool(edges) and edges[-1].confirmed


def _spans(run: Run, parts: Sequence[Part]) -> tuple[tuple[float, float], ...]:
    """When parts that were injected together were all confirmed to be on, one span for each such time."""
    together: dict[float, list[Part]] = {}
    for part in parts:
        if _is_done(part.injects):
            together.setdefault(part.planned.inject_s, []).append(part)
    return tuple(
        (max(seconds(run, part.injects[-1].done_ns) for part in mine), max(_end_s(run, part) for part in mine))
        for mine in together.values()
    )


def _end_s(run: Run, part: Part) -> float:
    return seconds(run, part.reverts[-1].done_ns) if _is_done(part.reverts) else part.planned.revert_s


def _readings(parts: Sequence[Part], stage: Stage) -> Readings:
    taken = [reading for part in parts for reading in getattr(part, stage)]
    return Readings(stage=stage, many=len(taken), agreeing=sum(reading.agrees for reading in taken))


def _settings(fault: WrittenFault) -> str:
    """What the experiment file says of the fault besides where and when, as it writes it."""
    words: dict[str, Any] = msgspec.to_builtins(fault, enc_hook=enc_hook)
    settings = {name: value for name, value in words.items() if name not in NO_SETTINGS}
    return ", ".join(f"{name} {value}" for name, value in settings.items())


# --- levels ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelStretch:
    """A time during which one level was shown without a break."""

    level: int
    name: str
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelCourse:
    """The levels of one controller, one after the other; of the answers, where no controller was scraped."""

    who: str
    stretches: tuple[LevelStretch, ...]

    @property
    def changes(self) -> tuple[tuple[LevelStretch, LevelStretch], ...]:
        return tuple(pairwise(self.stretches))


def levels_of(run: Run, lines: LevelLines, end_s: float) -> tuple[LevelCourse, ...]:
    names = level_names(run)
    told = lines.controllers or {"the answers": lines.shown}
    courses = (LevelCourse(who=who, stretches=stretches(line, names, end_s)) for who, line in told.items())
    return tuple(course for course in courses if course.stretches)


def never_changed(courses: Sequence[LevelCourse]) -> tuple[str, ...]:
    """`NORMAL all the time: us-east-controller, us-west-controller`, for each level at which some stayed."""
    stayed: dict[str, list[str]] = {}
    for course in courses:
        if not course.changes:
            stayed.setdefault(course.stretches[0].name, []).append(course.who)
    return tuple(f"{level} all the time: {', '.join(who)}" for level, who in stayed.items())


def stretches(line: Line, names: dict[int, str], end_s: float) -> tuple[LevelStretch, ...]:
    """A level line as stretches; gaps in the line belong to the level before them."""
    known = np.isfinite(line.value)
    at_s, level = line.at_s[known], line.value[known].astype(int)
    if not len(level):
        return ()
    first = np.concatenate(([0], np.flatnonzero(np.diff(level)) + 1))
    starts = [max(0.0, float(at_s[place])) for place in first]
    ends = [*starts[1:], max(end_s, starts[-1])]
    levels = [int(level[place]) for place in first]
    return tuple(
        LevelStretch(level=value, name=names.get(value, f"level {value}"), start_s=start_s, end_s=until_s)
        for value, start_s, until_s in zip(levels, starts, ends, strict=True)
    )


def level_names(run: Run) -> dict[int, str]:
    promise = run.plan.target.promises.degradation
    return {} if promise is None else {level.value: level.name for level in promise.levels}


# --- alerts and other happenings ------------------------------------------------------------------------------------

ALERTS = "alerts"


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """Something on a lane of the timeline: an instant, or a span where `end_s` is later."""

    kind: str
    lane: str  # each alert has its own; the other kinds have one each
    start_s: float
    end_s: float
    words: str


def alerts_of(run: Run) -> tuple[Happening, ...]:
    """When each alert was firing, from its metric; with the moments its log tells, where it has one."""
    return (*_firing(run), *_logged_alerts(run))


def _firing(run: Run) -> list[Happening]:
    metrics = run.metrics
    if not len(metrics):
        return []
    mine = metrics.loc[
        metrics["metric"] == run.plan.target.metrics.alert_firing, ["at_s", "service", "labels", "value"]
    ]
    happenings = []
    for (service, labels), samples in mine.groupby(["service", "labels"], observed=True, sort=True):
        ordered = samples.sort_values("at_s")
        at_s, firing = ordered["at_s"].to_numpy(), ordered["value"].to_numpy() > 0
        edges = np.flatnonzero(np.diff(np.concatenate(([0], firing.astype(np.int8), [0]))))
        for start, end in edges.reshape(-1, 2):
            until_s = float(at_s[min(end, len(at_s) - 1)])
            alert = windows.label(str(labels), "alert")
            words = f"alert {alert} firing, says {service}"
            happenings.append(
                Happening(kind=ALERTS, lane=alert or ALERTS, start_s=float(at_s[start]), end_s=until_s, words=words)
            )
    return happenings


def _logged_alerts(run: Run) -> list[Happening]:
    happenings = []
    for service, lines in sorted(run.logs.items()):
        for line in lines:
            at_s = line.get("at_s")
            if line.get("event") in ("alert_fired", "alert_resolved") and isinstance(at_s, int | float):
                alert, what = str(line.get("alert", "")), str(line["event"]).replace("_", " ")
                words = f"{what}: {alert} (log of {service})"
                happenings.append(
                    Happening(kind=ALERTS, lane=alert or ALERTS, start_s=float(at_s), end_s=float(at_s), words=words)
                )
    return happenings


def services_of(run: Run) -> tuple[Happening, ...]:
    """Exits and times of ill health of services, and holes in what was scraped."""
    happenings, ill = [], dict[str, float]()
    missed: dict[str, list[tuple[float, str]]] = {}
    for event in run.events:
        at_s = seconds(run, event.at_ns)
        match event:
            case rows.ServiceExited():
                why = "as the fault meant" if event.expected else "UNEXPECTED"
                words = f"{event.service} exited, {why}: {event.detail}"
                happenings.append(Happening(kind="services", lane="services", start_s=at_s, end_s=at_s, words=words))
            case rows.HealthChanged(healthy=False):
                ill.setdefault(event.service, at_s)
            case rows.HealthChanged(healthy=True) if event.service in ill:
                words = f"{event.service} unhealthy"
                happenings.append(
                    Happening(kind="services", lane="services", start_s=ill.pop(event.service), end_s=at_s, words=words)
                )
            case rows.ScrapeMissed():
                missed.setdefault(event.service, []).append((at_s, event.why))
    end_s = reached_s(run)
    for service, since_s in sorted(ill.items()):
        words = f"{service} unhealthy to the end"
        happenings.append(
            Happening(kind="services", lane="services", start_s=since_s, end_s=max(since_s, end_s), words=words)
        )
    holes = [_hole(service, hole) for service, of_it in missed.items() for hole in _holes(of_it)]
    return (*happenings, *sorted(holes, key=lambda hole: hole.start_s))


def _holes(missed: Sequence[tuple[float, str]]) -> Iterator[Sequence[tuple[float, str]]]:
    """Scrapes of one service that were missed one after the other."""
    since = 0
    for place in range(1, len(missed) + 1):
        if place == len(missed) or missed[place][0] - missed[place - 1][0] > SAME_HOLE_S:
            yield missed[since:place]
            since = place


def _hole(service: str, missed: Sequence[tuple[float, str]]) -> Happening:
    at_s, why = missed[0]
    many = f", {len(missed)} times in a row" if len(missed) > 1 else ""
    words = f"no sample of {service}{many}: {why}"
    return Happening(kind="scrapes missed", lane="scrapes missed", start_s=at_s, end_s=missed[-1][0], words=words)
