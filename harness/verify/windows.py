"""Where in run time things were: phases, faults, seconds, and metrics as series. No judgement.

Run time counts in seconds from the start of the load (`RunStarted.load_start_ns`), as the plan's timeline does.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.clock import NS_PER_S
from harness.experiment.faults import MomentaryFault, ServiceFault
from harness.experiment.phases import DISTURBED
from harness.plan import Plan, PlannedFault, WholeFault, whole_faults, whole_of
from harness.record import rows
from harness.record.reader import Run

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
E = TypeVar("E", bound=rows.Event)

SETTLING_S = 2.0  # after an edge of a fault: late answers, reconnections and the next scrape still belong to it
UNSEEN_S = 3.0  # what was last shown longer than this before the end of a run is not known there


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
    """From the start of the first inject call to the end of the last revert call; `None` where a revert never happened.

    A fault on a region has many `parts`. From `inject_s` on the system is disturbed; at `in_effect_s` the last of the
    confirmed parts was in place that were to be injected first. The moment of the outage lies between the two.
    """

    fault: str
    kind: str
    attacked: str  # service, link or region
    inject_s: float
    in_effect_s: float
    revert_s: float | None
    reverting_s: float | None  # when the first revert call began
    confirmed: bool
    parts: int
    never_injected: tuple[str, ...] = ()  # parts

    @property
    def spread_s(self) -> float:
        """How uncertain the moment of the injection is."""
        return self.in_effect_s - self.inject_s

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
    """Every fault that was injected, as it was, in the plan's order; the parts of a fault on a region are one."""
    return _windows(run, whole_faults(run.plan))


def part_windows(run: Run, faults: Iterable[PlannedFault]) -> list[FaultWindow]:
    """These of the injected faults, each part of a fault on a region by itself."""
    return _windows(run, map(whole_of, faults))


def _windows(run: Run, faults: Iterable[WholeFault]) -> list[FaultWindow]:
    calls: dict[tuple[str, str], list[rows.FaultEdge]] = {}
    for edge in events_of(run, rows.FaultEdge):
        calls.setdefault((edge.fault, edge.action), []).append(edge)
    windows = (_window(run, whole, calls) for whole in faults)
    return [window for window in windows if window is not None]


def _window(run: Run, whole: WholeFault, calls: Mapping[tuple[str, str], list[rows.FaultEdge]]) -> FaultWindow | None:
    injected = [part for part in whole.parts if calls.get((part.id, "inject"))]
    if not injected:
        return None
    injects = {part.id: calls[part.id, "inject"] for part in injected}
    # A restart is over once the service is healthy again.
    reverts = [
        calls.get((part.id, "revert"), injects[part.id] if isinstance(part.fault, MomentaryFault) else [])
        for part in injected
    ]
    first = [injects[part.id][0] for part in injected if part.inject_s == injected[0].inject_s]
    confirmed = [edge for edge in first if edge.confirmed] or first
    return FaultWindow(
        fault=whole.id,
        kind=whole.kind,
        attacked=whole.where,
        inject_s=min(run_time_s(run, edges[0].at_ns) for edges in injects.values()),
        in_effect_s=max(run_time_s(run, edge.done_ns) for edge in confirmed),
        revert_s=max(run_time_s(run, edges[-1].done_ns) for edges in reverts) if all(reverts) else None,
        reverting_s=min((run_time_s(run, edges[0].at_ns) for edges in reverts if edges), default=None),
        confirmed=all(edges and edges[-1].confirmed for edges in reverts),
        parts=len(whole.parts),
        never_injected=tuple(part.id for part in whole.parts if part.id not in injects),
    )


def never_injected(run: Run) -> list[str]:
    """Planned faults, and parts of them, that nothing is known of."""
    called = {edge.fault for edge in events_of(run, rows.FaultEdge) if edge.action == "inject"}
    return [planned.id for planned in run.plan.faults if planned.id not in called]


def faults_over_s(run: Run) -> tuple[float | None, str]:
    """When the last revert was done, None where there was no fault; and why that is not known, where it is not."""
    if never_injected(run):
        return None, "not every planned fault was injected"
    injected = fault_windows(run)
    if not all(fault.confirmed for fault in injected):
        return None, "a revert was not confirmed, so nobody knows when the disturbance ended"
    return max((fault.revert_s for fault in injected if fault.revert_s is not None), default=None), ""


def attacks_on(run: Run, service: str) -> list[Window]:
    """When the service itself was killed, frozen or restarted, with time to settle after."""
    attacks = (
        planned
        for planned in run.plan.faults
        if isinstance(planned.fault, ServiceFault) and planned.fault.service == service
    )
    windows = [fault.window(run.plan.duration_s) for fault in part_windows(run, attacks)]
    return [Window(name=w.name, start_s=w.start_s, end_s=w.end_s + SETTLING_S) for w in windows]


