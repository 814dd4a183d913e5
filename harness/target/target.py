"""What is tested: its services, links, regions, promises and powers, as `target.yaml` declares them.

The compose file says what runs; this says what the harness may see and attack. Runtimes (local processes, Docker) turn
the declaration into a `RunningTarget`.
"""

from enum import StrEnum
from pathlib import Path
from typing import Literal, Protocol

import msgspec

from harness.units import PerSecond, Ratio, Seconds


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


class Power(StrEnum):
    """What a runtime can do to a service."""

    KILL = "kill"
    PAUSE = "pause"
    RESTART = "restart"


class ServiceSpec(_Strict, frozen=True, kw_only=True):
    """One compose service as the harness sees it; `port` is where it listens, `metrics` a path on that port."""

    region: str | None = None
    role: str
    port: int
    metrics: str | None = None
    health: str | None = None
    attackable: bool = True


class LinkSpec(_Strict, frozen=True, kw_only=True):
    """One Toxiproxy proxy: callers connect to `toxiproxy` at port `listen`, it forwards to `upstream`'s port.

    `probe` is the protocol that the canary speaks through the link.
    """

    toxiproxy: str
    listen: int
    upstream: str
    probe: Literal["redis", "postgres", "http"]
    probe_path: str = "/healthz"


class LevelPromise(_Strict, frozen=True, kw_only=True):
    """A degradation level: entered when any input is above its bound; turns `features_off` off, and all of the lower
    levels' features too."""

    name: str
    value: int
    when_above: dict[str, float] = {}
    features_off: tuple[str, ...] = ()


class DegradationPromise(_Strict, frozen=True, kw_only=True):
    """The ladder. A worse level is entered at the first evaluation that shows it; it is left one level at a time
    after `leaves_after` healthier evaluations in a row."""

    levels: tuple[LevelPromise, ...]
    leaves_after: int
    evaluation_period: Seconds
    input_window: Seconds
    banner_from: int
    alert_from: int


class SheddingPromise(_Strict, frozen=True, kw_only=True):
    """Shed ratio by priority: linear through (1, 0) and the points of `curve` (overload → ratio by priority), last
    slope continued, capped. From level `emergency_from` on the target rate is multiplied by `emergency_share`."""

    policy: Literal["table", "formula"] = "table"
    target_rate_per_replica: PerSecond
    rate_window: Seconds
    curve: dict[str, dict[str, Ratio]]
    cap: Ratio
    emergency_from: int
    emergency_share: Ratio
    cut_off_below: float = 1.0


class Promises(_Strict, frozen=True, kw_only=True):
    degradation: DegradationPromise | None = None
    shedding: SheddingPromise | None = None


class Headers(_Strict, frozen=True, kw_only=True):
    """Names of the response headers that carry what the record keeps."""

    served_by: str = "X-Served-By"
    region: str = "X-Region"
    level: str = "X-Degradation-Level"
    priority: str = "X-Priority"
    cache: str = "X-Cache"
    shed: str = "X-Shed"
    disabled_feature: str = "X-Disabled-Feature"
    banner: str = "X-Degraded-Banner"


class Metrics(_Strict, frozen=True, kw_only=True):
    """Names of the metrics that checks read."""

    level: str = "degradation_level"
    level_inputs: str = "degradation_input"  # label `input`
    evaluations: str = "degradation_evaluations_total"
    feature_enabled: str = "feature_enabled"  # label `feature`
    alert_firing: str = "alert_firing"  # label `alert`
    overload: str = "load_shedding_overload_ratio"
    dependency_calls: str = "dependency_calls_total"  # label `dependency`
    dependency_attempts: str = "dependency_attempts_total"  # label `dependency`


class TargetSpec(_Strict, frozen=True, kw_only=True):
    """`target.yaml`, whole. `compose` and `defects` are paths relative to that file."""

    name: str
    compose: str
    entry: str
    regions: tuple[str, ...]
    services: dict[str, ServiceSpec]
    links: dict[str, LinkSpec]
    headers: Headers = Headers()
    metrics: Metrics = Metrics()
    promises: Promises = Promises()
    defects: dict[str, str] = {}
    defect_variable: str = "DEFECT"


class ProcessIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """A process that cannot be mistaken for a later one with the same number: pid and its start time (Unix seconds,
    as the kernel reports it)."""

    pid: int
    started_at: float


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

    def address(self, service: str) -> tuple[str, int]:
        """Host and port where the harness reaches a service."""
        ...

    def link_address(self, link: str) -> tuple[str, int]:
        """Host and port where callers of the link connect."""
        ...

    def toxiproxy_url(self, link: str) -> str:
        """Base URL of the control API of the Toxiproxy that carries the link."""
        ...

    def identity(self, service: str) -> ProcessIdentity | None:
        """The service's process, or None where it does not run."""
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

    async def is_healthy(self, service: str) -> bool: ...

    def start_command(self, service: str) -> StartCommand | None:
        """How anybody could start the service again, or None where this runtime cannot say."""
        ...

    def exited(self) -> dict[str, str]:
        """Services whose process has ended without this object's doing, each with what is known of it."""
        ...

    def log_files(self) -> dict[str, Path]:
        """Where each service's log is written."""
        ...

    async def down(self) -> None:
        """Stop everything that was started, in reverse order, and leave nothing behind."""
        ...
