"""Faults on a service's container: the same as on a process, through the engine."""

import asyncio
from dataclasses import dataclass
from typing import cast

import msgspec

from harness import clock
from harness.errors import FaultError
from harness.experiment.faults import CpuLimitFault, MemoryLimitFault, NetworkLossFault
from harness.faults.journal import (
    ConnectNetwork,
    Container,
    RemoveContainer,
    RestoreLimits,
    StartContainer,
    Undo,
    UnpauseContainer,
)
from harness.faults.undo_container import is_as_it_was
from harness.target.container_target import ContainerTarget, Limits, NetworkAttachment
from harness.target.identity import ContainerIdentity
from harness.target.running_target import RunningTarget

POLICY_WITHIN_S = 20.0  # an engine waits longer and longer before each restart, at first a tenth of a second


@dataclass(frozen=True, slots=True, kw_only=True)
class _OnContainer:
    """Where it is done."""

    target: ContainerTarget
    original: Container

    @property
    def place(self) -> str:
        return self.original.service

    async def _identity(self) -> object:
        return await asyncio.to_thread(self.target.identity, self.place)


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerKillAction(_OnContainer):
    """SIGKILL through the engine, which keeps its restart policy from acting; reverting starts the container again."""

    def undo(self) -> tuple[Undo, ...]:
        return (StartContainer(service=self.place, engine=self.original.engine, id=self.original.id),)

    async def inject(self) -> int | None:
        asked_unix_ns = clock.unix_ns()
        await self.target.kill(self.place)
        return await self.target.happened_unix_ns(self.place, ("die",), since_unix_ns=asked_unix_ns)

    async def is_in_place(self) -> bool:
        return await self._identity() is None

    async def revert(self) -> None:
        if await self._identity() is None:
            await self.target.start(self.place)

    async def wrong_now(self) -> str:
        if await self._identity() is None:
            return f"{self.place} does not run"
        return "" if await self.target.is_healthy(self.place) else f"{self.place} is not healthy"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerDestroyAction(ContainerKillAction):
    """SIGKILL, and then the volumes are emptied by a container of its own; reverting makes sure that this one has
    ended, so that it takes nothing from under the service, and starts the service again."""

    def undo(self) -> tuple[Undo, ...]:
        eraser = RemoveContainer(
            service=self.place, engine=self.original.engine, name=self.target.eraser_name(self.place)
        )
        return (eraser, *ContainerKillAction.undo(self))

    async def inject(self) -> int | None:
        happened_unix_ns = await ContainerKillAction.inject(self)
        await self.target.lose_data(self.place)
        return happened_unix_ns

    async def is_in_place(self) -> bool:
        return await ContainerKillAction.is_in_place(self) and not await self.target.has_data(self.place)

    async def revert(self) -> None:
        await self.target.end_eraser(self.place)
        await ContainerKillAction.revert(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerStopAction(ContainerKillAction):
    """The service's own stop signal, then SIGKILL after its grace period; reverting starts the container again."""

    async def inject(self) -> int | None:
        asked_unix_ns = clock.unix_ns()
        await self.target.stop(self.place)
        return await self.target.happened_unix_ns(self.place, ("die",), since_unix_ns=asked_unix_ns)


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerPauseAction(_OnContainer):
    """The kernel's freezer: connections are still taken, and then nothing comes."""

    def undo(self) -> tuple[Undo, ...]:
        return (UnpauseContainer(service=self.place, engine=self.original.engine, id=self.original.id),)

    async def inject(self) -> int | None:
        asked_unix_ns = clock.unix_ns()
        await self.target.pause(self.place)
        return await self.target.happened_unix_ns(self.place, ("pause",), since_unix_ns=asked_unix_ns)

    async def is_in_place(self) -> bool:
        return await asyncio.to_thread(self.target.is_paused, self.place)

    async def revert(self) -> None:
        await self.target.resume(self.place)

    async def wrong_now(self) -> str:
        return f"{self.place} is paused" if await self.is_in_place() else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerCrashAction(ContainerKillAction):
    """Its processes are killed from inside, so that the engine sees a crash and its restart policy acts."""

    async def inject(self) -> int | None:
        asked_unix_ns = clock.unix_ns()
        await self.target.crash(self.place)
        return await self.target.happened_unix_ns(self.place, ("die",), since_unix_ns=asked_unix_ns)

    async def is_in_place(self) -> bool:
        return await self._identity() != ContainerIdentity(id=self.original.id, started_at=self.original.started_at)

    async def revert(self) -> None:
        """Give the restart policy its time; start the container ourselves where it has not."""
        until_ns = clock.now_ns() + int(POLICY_WITHIN_S * clock.NS_PER_S)
        while clock.now_ns() < until_ns:
            if await self.target.is_healthy(self.place):
                break
            await asyncio.sleep(0.1)
        if await self._identity() is None:
            await self.target.start(self.place)


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerOutOfMemoryAction(ContainerCrashAction):
    """Its memory is filled until the kernel ends the service; the engine sees a crash, and the kernel's reason."""

    async def inject(self) -> int | None:
        asked_unix_ns = clock.unix_ns()
        await self.target.exhaust_memory(self.place)
        return await self.target.happened_unix_ns(self.place, ("die",), since_unix_ns=asked_unix_ns)


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkLossAction(_OnContainer):
    """Taken out of all its networks; reverting puts it back under the same names and addresses."""

    attachments: tuple[NetworkAttachment, ...]

    def undo(self) -> tuple[Undo, ...]:
        return tuple(
            ConnectNetwork(
                service=self.place,
                engine=self.original.engine,
                id=self.original.id,
                network=one.network,
                endpoint=one.endpoint,
            )
            for one in self.attachments
        )

    async def inject(self) -> int | None:
        asked_unix_ns = clock.unix_ns()
        for one in self.attachments:
            await self.target.disconnect(self.place, one.network)
        return await self.target.happened_unix_ns(self.place, ("disconnect",), since_unix_ns=asked_unix_ns)

    async def is_in_place(self) -> bool:
        return not await self._networks()

    async def revert(self) -> None:
        there = {one.network for one in await self._networks()}
        for one in await self._missing():
            if one.network in there:
                await self.target.disconnect(self.place, one.network)
            await self.target.connect(self.place, one)

    async def wrong_now(self) -> str:
        return "; ".join(f"{self.place} is not in {one.network} as it was" for one in await self._missing())

    async def _missing(self) -> list[NetworkAttachment]:
        """What it was attached to, and is not or not in the same way."""
        now = {one.network: one.endpoint for one in await self._networks()}
        return [
            one
            for one in self.attachments
            if one.network not in now or not is_as_it_was(now[one.network], one.endpoint)
        ]

    async def _networks(self) -> tuple[NetworkAttachment, ...]:
        return await asyncio.to_thread(self.target.networks, self.place)


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitAction(_OnContainer):
    """Less than the compose file allows; reverting gives exactly that back."""

    limits: Limits
    wanted: Limits

    def undo(self) -> tuple[Undo, ...]:
        return (
            RestoreLimits(
                service=self.place,
                engine=self.original.engine,
                id=self.original.id,
                nano_cpus=self.limits.nano_cpus,
                memory=self.limits.memory,
                memory_swap=self.limits.memory_swap,
            ),
        )

    async def inject(self) -> int | None:
        asked_unix_ns = clock.unix_ns()
        await self.target.limit(self.place, self.wanted)
        return await self.target.happened_unix_ns(self.place, ("update",), since_unix_ns=asked_unix_ns)

    async def is_in_place(self) -> bool:
        return await asyncio.to_thread(self.target.limits, self.place) == self.wanted

    async def revert(self) -> None:
        await self.target.limit(self.place, self.limits)

    async def wrong_now(self) -> str:
        now = await asyncio.to_thread(self.target.limits, self.place)
        return "" if now == self.limits else f"{self.place} is limited to {now}, and was to {self.limits}"


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryLimitAction(LimitAction):
    """The kernel may end the service for want of memory, again and again, until its restart policy waits for a minute;
    reverting starts it where it does not run."""

    def undo(self) -> tuple[Undo, ...]:
        start = StartContainer(service=self.place, engine=self.original.engine, id=self.original.id)
        return (*LimitAction.undo(self), start)

    async def revert(self) -> None:
        await LimitAction.revert(self)
        if await self._identity() is None:
            await self.target.kill(self.place)  # to an engine one that waits to be restarted is running already
            await self.target.start(self.place)

    async def wrong_now(self) -> str:
        if await self._identity() is None:
            return f"{self.place} does not run"
        return await LimitAction.wrong_now(self)


def network_loss(fault: NetworkLossFault, target: ContainerTarget, original: Container) -> NetworkLossAction:
    """FaultError where the engine would give the service another address when it comes back."""
    attachments = target.networks(original.service)
    for one in attachments:
        if one.chosen:
            raise FaultError(
                f"{original.service} has no fixed address in {one.network} (now {', '.join(one.chosen)}), so it would "
                "come back with another one. Give it one in the compose file: `ipv4_address`, `ipv6_address`."
            )
    return NetworkLossAction(target=target, original=original, attachments=attachments)


def cpu_limit(fault: CpuLimitFault, target: ContainerTarget, original: Container) -> LimitAction:
    """FaultError where the service has no limit: an engine cannot take one away again."""
    limits = target.limits(original.service)
    if limits.nano_cpus == 0:
        raise FaultError(
            f"{original.service} has no `cpus` in the compose file, so no limit of it could be taken back."
        )
    wanted = msgspec.structs.replace(limits, nano_cpus=round(limits.nano_cpus * fault.share))
    return LimitAction(target=target, original=original, limits=limits, wanted=wanted)


def memory_limit(fault: MemoryLimitFault, target: ContainerTarget, original: Container) -> MemoryLimitAction:
    """With as much swap as before, which an engine counts together with the memory. FaultError as for the CPU."""
    limits = target.limits(original.service)
    if limits.memory == 0:
        raise FaultError(
            f"{original.service} has no `mem_limit` in the compose file, so no limit of it could be taken back."
        )
    memory = round(limits.memory * fault.share)
    is_swap_limited = limits.memory_swap > 0
    swap = memory + limits.memory_swap - limits.memory if is_swap_limited else limits.memory_swap
    wanted = msgspec.structs.replace(limits, memory=memory, memory_swap=swap)
    return MemoryLimitAction(target=target, original=original, limits=limits, wanted=wanted)


def running_container(target: RunningTarget, service: str) -> Container | None:
    """The service's container, or None where it does not run; the target must be one of containers."""
    containers = cast(ContainerTarget, target)
    identity = containers.identity(service)
    if identity is None:
        return None
    known = containers.container(service)
    return Container(service=service, engine=containers.engine_url, id=known.id, started_at=known.started_at)
