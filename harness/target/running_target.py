"""A target that has been started: where it is, what can be done to it, and what has become of it."""

from enum import StrEnum
from pathlib import Path
from typing import Protocol

import msgspec

from harness.target.identity import ContainerIdentity, ProcessIdentity
from harness.target.target import TargetSpec


class Power(StrEnum):
    """What a runtime can do to a service."""

    KILL = "kill"
    PAUSE = "pause"
    STOP = "stop"
    RESTART = "restart"
    DESTROY = "destroy the data of"
    CRASH = "crash"  # as if by itself: what restarts crashed services does so
    DISCONNECT = "disconnect"  # from all its networks
    LIMIT = "limit the CPU of"
    LIMIT_MEMORY = "limit the memory of"
    EXHAUST = "exhaust the memory of"


class Exit(msgspec.Struct, frozen=True, kw_only=True):
    """A service that has ended: how, whether somebody ended it from outside, and when, where that is known (Unix
    nanoseconds)."""

    detail: str
    by_somebody: bool = False
    unix_ns: int | None = None


class ServiceStatus(msgspec.Struct, frozen=True, kw_only=True):
    """One service, for people: bytes of memory and CPU seconds since its start, both with all its child processes."""

    service: str
    port: int
    where: str  # "pid 123", a container id, or empty where it does not run
    state: str  # running, paused or stopped
    healthy: bool
    memory_bytes: int
    cpu_s: float


class StartCommand(msgspec.Struct, frozen=True, kw_only=True):
    """All it takes to start a service's process without the harness, for a guard that outlives its runner.

    `env` is added to the starter's own environment (so that no secret of the operator reaches a journal); `user` and
    `group` are set when the starter is root. `identity_path`, where there is one, is a JSON file in which the runtime
    keeps service → ProcessIdentity: whoever starts the service writes the new one there.
    """

    argv: tuple[str, ...]
    env: dict[str, str]
    cwd: str
    log_path: str
    user: int | None = None
    group: int | None = None
    identity_path: str | None = None


class RunningTarget(Protocol):
    """A started target. Every method is safe to repeat; all raise TargetError."""

    @property
    def spec(self) -> TargetSpec: ...

    @property
    def runtime(self) -> str: ...

    @property
    def powers(self) -> frozenset[Power]: ...

    @property
    def defect(self) -> str | None:
        """The planted defect that it was started with."""
        ...

    @property
    def is_up(self) -> bool:
        """Whether anything of it is there."""
        ...

    async def about(self) -> dict[str, str]:
        """What it runs on, in words and versions, for people and for the record; empty where nothing is to say."""
        ...

    def address(self, service: str) -> tuple[str, int]:
        """Host and port where the harness reaches a service."""
        ...

    def link_address(self, link: str) -> tuple[str, int]:
        """Host and port where callers of the link connect."""
        ...

    def toxiproxy_url(self, link: str) -> str:
        """Base URL of the control API of the Toxiproxy that carries the link."""
        ...

    def identity(self, service: str) -> ProcessIdentity | ContainerIdentity | None:
        """What runs the service, or None where it does not run."""
        ...

    async def main_pid(self, service: str) -> int | None:
        """The number on this machine of the process that the service began with, or None where it does not run."""
        ...

    async def kill(self, service: str) -> None: ...

    async def pause(self, service: str) -> None: ...

    async def resume(self, service: str) -> None: ...

    async def stop(self, service: str) -> None:
        """SIGTERM, and wait until it has ended."""
        ...

    async def start(self, service: str) -> None:
        """Start the service again, exactly as at first, and wait until it is healthy."""
        ...

    async def lose_data(self, service: str) -> None:
        """Remove for good all that the service has stored; TargetError while it runs. In one step: a start meanwhile
        finds all of it or nothing."""
        ...

    async def has_data(self, service: str) -> bool:
        """Whether anything that the service has stored is left."""
        ...

    async def is_healthy(self, service: str) -> bool: ...

    def starts_after(self, service: str) -> frozenset[str]:
        """The services that the compose file starts before this one; empty where this runtime cannot say."""
        ...

    def start_command(self, service: str) -> StartCommand | None:
        """How anybody could start the service again, or None where this runtime cannot say."""
        ...

    def exited(self) -> dict[str, Exit]:
        """Services that have ended without this object's doing."""
        ...

    def log_files(self) -> dict[str, Path]:
        """Where each service's log is, whole up to now."""
        ...

    async def status(self) -> list[ServiceStatus]: ...

    async def down(self) -> None:
        """Stop everything that was started, in reverse order, and leave nothing behind."""
        ...
