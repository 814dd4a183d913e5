"""A target that runs in containers: the powers that only an engine has."""

from typing import Any, Protocol

import msgspec

from harness.target.identity import ContainerIdentity
from harness.target.running_target import RunningTarget


class NetworkAttachment(msgspec.Struct, frozen=True, kw_only=True):
    """All it takes to put a container back into a network as it was: `endpoint` is what an engine is told about it, in
    the engine's own words. `chosen` are addresses that the engine has chosen itself and would not give back."""

    network: str
    endpoint: dict[str, Any]
    chosen: tuple[str, ...] = ()


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What a container may use: billionths of a CPU, bytes, bytes with swap; 0 where there is no limit."""

    nano_cpus: int
    memory: int
    memory_swap: int


class CpuUsage(msgspec.Struct, frozen=True, kw_only=True):
    """The kernel's account of a container when it was read (Unix seconds): CPU seconds, scheduling periods, those in
    which it was held back, and the CPUs that the compose file allows it."""

    at_s: float
    cpu_s: float
    periods: int
    throttled_periods: int
    allowed_cpus: float


class MemoryUsage(msgspec.Struct, frozen=True, kw_only=True):
    """The kernel's account of a container, in bytes: what it uses, with what the kernel keeps for it, how much it may
    use now, and how much the compose file allows it."""

    used_bytes: int
    limit_bytes: int
    allowed_bytes: int


class ContainerTarget(RunningTarget, Protocol):
    """A target whose services are containers of one engine, with the powers that only an engine has."""

    @property
    def engine_url(self) -> str: ...

    def container(self, service: str) -> ContainerIdentity:
        """The service's container, running or not."""
        ...

    def eraser_name(self, service: str) -> str:
        """Of the container that empties the service's volumes, while there is one."""
        ...

    async def end_eraser(self, service: str) -> None:
        """Make sure that there is none, so that the service can be started."""
        ...

    def is_paused(self, service: str) -> bool: ...

    async def happened_unix_ns(self, service: str, actions: tuple[str, ...], *, since_unix_ns: int) -> int | None:
        """When the engine says that one of these things happened to the service, on the wall clock; None where it does
        not say so within half a second."""
        ...

    async def crash(self, service: str) -> None:
        """End everything in it as a crash would, so that its restart policy acts."""
        ...

    async def exhaust_memory(self, service: str) -> None:
        """Fill its memory until the kernel ends the service, as if it had leaked."""
        ...

    def networks(self, service: str) -> tuple[NetworkAttachment, ...]: ...

    async def disconnect(self, service: str, network: str) -> None: ...

    async def connect(self, service: str, attachment: NetworkAttachment) -> None: ...

    def limits(self, service: str) -> Limits: ...

    async def limit(self, service: str, limits: Limits) -> None:
        """Set those that are not 0; an engine cannot take a limit away again."""
        ...

    def cpu_usage(self, service: str) -> CpuUsage: ...

    def memory_usage(self, service: str) -> MemoryUsage | None:
        """None while it does not run."""
        ...
