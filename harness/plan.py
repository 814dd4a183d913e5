"""What a run means to do, with nothing left open: every default written out, every time absolute, the seed fixed.

`plan.json` is written before anything starts, and the judge reads expectations from it alone. Building a plan is pure:
files were read by the loader.
"""

from dataclasses import dataclass
from typing import assert_never

import msgspec

from harness.errors import ExperimentError
from harness.experiment.expectations.check import Check
from harness.experiment.experiment import Experiment
from harness.experiment.faults import (
    Direction,
    Fault,
    MomentaryFault,
    PartitionFault,
    RegionCutFault,
    RegionDestroyedFault,
    RegionFault,
    RegionFlapFault,
    RegionOutageFault,
    RegionPauseFault,
    WrittenFault,
    fault_id,
    place_of,
)
from harness.experiment.load import Load, Ramp, Spike, Step
from harness.experiment.phases import DISTURBED, Phases
from harness.experiment.stop_conditions import StopCondition
from harness.region_faults import parts_of
from harness.target.target import TargetSpec

FORMAT_VERSION = 1


class PhaseSpan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A phase's place on the run's timeline, in seconds from the start of the load."""

    name: str
    start_s: float
    end_s: float


class RateSegment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The arrival rate moves in a straight line from `from_per_s` to `to_per_s` between two run times."""

    start_s: float
    end_s: float
    from_per_s: float
    to_per_s: float


class OperationSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One thing that users of a profile do: its share of its phase's arrivals (0–1), priority and whether it writes.
    `phase` is empty, or the one phase in which it and its like are all that is done."""

    name: str
    route: str
    priority: int
    share: float
    writes: bool
    phase: str = ""


class PlannedFault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A fault with its name in this run and its absolute times; `revert_s` is also its deadline for the guard.

    `part_of` is the fault on a region that it was written out from, empty where it stands in the file as it is.
    """

    id: str
    fault: Fault
    inject_s: float
    revert_s: float
    part_of: str = ""


class PlannedRegionFault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A fault on a region as it was written; what is injected are its parts, among the plan's faults. Its times are
    those of the first part and of the last."""

    id: str
    fault: RegionFault
    inject_s: float
    revert_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeFault:
    """A fault as it was written, with all that is injected for it: its parts, or the one fault that it is itself."""

    id: str
    fault: WrittenFault
    inject_s: float
    revert_s: float
    parts: tuple[PlannedFault, ...]

    @property
    def is_on_region(self) -> bool:
        return isinstance(self.fault, RegionFault)

    @property
    def kind(self) -> str:
        return str(self.fault.__struct_config__.tag)

    @property
    def where(self) -> str:
        """What is attacked, in the words of the file."""
        match self.fault:
            case PartitionFault(between=(first, second), direction=direction):
                return f"{first} {_ARROWS[direction]} {second}"
            case (
                RegionOutageFault() | RegionDestroyedFault() | RegionCutFault() | RegionPauseFault() | RegionFlapFault()
            ):
                return self.fault.region
            case _:
                return place_of(self.fault)


class Plan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole plan. `profile_path` and `target_path` are absolute; `source` is the experiment file's text."""

    format_version: int = FORMAT_VERSION
    experiment: str
    title: str
    hypothesis: str
    source: str
    variables: dict[str, str]
    target_path: str
    target: TargetSpec
    runtime: str
    defect: str | None
    profile_path: str
    load: Load
    operations: tuple[OperationSpec, ...]
    rate: tuple[RateSegment, ...]
    phases: tuple[PhaseSpan, ...]
    faults: tuple[PlannedFault, ...]
    region_faults: tuple[PlannedRegionFault, ...] = ()
    stop_when: tuple[StopCondition, ...]
    expect: tuple[Check, ...]

    @property
    def duration_s(self) -> float:
        return self.phases[-1].end_s

    def phase(self, name: str) -> PhaseSpan | None:
        return next((span for span in self.phases if span.name == name), None)


PHASE_ORDER = ("warm_up", "baseline", "disturbed", "recovery", "final_reads")
_ARROWS = {Direction.BOTH: "<->", Direction.FORTH: "->", Direction.BACK: "<-"}

RESTART_DEADLINE_S = 30.0  # a restart has no duration of its own; the guard steps in after this


def build_plan(
    experiment: Experiment,
    *,
    name: str,
    source: str,
    variables: dict[str, str],
    target: TargetSpec,
    target_path: str,
    profile_path: str,
    operations: tuple[OperationSpec, ...],
    runtime: str,
    defect: str | None = None,
) -> Plan:
    """Write out all that the experiment leaves to defaults; raise ExperimentError where it contradicts itself."""
    phases = phase_spans(experiment.phases)
    disturbed_s = next((span.start_s for span in phases if span.name == DISTURBED), phases[-1].end_s)
    if defect is not None and experiment.planted not in (None, defect):
        raise ExperimentError(
            f'"{defect}" cannot be planted as well: {name} is about the defect "{experiment.planted}".'
        )
    defect = defect or experiment.planted
    if defect is not None and defect not in target.defects:
        raise ExperimentError(
            f'"{defect}" is not a defect of {target.name}. Known: {", ".join(sorted(target.defects))}.'
        )
    return Plan(
        experiment=name,
        title=experiment.title,
        hypothesis=experiment.hypothesis,
        source=source,
        variables=variables,
        target_path=target_path,
        target=target,
        runtime=runtime,
        defect=defect,
        profile_path=profile_path,
        load=experiment.load,
        operations=operations,
        rate=rate_segments(experiment.load, disturbed_s=disturbed_s, end_s=phases[-1].end_s),
        phases=phases,
        faults=planned_faults(experiment.faults, target=target, disturbed_s=disturbed_s),
        region_faults=planned_region_faults(experiment.faults, target=target, disturbed_s=disturbed_s),
        stop_when=experiment.stop_when,
        expect=experiment.expect,
    )


