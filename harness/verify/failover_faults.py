"""Which faults strike a region as a whole, and when each of them did. No judgement of the system.

A fault on a region is written out as many, one for each service or link. It begins with the first of them, and is shown
to be there when all of them are.
"""

from dataclasses import dataclass

from harness.experiment import Fault, MomentaryFault, ServiceFault
from harness.plan import PlannedFault
from harness.record import rows
from harness.record.reader import Run
from harness.target.target import TargetSpec
from harness.verify import windows
from harness.verify.moments import Moment

Calls = dict[str, list[rows.FaultEdge]]  # by part


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage:
    """A fault on a region: T0 (`began`, None if it was never injected), which of its parts were not shown to be there,
    and when the last revert was done (None as long as one is missing)."""

    fault: str
    kind: str
    began: Moment | None
    parts: int
    unverified: tuple[str, ...]
    reverted_s: float | None


def group_of(planned: PlannedFault) -> str:
    """The fault of the experiment that this one is a part of, or itself."""
    return planned.part_of or planned.id


def outages_of(run: Run, region: str) -> list[Outage]:
    """Faults all of whose parts touch the region, in the order in which they began.

    Where there are faults on whole regions, single faults on services and links are not meant.
    """
    groups: dict[str, list[PlannedFault]] = {}
    for planned in run.plan.faults:
        groups.setdefault(group_of(planned), []).append(planned)
    striking = {
        name: parts
        for name, parts in groups.items()
        if all(_touches(run.plan.target, part.fault, region) for part in parts)
    }
    whole = {name: parts for name, parts in striking.items() if parts[0].part_of}
    found = [_outage(run, name, parts) for name, parts in (whole or striking).items()]
    return sorted(found, key=lambda outage: float("inf") if outage.began is None else outage.began.at_s)


def _touches(target: TargetSpec, fault: Fault, region: str) -> bool:
    if isinstance(fault, ServiceFault):
        services = [fault.service]
    else:
        link = target.links.get(fault.link)
        services = [] if link is None else [link.toxiproxy, link.upstream]
    return any(name in target.services and target.services[name].region == region for name in services)


def _outage(run: Run, name: str, parts: list[PlannedFault]) -> Outage:
    injects = {part.id: _calls(run, part, "inject") for part in parts}
    return Outage(
        fault=name,
        kind=name.rpartition("-")[0] if parts[0].part_of else str(parts[0].fault.__struct_config__.tag),
        began=_began(run, parts, injects),
        parts=len(parts),
        unverified=tuple(part for part, calls in injects.items() if not calls or not calls[-1].confirmed),
        reverted_s=_reverted_s(run, parts),
    )


def _began(run: Run, parts: list[PlannedFault], injects: Calls) -> Moment | None:
    """From the first call on the system was disturbed, which is the moment that flatters nobody; the region was struck
    as a whole at the latest when the last of the parts was in place that were to be injected first."""
    first_s = min(part.inject_s for part in parts)
    calls = [edge for part in parts if part.inject_s == first_s for edge in injects[part.id][:1]]
    if not calls:
        return None
    began_s = min(windows.run_time_s(run, edge.at_ns) for edge in calls)
    done_s = max(windows.run_time_s(run, edge.done_ns) for edge in calls)
    return Moment(at_s=began_s, earliest_s=began_s, latest_s=max(began_s, done_s), source="events")


def _reverted_s(run: Run, parts: list[PlannedFault]) -> float | None:
    """What is over by itself is over once its injection was done."""
    ends_s = []
    for part in parts:
        calls = _calls(run, part, "revert")
        if not calls and isinstance(part.fault, MomentaryFault):
            calls = _calls(run, part, "inject")
        if not calls:
            return None
        ends_s.append(windows.run_time_s(run, calls[-1].done_ns))
    return max(ends_s)


def _calls(run: Run, part: PlannedFault, action: str) -> list[rows.FaultEdge]:
    edges = windows.events_of(run, rows.FaultEdge)
    return [edge for edge in edges if edge.fault == part.id and edge.action == action]
