"""A planted defect: the promise it breaks, in a sentence, and the parts that it replaces."""

from collections.abc import Callable
from dataclasses import dataclass

from reference_system.services.edge_parts import EdgeParts
from reference_system.services.gateway_parts import GatewayParts
from reference_system.services.parts import ApiParts, ControllerParts, WorkerParts


def _untouched_api(parts: ApiParts) -> ApiParts:
    return parts


def _untouched_worker(parts: WorkerParts) -> WorkerParts:
    return parts


def _untouched_controller(parts: ControllerParts) -> ControllerParts:
    return parts


def _untouched_edge(parts: EdgeParts) -> EdgeParts:
    return parts


def _untouched_gateway(parts: GatewayParts) -> GatewayParts:
    return parts


@dataclass(frozen=True, slots=True, kw_only=True)
class Defect:
    breaks: str
    api: Callable[[ApiParts], ApiParts] = _untouched_api
    worker: Callable[[WorkerParts], WorkerParts] = _untouched_worker
    controller: Callable[[ControllerParts], ControllerParts] = _untouched_controller
    edge: Callable[[EdgeParts], EdgeParts] = _untouched_edge
    gateway: Callable[[GatewayParts], GatewayParts] = _untouched_gateway
