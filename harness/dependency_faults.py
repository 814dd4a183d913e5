"""Which faults cut a service off from what it depends on, and by which name it knows that.

A dependency is named as replicas label their metrics: by the role of the service that they call, `redis`, and where
that is in another region by that region first, `europe.gateway`. Pure: whoever checks a file and whoever judges a run
ask the same function.
"""

from harness.experiment.faults import (
    BlackholeFault,
    DownFault,
    Fault,
    KillFault,
    LinkFault,
    NetworkLossFault,
    PauseFault,
    ResetFault,
    StopFault,
)
from harness.target.target import ServiceSpec, TargetSpec


def name_of(service: ServiceSpec, *, seen_from: str | None) -> str:
    """What a caller in that region calls the service."""
    return service.role if service.region == seen_from else f"{service.region}.{service.role}"


def cuts_off(fault: Fault, caller: ServiceSpec, dependency: str, target: TargetSpec) -> bool:
    """Whether no call of the caller's to the dependency can succeed while the fault is in effect."""
    if isinstance(fault, LinkFault):
        link = target.links[fault.link]
        upstream = target.services[link.upstream]
        if link.from_region != caller.region or link.to_region != upstream.region:
            return False
    else:
        upstream = target.services[fault.service]
    if name_of(upstream, seen_from=caller.region) != dependency:
        return False
    if isinstance(fault, ResetFault):
        return fault.share >= 1
    return isinstance(fault, BlackholeFault | DownFault | KillFault | StopFault | PauseFault | NetworkLossFault)