def phase_spans(phases: Phases) -> tuple[PhaseSpan, ...]:
    """The phases end to end from run time 0; those of no length are left out."""
    spans: list[PhaseSpan] = []
    start_s = 0.0
    for name in PHASE_ORDER:
        length_s = float(getattr(phases, name))
        if length_s > 0:
            spans.append(PhaseSpan(name=name, start_s=start_s, end_s=start_s + length_s))
            start_s += length_s
    if not spans:
        raise ExperimentError("$.phases: every phase has length 0, so nothing would run.")
    return tuple(spans)


def rate_segments(load: Load, *, disturbed_s: float, end_s: float) -> tuple[RateSegment, ...]:
    """The offered rate over the whole run as straight pieces; changes count from the start of `disturbed`."""
    pieces: list[RateSegment] = []
    rate, now_s = float(load.rate), 0.0

    def piece(until_s: float, from_per_s: float, to_per_s: float) -> None:
        nonlocal now_s
        if until_s > end_s + 1e-9:
            raise ExperimentError(f"$.load.changes: a change lasts until {until_s:g}s, the run ends at {end_s:g}s.")
        if until_s > now_s:
            pieces.append(RateSegment(start_s=now_s, end_s=until_s, from_per_s=from_per_s, to_per_s=to_per_s))
            now_s = until_s

    for change in sorted(load.changes, key=lambda change: change.at):
        start_s = disturbed_s + change.at
        if start_s < now_s - 1e-9:
            raise ExperimentError(f"$.load.changes: the change at {change.at} begins before the one before it is over.")
        piece(start_s, rate, rate)
        match change:
            case Step():
                rate = float(change.to)
            case Ramp():
                piece(start_s + change.over, rate, float(change.to))
                rate = float(change.to)
            case Spike():
                piece(start_s + change.lasts, float(change.to), float(change.to))
            case _:
                assert_never(change)
    piece(end_s, rate, rate)
    return tuple(pieces)


def planned_faults(
    faults: tuple[WrittenFault, ...], *, target: TargetSpec, disturbed_s: float
) -> tuple[PlannedFault, ...]:
    """All that is injected, in the order of the file; of a fault on a region each of its parts."""
    planned: list[PlannedFault] = []
    for number, fault in enumerate(faults, start=1):
        whole = fault_id(fault, number)
        if isinstance(fault, RegionFault):
            planned += [
                _planned(part.fault, f"{whole}.{part.name}", disturbed_s=disturbed_s, part_of=whole)
                for part in parts_of(fault, target)
            ]
        else:
            planned.append(_planned(fault, whole, disturbed_s=disturbed_s))
    return tuple(planned)


def planned_region_faults(
    faults: tuple[WrittenFault, ...], *, target: TargetSpec, disturbed_s: float
) -> tuple[PlannedRegionFault, ...]:
    """The faults on regions, with the times of their parts."""
    planned = []
    for number, fault in enumerate(faults, start=1):
        parts = parts_of(fault, target) if isinstance(fault, RegionFault) else ()
        if isinstance(fault, RegionFault) and parts:
            spans = [_planned(part.fault, "", disturbed_s=disturbed_s) for part in parts]
            planned.append(
                PlannedRegionFault(
                    id=fault_id(fault, number),
                    fault=fault,
                    inject_s=min(span.inject_s for span in spans),
                    revert_s=max(span.revert_s for span in spans),
                )
            )
    return tuple(planned)


def whole_faults(plan: Plan) -> tuple[WholeFault, ...]:
    """What was written, in the plan's order: parts of one fault on a region are one."""
    regions = {one.id: one for one in plan.region_faults}
    parts: dict[str, list[PlannedFault]] = {}
    for planned in plan.faults:
        parts.setdefault(planned.part_of if planned.part_of in regions else planned.id, []).append(planned)
    return tuple(_whole(regions.get(name, mine[0]), tuple(mine)) for name, mine in parts.items())


def whole_of(planned: PlannedFault) -> WholeFault:
    """A fault, or a part of one, by itself."""
    return _whole(planned, (planned,))


def _whole(meant: PlannedFault | PlannedRegionFault, parts: tuple[PlannedFault, ...]) -> WholeFault:
    return WholeFault(id=meant.id, fault=meant.fault, inject_s=meant.inject_s, revert_s=meant.revert_s, parts=parts)


def _planned(fault: Fault, name: str, *, disturbed_s: float, part_of: str = "") -> PlannedFault:
    lasts_s = RESTART_DEADLINE_S if isinstance(fault, MomentaryFault) else float(fault.lasts)
    inject_s = disturbed_s + fault.at
    return PlannedFault(id=name, fault=fault, inject_s=inject_s, revert_s=inject_s + lasts_s, part_of=part_of)


def rate_at(plan: Plan, now_s: float) -> float:
    """The planned arrival rate at a run time, per second; 0 outside the run."""
    for piece in plan.rate:
        if piece.start_s <= now_s < piece.end_s:
            share = (now_s - piece.start_s) / (piece.end_s - piece.start_s)
            return piece.from_per_s + share * (piece.to_per_s - piece.from_per_s)
    return 0.0
