"""Planted defects: name → the promise it breaks, in a sentence → the part it replaces at start-up.

A verdict is worth something only if it can be red. Ordinary code knows nothing of this table: services hand their parts
through `for_api` and its like once, before they start. The names and sentences are
repeated in target.yaml, for the harness; a test holds the two together.
"""

from reference_system.defects import caches, dependencies, edge, fan_out, one_region, regions, scaling
from reference_system.services.edge_parts import EdgeParts
from reference_system.services.gateway_parts import GatewayParts
from reference_system.services.parts import ApiParts, ControllerParts, WorkerParts

DEFECTS = {
    **one_region.DEFECTS,
    **dependencies.DEFECTS,
    **caches.DEFECTS,
    **regions.DEFECTS,
    **edge.DEFECTS,
    **scaling.DEFECTS,
    **fan_out.DEFECTS,
}


class UnknownDefectError(Exception):
    """The name is not in the table; the message lists those that are."""


def check(name: str) -> None:
    """Refuse an unknown name; the empty one is no defect."""
    if name and name not in DEFECTS:
        raise UnknownDefectError(f"DEFECT={name}: no such defect. Known: {', '.join(sorted(DEFECTS))}.")


def for_api(name: str, parts: ApiParts) -> ApiParts:
    check(name)
    return DEFECTS[name].api(parts) if name else parts


def for_worker(name: str, parts: WorkerParts) -> WorkerParts:
    check(name)
    return DEFECTS[name].worker(parts) if name else parts


def for_controller(name: str, parts: ControllerParts) -> ControllerParts:
    check(name)
    return DEFECTS[name].controller(parts) if name else parts


def for_edge(name: str, parts: EdgeParts) -> EdgeParts:
    check(name)
    return DEFECTS[name].edge(parts) if name else parts


def for_gateway(name: str, parts: GatewayParts) -> GatewayParts:
    check(name)
    return DEFECTS[name].gateway(parts) if name else parts
