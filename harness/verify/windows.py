"""Where in run time things were: phases, faults, seconds, and metrics as series. No judgement.

Run time counts in seconds from the start of the load (`RunStarted.load_start_ns`), as the plan's timeline does.
"""

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.clock import NS_PER_S
from harness.experiment import MomentaryFault, ServiceFault
from harness.plan import Plan
from harness.record import rows
from harness.record.reader import Run

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
E = TypeVar("E", bound=rows.Event)

SETTLING_S = 2.0  # after a revert: late answers, reconnections and the next scrape still belong to the fault


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A stretch of run time; the end is not in it."""

    name: str
    start_s: float
    end_s: float

    @property
    def length_s(self) -> float:
        return self.end_s - self.start_s

    def holds(self, at_s: Floats) -> Bools:
        return (at_s >= self.start_s) & (at_s < self.end_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultWindow:
    """From the start of the inject call to the end of the revert call; `None` where that never happened."""

    fault: str
    kind: str
    attacked: str  # service or link
    inject_s: float
    revert_s: float | None
    confirmed: bool

    def window(self, run_end_s: float) -> Window:
        return Window(
            name=self.fault, start_s=self.inject_s, end_s=run_end_s if self.revert_s is None else self.revert_s
        )


def load_start_ns(run: Run) -> int:
    started = first(run, rows.RunStarted)
    return started.load_start_ns if started else run.environment.clock.monotonic_ns


def run_time_s(run: Run, at_ns: int) -> float:
    return (at_ns - load_start_ns(run)) / NS_PER_S


def events_of(run: Run, kind: type[E]) -> list[E]:
    return [event for event in run.events if isinstance(event, kind)]


def first(run: Run, kind: type[E]) -> E | None:
    return next(iter(events_of(run, kind)), None)


def phase_window(plan: Plan, name: str) -> Window | None:
    span = plan.phase(name)
    return Window(name=name, start_s=span.start_s, end_s=span.end_s) if span and span.end_s > span.start_s else None


def fault_windows(run: Run) -> list[FaultWindow]:
    """Every planned fault that was injected, as it was, in the plan's order."""
    edges = events_of(run, rows.FaultEdge)
    found = []
    for planned in run.plan.faults:
        injects = [edge for edge in edges if edge.fault == planned.id and edge.action == "inject"]
        reverts = [edge for edge in edges if edge.fault == planned.id and edge.action == "revert"]
        if not injects:
            continue
        if isinstance(planned.fault, MomentaryFault) and not reverts:
            reverts = injects  # a restart is over once the service is healthy again
        found.append(
            FaultWindow(
                fault=planned.id,
                kind=str(planned.fault.__struct_config__.tag),
                attacked=getattr(planned.fault, "link", "") or getattr(planned.fault, "service", ""),
                inject_s=run_time_s(run, injects[0].at_ns),
                revert_s=run_time_s(run, reverts[-1].done_ns) if reverts else None,
                confirmed=bool(reverts) and reverts[-1].confirmed,
            )
        )
    return found


def faults_over_s(run: Run) -> tuple[float | None, str]:
    """When the last revert was done, None where there was no fault; and why that is not known, where it is not."""
    injected = fault_windows(run)
    if len(injected) < len(run.plan.faults):
        return None, "not every planned fault was injected"
    if not all(fault.confirmed for fault in injected):
        return None, "a revert was not confirmed, so nobody knows when the disturbance ended"
    return max((fault.revert_s for fault in injected if fault.revert_s is not None), default=None), ""


def attacks_on(run: Run, service: str) -> list[Window]:
    """When the service itself was killed, frozen or restarted, with time to settle after."""
    ids = {
        planned.id
        for planned in run.plan.faults
        if isinstance(planned.fault, ServiceFault) and planned.fault.service == service
    }
    windows = [fault.window(run.plan.duration_s) for fault in fault_windows(run) if fault.fault in ids]
    return [Window(name=w.name, start_s=w.start_s, end_s=w.end_s + SETTLING_S) for w in windows]


