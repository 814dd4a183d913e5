"""One planned fault bound to a running target: what it does there, how that is seen, and how far it is."""

import asyncio
import ipaddress
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

from harness.errors import FaultError
from harness.experiment.faults import CpuLimitFault, LinkFault, MemoryLimitFault, place_of
from harness.faults import canary, catalogue
from harness.faults.action import Action
from harness.faults.container_path import ContainerPath
from harness.faults.journal import HARMLESS, Container, State
from harness.faults.network import LinkAction
from harness.faults.running import running_service
from harness.faults.toxiproxy import ProxyState, ToxiproxyServer
from harness.plan import PlannedFault
from harness.target.container_target import ContainerTarget
from harness.target.running_target import RunningTarget


@dataclass(slots=True, kw_only=True)
class Attack:
    """The injector's notes on one fault. `disturbs` is what it breaks, `depends` what its canary's path needs."""

    planned: PlannedFault
    action: Action
    path: canary.Path
    depends: frozenset[str]
    expectation: canary.Expectation
    before: canary.Before
    after: frozenset[str] = frozenset()  # services that have to be back before this one is started again
    state: State = State.PLANNED
    was_stuck: bool = False
    reverting: asyncio.Event = field(default_factory=asyncio.Event)  # set as soon as somebody wants it gone
    undone: asyncio.Event = field(default_factory=asyncio.Event)  # set once it was undone, or could not be
    changing: asyncio.Lock = field(default_factory=asyncio.Lock)
    applying: asyncio.Task[None] | None = None
    injected_at_ns: int | None = None  # when it happened, where the runtime says so
    reverted_at_ns: tuple[int, int] = (0, 0)  # start and end of the revert call

    @property
    def id(self) -> str:
        return self.planned.id

    @property
    def kind(self) -> catalogue.Kind:
        return catalogue.kind_of(self.planned.fault)

    @property
    def disturbs(self) -> str:
        return place_of(self.planned.fault)

    def forget_readings(self) -> None:
        """Begin to count anew: readings of another stage prove nothing about the next."""
        self.expectation = self.kind.expectation(self.planned.fault)

    @property
    def is_active(self) -> bool:
        """Whether it may disturb its place now."""
        return self.state not in HARMLESS and self.state is not State.REVERTED

    @property
    def is_open(self) -> bool:
        return self.state not in HARMLESS


def link_action(
    planned: PlannedFault, server: ToxiproxyServer, original: ProxyState, *, run: str, is_held_down: Callable[[], bool]
) -> LinkAction:
    kind = catalogue.kind_of(planned.fault)
    return LinkAction(
        server=server,
        original=original,
        toxics=kind.toxics(planned.fault, f"{run}-{planned.id}"),
        disables=kind.disables,
        drops=kind.drops(planned.fault),
        is_held_down=is_held_down,
    )


def service_action(planned: PlannedFault, target: RunningTarget) -> Action:
    """The action on the service's present process; FaultError where it does not run or the runtime lacks the power."""
    kind, service = catalogue.kind_of(planned.fault), place_of(planned.fault)
    if kind.power not in target.powers:
        raise FaultError(f"{planned.id}: the {target.runtime} runtime cannot {kind.power} a service.")
    original = running_service(target, service)
    if original is None:
        raise FaultError(f"{planned.id}: {service} does not run, so it cannot be attacked.")
    if isinstance(original, Container):
        assert kind.container_action is not None, "a power that the runtime has"
        return kind.container_action(planned.fault, cast(ContainerTarget, target), original)
    assert kind.process_action is not None, "a power that the runtime has"
    return kind.process_action(target=target, original=original)


def canary_path(planned: PlannedFault, target: RunningTarget) -> canary.Path:
    """Through the link, or straight to the service; FaultError where that is not this machine."""
    fault, place = planned.fault, place_of(planned.fault)
    protocol, path = catalogue.canary_path(fault, target.spec)
    host, port = target.link_address(place) if isinstance(fault, LinkFault) else target.address(place)
    if not ipaddress.ip_address("127.0.0.1" if host == "localhost" else host).is_loopback:
        raise FaultError(f"{planned.id}: {place} is at {host}. Only loopback addresses may be attacked.")
    if isinstance(fault, CpuLimitFault | MemoryLimitFault):
        asked = cast(ContainerTarget, target)
        return ContainerPath(name=place, protocol=protocol, host=host, port=port, path=path, target=asked)
    return canary.Path(name=place, protocol=protocol, host=host, port=port, path=path)


def depends_on(planned: PlannedFault, target: RunningTarget) -> frozenset[str]:
    """The places that must be whole for the canary's path to work."""
    place = place_of(planned.fault)
    upstream = {target.spec.links[place].upstream} if isinstance(planned.fault, LinkFault) else set()
    return frozenset({place} | upstream)
