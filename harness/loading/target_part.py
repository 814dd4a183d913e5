"""The part of a target that some of its regions make: their services, those of no region, and the links between them.

Defects and names are the whole's, and so are the promises that the part does not leave out; only the rate from which it
sheds may be its own. Pure: the files were read by the loader.
"""

import msgspec

from harness.target.promises import Promises
from harness.target.target import TargetPart, TargetSpec


def part_of(whole: TargetSpec, part: TargetPart) -> TargetSpec:
    """The whole without the services of other regions, and without every link that needs one of them."""
    services = {name: service for name, service in whole.services.items() if service.region in {None, *part.regions}}
    links = {
        name: link for name, link in whole.links.items() if link.toxiproxy in services and link.upstream in services
    }
    variables = {**whole.variables, **part.variables}
    return msgspec.structs.replace(
        whole,
        name=part.name,
        part_of=part.part_of,
        regions=part.regions,
        variables=variables,
        services=services,
        links=links,
        promises=_promises_of(part, whole.promises),
    )


def _promises_of(part: TargetPart, promises: Promises) -> Promises:
    unmade = {str(promise): getattr(Promises(), promise) for promise in part.without}
    shedding = promises.shedding
    if shedding is not None and part.target_rate_per_replica is not None:
        shedding = msgspec.structs.replace(shedding, target_rate_per_replica=part.target_rate_per_replica)
    return msgspec.structs.replace(promises, **{"shedding": shedding, **unmade})
