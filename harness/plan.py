"""What a run means to do, with nothing left open: every default written out, every time absolute, the seed fixed.

`plan.json` is written before anything starts, and the judge reads expectations from it alone. Building a plan is pure:
files were read by the loader.
"""

from typing import assert_never

import msgspec

from harness.errors import ExperimentError
from harness.experiment import (
    DISTURBED,
    Check,
    Experiment,
    Fault,
    Load,
    MomentaryFault,
    Phases,
    Ramp,
    Spike,
    Step,
    StopCondition,
)
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
    """One thing that users of a profile do: its share of all arrivals (0–1), priority and whether it writes. `phase` is
    empty, or the one phase in which it and its like are all that is done."""

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
    stop_when: tuple[StopCondition, ...]
    expect: tuple[Check, ...]

    @property
    def duration_s(self) -> float:
        return self.phases[-1].end_s

    def phase(self, name: str) -> PhaseSpan | None:
        return next((span for span in self.phases if span.name == name), None)


PHASE_ORDER = ("warm_up", "baseline", "disturbed", "recovery", "final_reads")
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
        faults=planned_faults(experiment.faults, disturbed_s=disturbed_s),
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


def planned_faults(faults: tuple[Fault, ...], *, disturbed_s: float) -> tuple[PlannedFault, ...]:
    planned = []
    for number, fault in enumerate(faults, start=1):
        lasts_s = RESTART_DEADLINE_S if isinstance(fault, MomentaryFault) else float(fault.lasts)
        inject_s = disturbed_s + fault.at
        kind = type(fault).__struct_config__.tag
        planned.append(PlannedFault(id=f"{kind}-{number}", fault=fault, inject_s=inject_s, revert_s=inject_s + lasts_s))
    return tuple(planned)


def rate_at(plan: Plan, now_s: float) -> float:
    """The planned arrival rate at a run time, per second; 0 outside the run."""
    for piece in plan.rate:
        if piece.start_s <= now_s < piece.end_s:
            share = (now_s - piece.start_s) / (piece.end_s - piece.start_s)
            return piece.from_per_s + share * (piece.to_per_s - piece.from_per_s)
    return 0.0