def first_disturbance_s(run: Run) -> float:
    """The first injection or planned change of the rate: before it the run is steady by intent."""
    moments = [fault.inject_s for fault in fault_windows(run)]
    rates = run.plan.rate
    moments += [segment.start_s for segment in rates if segment.from_per_s != segment.to_per_s]
    moments += [after.start_s for before, after in pairwise(rates) if before.to_per_s != after.from_per_s]
    return min(moments, default=math.inf)


def last_rate_change_s(plan: Plan) -> float | None:
    """When the planned rate last became what it then stayed; None where it never changed."""
    moments = [segment.end_s for segment in plan.rate if segment.from_per_s != segment.to_per_s]
    moments += [after.start_s for before, after in pairwise(plan.rate) if before.to_per_s != after.from_per_s]
    return max(moments, default=None)


def outside(windows: list[Window], at_s: Floats) -> Bools:
    """Which instants lie in none of the windows."""
    free = np.ones(len(at_s), dtype=bool)
    for window in windows:
        free &= ~window.holds(at_s)
    return free


def busy_time_s(at_s: Floats) -> tuple[Floats, float]:
    """The same instants with all seconds cut out in which nothing happened, and how many seconds are left."""
    second = np.floor(at_s)
    busy, place = np.unique(second, return_inverse=True)
    result: Floats = place + (at_s - second)
    return result, float(len(busy))


def is_word(column: pd.Series, *words: str) -> Bools:
    """Which rows carry one of these words; quick for dictionary columns of a million rows."""
    result: Bools = column.isin(list(words)).to_numpy(dtype=bool)
    return result


def column(frame: pd.DataFrame, name: str) -> Floats:
    result: Floats = frame[name].to_numpy(dtype=np.float64)
    return result


# --- rates ------------------------------------------------------------------------------------------------------------


def planned_arrivals(plan: Plan, start_s: float, end_s: float) -> float:
    """How many requests the plan schedules between two run times (expected ones, for random arrivals)."""
    total = 0.0
    for segment in plan.rate:
        from_s, to_s = max(start_s, segment.start_s), min(end_s, segment.end_s)
        if to_s > from_s:
            slope = (segment.to_per_s - segment.from_per_s) / (segment.end_s - segment.start_s)
            middle = segment.from_per_s + slope * ((from_s + to_s) / 2 - segment.start_s)
            total += middle * (to_s - from_s)
    return total


def plateaus(plan: Plan) -> list[Window]:
    """Stretches of one planned rate within one phase, ramps being stretches of their own."""
    found = []
    for span in plan.phases:
        for segment in plan.rate:
            start_s, end_s = max(span.start_s, segment.start_s), min(span.end_s, segment.end_s)
            if end_s > start_s:
                rate = (segment.from_per_s + segment.to_per_s) / 2
                found.append(Window(name=f"{span.name} at {rate:g}/s", start_s=start_s, end_s=end_s))
    return found


# --- metrics ----------------------------------------------------------------------------------------------------------


def services_with_role(run: Run, role: str) -> list[str]:
    return [name for name, spec in run.plan.target.services.items() if spec.role == role]


def label(labels: str, name: str) -> str:
    """The value of one label in the exposition form a="1",b="2"; empty where it is missing."""
    for part in labels.split('",'):
        key, _, value = part.partition('="')
        if key == name:
            return value.removesuffix('"')
    return ""


def series(run: Run, service: str, metric: str) -> pd.DataFrame:
    """Samples of one metric of one service by time: columns at_s, labels, value."""
    frame = run.metrics
    mine = is_word(frame["service"], service) & is_word(frame["metric"], metric)
    return frame.loc[mine, ["at_s", "labels", "value"]].sort_values("at_s", kind="stable", ignore_index=True)


def by_label(run: Run, service: str, metric: str, name: str) -> pd.DataFrame:
    """One row per scrape (index: at_s), one column per value of the label."""
    frame = series(run, service, metric)
    if frame.empty:
        return pd.DataFrame()
    words = frame["labels"].astype(str).map(lambda labels: label(labels, name))
    return frame.assign(word=words).pivot_table(index="at_s", columns="word", values="value", aggfunc="last")
