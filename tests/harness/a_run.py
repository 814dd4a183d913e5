"""Synthetic runs of a system that keeps its promises, and ways to break them.

`a_run().with_rate(100).with_fault().with_inputs(...).built()` is a `Run` whose requests, metrics, logs and events agree
with each other as those of the reference system would; `altering_*` then changes one of them, which is how a check is
shown to be able to fail. The system itself is in `simulation.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import pandas as pd

from harness.experiment.expectations.check import Check
from harness.experiment.faults import LatencyFault, RegionFault, WrittenFault
from harness.experiment.load import Arrivals, Load
from harness.plan import OperationSpec, PhaseSpan, Plan, PlannedFault, PlannedRegionFault
from harness.record import rows
from harness.record.reader import Run
from harness.region_faults import parts_of
from harness.target.target import TargetSpec
from harness.units import PerSecond, Seconds
from tests.harness import simulation
from tests.harness.simulation import CONTROLLER, LINK, OPERATIONS, TARGET_FILE, Stretch, the_target

T = TypeVar("T")


@dataclass(frozen=True)
class RunBuilder:
    """Immutable: each `with_…` returns a changed copy, so that tests can branch from one base."""

    seed: int = 1
    rate_per_s: float = 100.0
    arrivals: Arrivals = Arrivals.CONSTANT
    phases: tuple[tuple[str, float], ...] = (
        ("warm_up", 5.0),
        ("baseline", 20.0),
        ("disturbed", 30.0),
        ("recovery", 25.0),
    )
    rate_stretches: tuple[Stretch, ...] = ()
    slow_stretches: tuple[Stretch, ...] = ()
    error_stretches: tuple[Stretch, ...] = ()
    input_stretches: tuple[Stretch, ...] = ()
    faults: tuple[tuple[WrittenFault, bool, bool], ...] = ()
    checks: tuple[Check, ...] = ()
    sheds: bool = True
    sealed: bool = True
    damage: tuple[str, ...] = ()
    retries: float = 0.0
    target: TargetSpec = field(default_factory=the_target)
    alter_requests: tuple[Callable[[pd.DataFrame], pd.DataFrame], ...] = ()
    alter_metrics: tuple[Callable[[pd.DataFrame], pd.DataFrame], ...] = ()
    alter_events: tuple[Callable[[list[rows.Event]], list[rows.Event]], ...] = ()
    alter_logs: tuple[Callable[[list[dict[str, object]]], list[dict[str, object]]], ...] = ()

    # --- what was meant ---------------------------------------------------------------------------------------------

    def with_seed(self, seed: int) -> RunBuilder:
        return replace(self, seed=seed)

    def with_rate(self, per_s: float, arrivals: Arrivals = Arrivals.CONSTANT) -> RunBuilder:
        return replace(self, rate_per_s=per_s, arrivals=arrivals)

    def with_target(self, target: TargetSpec) -> RunBuilder:
        return replace(self, target=target)

    def with_phases(self, **lengths_s: float) -> RunBuilder:
        return replace(self, phases=tuple(lengths_s.items()))

    def with_overload(self, *, from_s: float, to_s: float, per_s: float) -> RunBuilder:
        """Another planned rate between two run times."""
        stretch = Stretch(from_s, to_s, {"per_s": per_s})
        return replace(self, rate_stretches=(*self.rate_stretches, stretch))

    def with_fault(
        self,
        fault: WrittenFault | None = None,
        *,
        at_s: float = 30.0,
        lasts_s: float = 10.0,
        bites: bool = True,
        reverted: bool = True,
    ) -> RunBuilder:
        """A fault of its own, or 300 ms on the link to Redis; `at_s` counts as run time. Regions are those of
        the target, or of files/regions.yaml where that has one only."""
        at = Seconds(at_s - self._start_of("disturbed"))
        if fault is None:
            fault = LatencyFault(link=LINK, at=at, lasts=Seconds(lasts_s), latency=Seconds(0.3))
        return replace(self, faults=(*self.faults, (fault, bites, reverted)))

    def expecting(self, *checks: Check) -> RunBuilder:
        return replace(self, checks=(*self.checks, *checks))

    # --- what happened ----------------------------------------------------------------------------------------------

    def with_slowness(self, *, from_s: float, to_s: float, service_s: float, share: float = 1.0) -> RunBuilder:
        stretch = Stretch(from_s, to_s, {"service_s": service_s, "share": share})
        return replace(self, slow_stretches=(*self.slow_stretches, stretch))

    def with_errors(
        self, *, from_s: float, to_s: float, share: float = 1.0, error: str = "status_5xx", outcome: str = "failed"
    ) -> RunBuilder:
        stretch = Stretch(from_s, to_s, {"share": share, "error": error, "outcome": outcome})
        return replace(self, error_stretches=(*self.error_stretches, stretch))

    def with_inputs(self, *, from_s: float, to_s: float, **inputs: float) -> RunBuilder:
        """What the controller measured; the level follows, and clients see the latency that it saw."""
        stretch = Stretch(from_s, to_s, dict(inputs))
        built = replace(self, input_stretches=(*self.input_stretches, stretch))
        if "latency_p99_ms" in inputs:
            seen_s = inputs["latency_p99_ms"] / 1000
            built = built.with_slowness(from_s=from_s - 3, to_s=to_s, service_s=seen_s, share=0.05)
        return built

    def with_counted_errors(self, *, from_s: float, to_s: float, share: float) -> RunBuilder:
        """Replicas answer 500, clients see it, and the controller's input follows with its window."""
        built = self.with_errors(from_s=from_s, to_s=to_s, share=share)
        for second in range(int(from_s), int(to_s + simulation.INPUT_WINDOW_S) + 1):
            until_s = second + simulation.EVALUATED_AT
            covered_s = min(until_s, to_s) - max(until_s - simulation.INPUT_WINDOW_S, from_s)
            seen = share * max(0.0, covered_s) / simulation.INPUT_WINDOW_S
            built = built.with_inputs(from_s=second, to_s=second + 1, error_ratio=seen)
        return built

    def with_retries(self, share: float) -> RunBuilder:
        """Attempts on dependencies exceed calls by this share while a fault lasts."""
        return replace(self, retries=share)

    def without_shedding(self) -> RunBuilder:
        return replace(self, sheds=False)

    def unsealed(self, *damage: str) -> RunBuilder:
        return replace(self, sealed=False, damage=damage)

    # --- mutations of the finished record -----------------------------------------------------------------------------

    def altering_requests(self, change: Callable[[pd.DataFrame], pd.DataFrame]) -> RunBuilder:
        return replace(self, alter_requests=(*self.alter_requests, change))

    def altering_metrics(self, change: Callable[[pd.DataFrame], pd.DataFrame]) -> RunBuilder:
        return replace(self, alter_metrics=(*self.alter_metrics, change))

    def altering_events(self, change: Callable[[list[rows.Event]], list[rows.Event]]) -> RunBuilder:
        return replace(self, alter_events=(*self.alter_events, change))

    def altering_controller_log(
        self, change: Callable[[list[dict[str, object]]], list[dict[str, object]]]
    ) -> RunBuilder:
        return replace(self, alter_logs=(*self.alter_logs, change))

    # --- built --------------------------------------------------------------------------------------------------------

    def built(self) -> Run:
        plan = self._plan()
        trace = simulation.level_trace(self.target, self.input_stretches, plan.duration_s)
        requests = _apply(self.alter_requests, simulation.requests(self, plan, trace))
        metrics = _apply(self.alter_metrics, simulation.metrics(self, plan, trace))
        events = _apply(self.alter_events, simulation.events(self, plan))
        log = _apply(self.alter_logs, simulation.controller_log(self, trace))
        return Run(
            folder=Path("runs/synthetic"),
            plan=plan,
            environment=simulation.environment(),
            events=tuple(events),
            requests=requests,
            metrics=metrics,
            logs={CONTROLLER: tuple(log)},
            journal=(),
            sealed=self.sealed,
            damage=self.damage,
        )

    def _start_of(self, phase: str) -> float:
        start_s = 0.0
        for name, length_s in self.phases:
            if name == phase:
                return start_s
            start_s += length_s
        return start_s

    def _plan(self) -> Plan:
        spans = tuple(
            PhaseSpan(name=name, start_s=self._start_of(name), end_s=self._start_of(name) + length_s)
            for name, length_s in self.phases
        )
        return Plan(
            experiment="synthetic",
            title="A synthetic run",
            hypothesis="The system keeps its promises.",
            source="",
            variables={},
            target_path=str(TARGET_FILE),
            target=self.target,
            runtime="processes",
            defect=None,
            profile_path="loadprofiles/synthetic.py",
            load=Load(profile="synthetic", rate=PerSecond(self.rate_per_s), arrivals=self.arrivals, seed=self.seed),
            operations=tuple(
                OperationSpec(name=name, route=route, priority=priority, share=share, writes=writes)
                for name, route, priority, share, writes, _ in OPERATIONS
            ),
            rate=simulation.segments(self.rate_per_s, self.rate_stretches, spans[-1].end_s),
            phases=spans,
            faults=tuple(self._planned_faults()),
            region_faults=tuple(self._planned_region_faults()),
            stop_when=(),
            expect=self.checks,
        )

    def _planned_faults(self) -> list[PlannedFault]:
        regions = self.target if len(self.target.regions) > 1 else simulation.the_regions()
        planned = []
        for number, (fault, _, _) in enumerate(self.faults, start=1):
            name = f"fault-{number}"
            if isinstance(fault, RegionFault):
                for part in parts_of(fault, regions):
                    inject_s, revert_s = self._times(part.fault)
                    planned.append(
                        PlannedFault(
                            id=f"{name}.{part.name}",
                            fault=part.fault,
                            inject_s=inject_s,
                            revert_s=revert_s,
                            part_of=name,
                        )
                    )
            else:
                inject_s, revert_s = self._times(fault)
                planned.append(PlannedFault(id=name, fault=fault, inject_s=inject_s, revert_s=revert_s))
        return planned

    def _planned_region_faults(self) -> list[PlannedRegionFault]:
        planned = []
        for number, (fault, _, _) in enumerate(self.faults, start=1):
            if isinstance(fault, RegionFault):
                inject_s, revert_s = self._times(fault)
                planned.append(
                    PlannedRegionFault(id=f"fault-{number}", fault=fault, inject_s=inject_s, revert_s=revert_s)
                )
        return planned

    def _times(self, fault: WrittenFault) -> tuple[float, float]:
        inject_s = self._start_of("disturbed") + fault.at
        return inject_s, inject_s + getattr(fault, "lasts", Seconds(3.0))


def a_run() -> RunBuilder:
    """A healthy run: 5 s warm-up, 20 s baseline, 30 s disturbed, 25 s recovery at 100/s, nothing wrong with it."""
    return RunBuilder()


def _apply(changes: tuple[Callable[[T], T], ...], value: T) -> T:
    for change in changes:
        value = change(value)
    return value
