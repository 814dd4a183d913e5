"""Faults on a service's process: killed, frozen, or asked to stop and started again."""

from dataclasses import dataclass

from harness.errors import FaultError
from harness.faults import procfs
from harness.faults.journal import Process, Resume, StartService, Undo
from harness.target.identity import ProcessIdentity
from harness.target.running_target import RunningTarget

SAME_START_S = 2.0  # wall-clock start times differ by the clock's corrections, later processes by more


@dataclass(frozen=True, slots=True, kw_only=True)
class KillAction:
    """SIGKILL; reverting starts the service again."""

    target: RunningTarget
    original: Process

    @property
    def place(self) -> str:
        return self.original.service

    def undo(self) -> tuple[Undo, ...]:
        start = self.target.start_command(self.place)
        if start is None:
            raise FaultError(f"{self.target.runtime} cannot say how {self.place} is started, so no guard could.")
        host, port = self.target.address(self.place)
        return (
            StartService(
                service=self.place,
                host=host,
                port=port,
                pid=self.original.pid,
                start_ticks=self.original.start_ticks,
                start=start,
            ),
        )

    async def inject(self) -> None:
        await self.target.kill(self.place)

    async def is_in_place(self) -> bool:
        return not procfs.is_running(self.original.pid, self.original.start_ticks)

    async def revert(self) -> None:
        if self.target.identity(self.place) is None:
            await self.target.start(self.place)

    async def wrong_now(self) -> str:
        if self.target.identity(self.place) is None:
            return f"{self.place} does not run"
        return "" if await self.target.is_healthy(self.place) else f"{self.place} is not healthy"


@dataclass(frozen=True, slots=True, kw_only=True)
class DestroyAction(KillAction):
    """SIGKILL, and then the service's data are removed. The undo is a kill's: what is lost cannot be brought back, and
    a service that starts before or after the removal finds all of its data or none."""

    async def inject(self) -> None:
        await KillAction.inject(self)
        await self.target.lose_data(self.place)

    async def is_in_place(self) -> bool:
        return await KillAction.is_in_place(self) and not await self.target.has_data(self.place)


@dataclass(frozen=True, slots=True, kw_only=True)
class StopAction(KillAction):
    """SIGTERM, and wait until it has ended; reverting starts the service again."""

    async def inject(self) -> None:
        await self.target.stop(self.place)


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseAction:
    """SIGSTOP; reverting is SIGCONT."""

    target: RunningTarget
    original: Process

    @property
    def place(self) -> str:
        return self.original.service

    def undo(self) -> tuple[Undo, ...]:
        return (Resume(service=self.place, pid=self.original.pid, start_ticks=self.original.start_ticks),)

    async def inject(self) -> None:
        await self.target.pause(self.place)

    async def is_in_place(self) -> bool:
        return bool(self._stopped())

    async def revert(self) -> None:
        await self.target.resume(self.place)

    async def wrong_now(self) -> str:
        stopped = self._stopped()
        return f"{self.place} is stopped (processes {stopped})" if stopped else ""

    def _stopped(self) -> list[int]:
        return procfs.stopped_family(self.original.pid, self.original.start_ticks)


def running_process(target: RunningTarget, service: str) -> Process | None:
    """The service's process by number and kernel start, or None where it does not run or has just been replaced."""
    identity = target.identity(service)
    if not isinstance(identity, ProcessIdentity):
        return None
    found = procfs.stat_of(identity.pid)
    if found is None or found.state in procfs.DEAD:
        return None
    if abs(procfs.started_at(found.start_ticks) - identity.started_at) > SAME_START_S:
        return None
    return Process(service=service, pid=found.pid, start_ticks=found.start_ticks)
