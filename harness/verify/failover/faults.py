"""Which faults strike a region as a whole, and when each of them did. No judgement of the system.

A fault on a region has many parts, one for each service or link. It begins with the first of them, and is shown to be
there when all of them are. A partition takes no region from its users.
"""

from dataclasses import dataclass

from harness.experiment.faults import MomentaryFault, PartitionFault, RegionFault, ServiceFault
from harness.plan import PlannedFault, WholeFault, whole_faults
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


def outages_of(run: Run, region: str) -> list[Outage]:
    """In the order in which they began.

    Where no fault on the whole region was planned, those on one of its services or links are meant.
    """
    faults = whole_faults(run.plan)
    whole = [each for each in faults if _strikes(each, region)]
    single = [each for each in faults if not each.is_on_region and _touches(run.plan.target, each.parts[0], region)]
    found = [_outage(run, each) for each in whole or single]
    return sorted(found, key=lambda outage: float("inf") if outage.began is None else outage.began.at_s)


def _strikes(whole: WholeFault, region: str) -> bool:
    fault = whole.fault
    return isinstance(fault, RegionFault) and not isinstance(fault, PartitionFault) and fault.region == region


def _touches(target: TargetSpec, planned: PlannedFault, region: str) -> bool:
    fault = planned.fault
    if isinstance(fault, ServiceFault):
        services = [fault.service]
    else:
        link = target.links.get(fault.link)
        services = [] if link is None else [link.toxiproxy, link.upstream]
    return any(name in target.services and target.services[name].region == region for name in services)


def _outage(run: Run, whole: WholeFault) -> Outage:
    injects = {part.id: _calls(run, part, "inject") for part in whole.parts}
    return Outage(
        fault=whole.id,
        kind=whole.kind,
        began=_began(run, whole, injects),
        parts=len(whole.parts),
        unverified=tuple(part for part, calls in injects.items() if not calls or not calls[-1].confirmed),
        reverted_s=_reverted_s(run, whole),
    )


def _began(run: Run, whole: WholeFault, injects: Calls) -> Moment | None:
    """From the first call on the system was disturbed, which is the moment that flatters nobody; the region was struck
    as a whole at the latest when the last of the parts was in place that were to be injected first."""
    first_s = min(part.inject_s for part in whole.parts)
    calls = [edge for part in whole.parts if part.inject_s == first_s for edge in injects[part.id][:1]]
    if not calls:
        return None
    began_s = min(windows.run_time_s(run, edge.at_ns) for edge in calls)
    done_s = max(windows.run_time_s(run, edge.done_ns) for edge in calls)
    return Moment(at_s=began_s, earliest_s=began_s, latest_s=max(began_s, done_s), source="events")


def _reverted_s(run: Run, whole: WholeFault) -> float | None:
    """What is over by itself is over once its injection was done."""
    ends_s = []
    for part in whole.parts:
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