def disturbances(run: Run) -> list[Window]:
    """All that is done to the system on purpose: each injection and each revert, with time to settle, each planned
    change of the rate, and of what users do. A step has no length."""
    found = [
        Window(
            name=f"{edge.action} {edge.fault}",
            start_s=run_time_s(run, edge.at_ns),
            end_s=run_time_s(run, edge.done_ns) + SETTLING_S,
        )
        for edge in events_of(run, rows.FaultEdge)
    ]
    rates = run.plan.rate
    found += [
        Window(name="ramp", start_s=segment.start_s, end_s=segment.end_s)
        for segment in rates
        if segment.from_per_s != segment.to_per_s
    ]
    found += [
        Window(name="step", start_s=after.start_s, end_s=after.start_s)
        for before, after in pairwise(rates)
        if before.to_per_s != after.from_per_s
    ]
    found += [Window(name="other operations", start_s=at_s, end_s=at_s) for at_s in _other_operations_s(run.plan)]
    return sorted(found, key=lambda disturbance: disturbance.start_s)


def _other_operations_s(plan: Plan) -> list[float]:
    """When users begin to do something else, and go back to what they did."""
    span = plan.phase(DISTURBED)
    if span is None or not any(operation.phase == DISTURBED for operation in plan.operations):
        return []
    return [span.start_s, span.end_s]


def first_disturbance_s(run: Run) -> float:
    """The first injection or planned change of the load."""
    return min((disturbance.start_s for disturbance in disturbances(run)), default=math.inf)


def is_steady(run: Run, window: Window) -> bool:
    """Whether nothing is done to the system within the window: what varies there is chance, also under a fault."""
    return not any(
        disturbance.start_s < window.end_s
        and (disturbance.end_s > window.start_s or disturbance.start_s >= window.start_s)
        for disturbance in disturbances(run)
    )


def last_load_change_s(plan: Plan) -> float | None:
    """When the planned load last became what it then stayed; None where it never changed."""
    moments = [segment.end_s for segment in plan.rate if segment.from_per_s != segment.to_per_s]
    moments += [after.start_s for before, after in pairwise(plan.rate) if before.to_per_s != after.from_per_s]
    return max([*moments, *_other_operations_s(plan)], default=None)


def disturbance_over_s(run: Run) -> tuple[float | None, str]:
    """When the last revert was done, or the load was back; and why that is not known."""
    reverted_s, doubt = faults_over_s(run)
    if doubt:
        return None, doubt
    moments = [] if reverted_s is None else [reverted_s]
    changed_s = last_load_change_s(run.plan)
    if changed_s is not None:
        moments.append(changed_s)
    if not moments:
        return None, "the run has neither a fault nor a change of load to recover from"
    return max(moments), ""


def end_of_run_s(run: Run) -> float:
    """As planned, or when it was stopped before its time."""
    stopped = first(run, rows.RunStopped)
    planned_s = run.plan.duration_s
    return planned_s if stopped is None else min(planned_s, max(0.0, run_time_s(run, stopped.at_ns)))


def end_of_load_s(run: Run) -> float:
    """When users stop coming: final reads are the harness's own."""
    final = phase_window(run.plan, "final_reads")
    return end_of_run_s(run) if final is None else min(final.start_s, end_of_run_s(run))


def outside(windows: list[Window], at_s: Floats) -> Bools:
    """Which instants lie in none of the windows."""
    free = np.ones(len(at_s), dtype=bool)
    for window in windows:
        free &= ~window.holds(at_s)
    return free


def parts_outside(windows: list[Window], start_s: float, end_s: float) -> list[tuple[float, float]]:
    """What is left of a stretch of time without the windows."""
    left = [(start_s, end_s)]
    for window in windows:
        before = [(from_s, min(to_s, window.start_s)) for from_s, to_s in left]
        after = [(max(from_s, window.end_s), to_s) for from_s, to_s in left]
        left = sorted((from_s, to_s) for from_s, to_s in (*before, *after) if to_s > from_s)
    return left


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
    """One row per scrape (index: at_s), one column per value of the label, in the order of the words.

    ValueError where other labels tell several samples of one value apart: which of them counts nobody said.
    """
    frame = series(run, service, metric)
    if frame.empty:
        return pd.DataFrame()
    code, known = pd.factorize(frame["labels"])
    words, word = np.unique([label(str(labels), name) for labels in known], return_inverse=True)
    times_s, scrape = np.unique(frame["at_s"].to_numpy(), return_inverse=True)
    if len(np.unique(scrape * len(words) + word[code])) < len(frame):
        raise ValueError(f"{service} shows {metric} more than once at a time for one {name}, with other labels besides")
    table = np.full((len(times_s), len(words)), np.nan)
    table[scrape, word[code]] = frame["value"].to_numpy()
    return pd.DataFrame(table, index=pd.Index(times_s, name="at_s"), columns=pd.Index(words, name="word"))
