"""What types alone cannot say of circuit breakers: that there are any, and that a fault gives them occasion to open."""

from collections.abc import Iterator

from harness.dependency_faults import cuts_off, name_of
from harness.experiment.expectations.breakers import BreakersCheck
from harness.experiment.experiment import Experiment
from harness.experiment.faults import Fault, RegionFault
from harness.loading.crosscheck_regions import Mistake
from harness.loading.mistakes import did_you_mean, shortened
from harness.loading.yaml_file import Where
from harness.region_faults import parts_of
from harness.target.target import ServiceSpec, TargetSpec

REPLICA = "api"  # the role of the services whose breakers are meant
STORES = ("redis", "postgres")
GATEWAY = "gateway"


def breakers_figures(
    check: BreakersCheck, where: Where, experiment: Experiment, target: TargetSpec
) -> Iterator[Mistake]:
    if check.leaked < 0:
        yield (*where, "leaked"), f"{check.leaked} is negative.", ""
    watched_s = float(experiment.phases.disturbed + experiment.phases.recovery)
    if check.dependencies and check.closes_within > watched_s:
        sentence = f"{check.closes_within} is longer than disturbed and recovery ({watched_s:g}s)"
        yield (*where, "closes_within"), f"{sentence}, so it could not be seen to fail.", "Make them longer."
    if check.dependencies and target.promises.breakers is None:
        yield where, f"{target.name} promises no circuit breakers, so there is nothing to check.", ""
    replicas = [service for service in target.services.values() if service.role == REPLICA]
    known = _known(replicas, target)
    faults = list(_written_out(experiment, target))
    for number, dependency in enumerate(check.dependencies):
        place: Where = (*where, "dependencies", number)
        if dependency not in known:
            sentence = f"{shortened(dependency)} is nothing that replicas of {target.name} call."
            yield place, sentence, did_you_mean(dependency, known)
        elif not any(cuts_off(fault, caller, dependency, target) for fault in faults for caller in replicas):
            hint = "Known: reset, blackhole, down on the link to it; kill, stop, pause on the service."
            yield place, f'no fault cuts "{dependency}" off, so no breaker has to open.', hint


def _known(replicas: list[ServiceSpec], target: TargetSpec) -> list[str]:
    """The stores of the own region, and the gateways of the others."""
    found = {
        name_of(service, seen_from=caller.region)
        for caller in replicas
        for service in target.services.values()
        if (service.role in STORES and service.region == caller.region)
        or (service.role == GATEWAY and service.region != caller.region)
    }
    return sorted(found)


def _written_out(experiment: Experiment, target: TargetSpec) -> Iterator[Fault]:
    """Of faults whose place exists; that others do not is told elsewhere."""
    for fault in experiment.faults:
        if isinstance(fault, RegionFault):
            yield from (part.fault for part in parts_of(fault, target))
        elif getattr(fault, "link", None) in target.links or getattr(fault, "service", None) in target.services:
            yield fault
