"""Faults on regions, written out: on which services and links of a target each of them is, and when.

Pure. The plan injects what `parts_of` says; whoever checks a file asks the same function which places would be
attacked, so that the two cannot differ.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import assert_never

from harness.experiment.faults import (
    BlackholeFault,
    DestroyFault,
    Direction,
    Fault,
    KillFault,
    PartitionFault,
    PauseFault,
    RegionCutFault,
    RegionDestroyedFault,
    RegionFault,
    RegionFlapFault,
    RegionOutageFault,
    RegionPauseFault,
    WrittenFault,
)
from harness.target.target import OWN_ROLES, LinkSpec, TargetSpec
from harness.units import Seconds

FEWEST_CUTS = 2  # of a flap; with one it would be a cut
EPSILON = 1e-9  # 0.3s / 0.1s is a little less than 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One service or link of a fault on a region: its name among the parts, and the fault that is injected there."""

    name: str
    fault: Fault


def parts_of(fault: RegionFault, target: TargetSpec) -> tuple[Part, ...]:
    """What the fault is written out as, in the target file's order; empty where the region has nothing of the kind."""
    match fault:
        case RegionOutageFault():
            return _on_each(
                services_of(fault.region, target),
                lambda service: KillFault(service=service, at=fault.at, lasts=fault.lasts),
            )
        case RegionDestroyedFault():
            return _on_each(
                services_of(fault.region, target),
                lambda service: DestroyFault(service=service, at=fault.at, lasts=fault.lasts),
            )
        case RegionPauseFault():
            return _on_each(
                services_of(fault.region, target),
                lambda service: PauseFault(service=service, at=fault.at, lasts=fault.lasts),
            )
        case RegionCutFault():
            return _cut(links_across(fault.region, target), fault.at, fault.lasts)
        case PartitionFault():
            return _cut(links_between(fault, target), fault.at, fault.lasts)
        case RegionFlapFault():
            return tuple(
                Part(name=f"{number}.{part.name}", fault=part.fault)
                for number, at in enumerate(cuts_of(fault), start=1)
                for part in _cut(links_across(fault.region, target), at, fault.every)
            )
        case _:
            assert_never(fault)


def whole_region(fault: WrittenFault) -> str | None:
    """The region that the fault takes from its users; None where it leaves them one that works (a partition)."""
    match fault:
        case RegionOutageFault() | RegionDestroyedFault() | RegionPauseFault() | RegionCutFault() | RegionFlapFault():
            return fault.region
        case _:
            return None


def services_of(region: str, target: TargetSpec) -> tuple[str, ...]:
    """The services of the region that may be attacked: all but its Toxiproxy."""
    return tuple(
        name
        for name, service in target.services.items()
        if service.region == region and service.attackable and service.role not in OWN_ROLES
    )


def links_across(region: str, target: TargetSpec) -> tuple[str, ...]:
    """The links that lead into the region or out of it."""
    return _links(target, lambda link: (link.from_region == region) is not (link.to_region == region))


def links_between(fault: PartitionFault, target: TargetSpec) -> tuple[str, ...]:
    """The links from the one region to the other, in the directions that the fault cuts."""
    first, second = fault.between
    cut = {
        Direction.FORTH: {(first, second)},
        Direction.BACK: {(second, first)},
        Direction.BOTH: {(first, second), (second, first)},
    }[fault.direction]
    return _links(target, lambda link: (link.from_region, link.to_region) in cut)


def cuts_of(fault: RegionFlapFault) -> tuple[Seconds, ...]:
    """When each cut of a flap begins; only those that fit in whole."""
    many = int((fault.lasts / fault.every + 1 + EPSILON) // 2) if fault.every > 0 else 0
    return tuple(Seconds(fault.at + 2 * number * fault.every) for number in range(many))


def _on_each(places: tuple[str, ...], attack: Callable[[str], Fault]) -> tuple[Part, ...]:
    return tuple(Part(name=place, fault=attack(place)) for place in places)


def _cut(links: tuple[str, ...], at: Seconds, lasts: Seconds) -> tuple[Part, ...]:
    return _on_each(links, lambda link: BlackholeFault(link=link, at=at, lasts=lasts))


def _links(target: TargetSpec, is_meant: Callable[[LinkSpec], bool]) -> tuple[str, ...]:
    return tuple(name for name, link in target.links.items() if is_meant(link))
