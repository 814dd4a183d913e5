"""What was done to the target and what it did by itself, in run time: faults, levels, alerts, and how far it all goes.

Read from plan, events, metrics and logs; it judges nothing. What was asked (the plan) and what was confirmed (reading
back and the canary) stay two things.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, Literal

import msgspec
import numpy as np

from harness.experiment import Fault
from harness.plan import PlannedFault
from harness.record import rows
from harness.record.reader import Run
from harness.report.series import Line
from harness.units import enc_hook
from harness.verify import windows

Stage = Literal["before", "during", "after"]


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
    """A fault as configured and as delivered; `dose` is the canary's median while the fault was on."""

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


def faults_of(run: Run) -> tuple[FaultStory, ...]:
    return tuple(_fault(run, planned) for planned in run.plan.faults)


def _fault(run: Run, planned: PlannedFault) -> FaultStory:
    readings = [event for event in run.events if isinstance(event, rows.CanaryReading) and event.fault == planned.id]
    during = [reading for reading in readings if reading.stage == "during"]
    dosed = [reading for reading in during if reading.dose is not None]
    wanted = [reading.wanted_dose for reading in during if reading.wanted_dose is not None]
    kind, where, settings = _words(planned.fault)
    return FaultStory(
        id=planned.id,
        kind=kind,
        where=where,
        settings=settings,
        inject=_edge(run, planned.id, "inject", planned.inject_s),
        revert=_edge(run, planned.id, "revert", planned.revert_s),
        readings=tuple(_readings(readings, stage) for stage in ("before", "during", "after")),
        dose=median(reading.dose for reading in dosed if reading.dose is not None) if dosed else None,
        wanted_dose=wanted[0] if wanted else None,
        dose_unit=dosed[0].dose_unit if dosed else "",
    )


def _edge(run: Run, fault: str, action: str, requested_s: float) -> Edge:
    """The last such call counts: a revert may have been tried more than once."""
    edges = [
        event
        for event in run.events
        if isinstance(event, rows.FaultEdge) and event.fault == fault and event.action == action
    ]
    if not edges:
        return Edge(requested_s=requested_s, asked_s=None, done_s=None, confirmed=False, detail="never called")
    last = edges[-1]
    return Edge(
        requested_s=requested_s,
        asked_s=seconds(run, last.at_ns),
        done_s=seconds(run, last.done_ns),
        confirmed=last.confirmed,
        detail=last.detail,
    )


def _readings(readings: Sequence[rows.CanaryReading], stage: Stage) -> Readings:
    taken = [reading for reading in readings if reading.stage == stage]
    return Readings(stage=stage, many=len(taken), agreeing=sum(reading.agrees for reading in taken))


def _words(fault: Fault) -> tuple[str, str, str]:
    """Kind, place and settings of a fault, the settings as the experiment file writes them."""
    words: dict[str, Any] = msgspec.to_builtins(fault, enc_hook=enc_hook)
    kind = str(words.pop("kind"))
    where = str(words.pop("link", words.pop("service", "")))
    settings = {name: value for name, value in words.items() if name not in ("at", "lasts")}
    return kind, where, ", ".join(f"{name} {value}" for name, value in settings.items())


# --- levels ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelStretch:
    """A time during which one level was shown without a break."""

    level: int
    name: str
    start_s: float
    end_s: float


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """Something on a lane of the timeline: an instant, or a span where `end_s` is later."""

    lane: str
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
            words = f"alert {windows.label(str(labels), 'alert')} firing, says {service}"
            happenings.append(Happening(lane="alerts", start_s=float(at_s[start]), end_s=until_s, words=words))
    return happenings


def _logged_alerts(run: Run) -> list[Happening]:
    happenings = []
    for service, lines in sorted(run.logs.items()):
        for line in lines:
            at_s = line.get("at_s")
            if line.get("event") in ("alert_fired", "alert_resolved") and isinstance(at_s, int | float):
                what = str(line["event"]).replace("_", " ")
                words = f"{what}: {line.get('alert', '')} (log of {service})"
                happenings.append(Happening(lane="alerts", start_s=float(at_s), end_s=float(at_s), words=words))
    return happenings


def services_of(run: Run) -> tuple[Happening, ...]:
    """Exits and times of ill health of services, and holes in what was scraped."""
    happenings, ill = [], dict[str, float]()
    for event in run.events:
        at_s = seconds(run, event.at_ns)
        match event:
            case rows.ServiceExited():
                why = "as the fault meant" if event.expected else "UNEXPECTED"
                words = f"{event.service} exited, {why}: {event.detail}"
                happenings.append(Happening(lane="services", start_s=at_s, end_s=at_s, words=words))
            case rows.HealthChanged(healthy=False):
                ill.setdefault(event.service, at_s)
            case rows.HealthChanged(healthy=True) if event.service in ill:
                words = f"{event.service} unhealthy"
                happenings.append(Happening(lane="services", start_s=ill.pop(event.service), end_s=at_s, words=words))
            case rows.ScrapeMissed():
                words = f"no sample of {event.service}: {event.why}"
                happenings.append(Happening(lane="scrapes missed", start_s=at_s, end_s=at_s, words=words))
    end_s = reached_s(run)
    for service, since_s in sorted(ill.items()):
        words = f"{service} unhealthy to the end"
        happenings.append(Happening(lane="services", start_s=since_s, end_s=max(since_s, end_s), words=words))
    return tuple(happenings)
