"""What is tested: its services, links, regions, promises and powers, as `target.yaml` declares them.

The compose file says what runs; this says what the harness may see and attack. Runtimes (local processes, Docker) turn
the declaration into a `RunningTarget`.
"""

from enum import StrEnum
from pathlib import Path
from typing import Literal, Protocol

import msgspec

from harness.target.runbook import Runbook
from harness.units import PerSecond, Ratio, Seconds


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


class Power(StrEnum):
    """What a runtime can do to a service."""

    KILL = "kill"
    PAUSE = "pause"
    RESTART = "restart"
    DESTROY = "destroy the data of"
    CRASH = "crash"  # as if by itself: what restarts crashed services does so
    DISCONNECT = "disconnect"  # from all its networks
    LIMIT = "limit the CPU of"
    EXHAUST = "exhaust the memory of"


OWN_ROLES = ("edge", "toxiproxy")  # the way in, and our own tools: without them nothing could be measured or undone


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

    `probe` is the protocol that the canary speaks through the link. `from_region` and `to_region` say where what it
    carries comes from and goes to, whichever of them holds the Toxiproxy; an end in no region (the edge) is left out.
    """

    toxiproxy: str
    listen: int
    upstream: str
    probe: Literal["redis", "postgres", "http"]
    probe_path: str = "/healthz"
    from_region: str | None = None
    to_region: str | None = None


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
    slope continued, capped. From level `emergency_from` on the target rate is multiplied by `emergency_share`. Answers
    that are marked as shed for another reason than `reason` are not what this is about."""

    policy: Literal["table", "formula"] = "table"
    target_rate_per_replica: PerSecond
    rate_window: Seconds
    curve: dict[str, dict[str, Ratio]]
    cap: Ratio
    emergency_from: int
    emergency_share: Ratio
    cut_off_below: float = 1.0
    reason: str = "overload"


class AlertPromise(_Strict, frozen=True, kw_only=True):
    """Fires once the input has been above (or below) the bound for `fires_after` without a break, and resolves once it
    has not been for `resolves_after`."""

    alert: str
    input: str
    above: float | None = None
    below: float | None = None
    fires_after: Seconds
    resolves_after: Seconds


class CacheLayer(_Strict, frozen=True, kw_only=True):
    """A layer as answers name it (`X-Cache`): the share of what it is asked for that it has, and how long ago its
    answers may have been made. That is its own time to live, the time in which it may show what is stale while it is
    made anew, and both of the layers that it is filled from."""

    layer: str
    hit_ratio: Ratio
    oldest: Seconds


class CachingPromise(_Strict, frozen=True, kw_only=True):
    """The layers from the outermost to the innermost, and the route by which each kind of content is asked for."""

    layers: tuple[CacheLayer, ...]
    kinds: dict[str, str] = {}
    made: tuple[str, ...] = ("built", "fallback")  # how answers are named that no layer had


class BreakersPromise(_Strict, frozen=True, kw_only=True):
    """An open circuit breaker waits for `open_for`, and up to `jitter` of it more, evenly drawn, before each probe."""

    open_for: Seconds
    jitter: Ratio


class Promises(_Strict, frozen=True, kw_only=True):
    degradation: DegradationPromise | None = None
    shedding: SheddingPromise | None = None
    alerts: tuple[AlertPromise, ...] = ()
    caching: CachingPromise | None = None
    breakers: BreakersPromise | None = None


class Headers(_Strict, frozen=True, kw_only=True):
    """Names of the response headers that carry what the record keeps, and of the request headers that say where the
    client is and how many milliseconds it waits."""

    served_by: str = "X-Served-By"
    region: str = "X-Region"
    level: str = "X-Degradation-Level"
    priority: str = "X-Priority"
    cache: str = "X-Cache"
    age: str = "Age"  # RFC 9111: whole seconds since the answer was made
    shed: str = "X-Shed"
    disabled_feature: str = "X-Disabled-Feature"
    refused: str = "X-Refused"
    banner: str = "X-Degraded-Banner"
    client_region: str = "X-Client-Region"
    deadline: str = "X-Deadline"


class Metrics(_Strict, frozen=True, kw_only=True):
    """Names of the metrics that checks read."""

    level: str = "degradation_level"
    level_inputs: str = "degradation_input"  # label `input`
    evaluations: str = "degradation_evaluations_total"
    feature_enabled: str = "feature_enabled"  # label `feature`
    alert_firing: str = "alert_firing"  # label `alert`
    alert_input: str = "alert_input"  # label `input`
    alert_evaluations: str = "alert_evaluations_total"
    overload: str = "load_shedding_overload_ratio"
    cache_requests: str = "cache_requests_total"  # labels `layer` and `result`: hit, miss, stale, unavailable
    cache_builds: str = "cache_builds_total"  # label `kind`
    dependency_calls: str = "dependency_calls_total"  # label `dependency`
    dependency_attempts: str = "dependency_attempts_total"  # label `dependency`
    breaker_probes: str = "circuit_breaker_probes_total"  # label `dependency`
    pool_in_use: str = "postgres_pool_in_use"
    at_work: str = "requests_at_work"
    request_durations: str = "http_request_duration_seconds_bucket"  # label `le`
    region_healthy: str = "edge_region_healthy"  # label `region`: 1 while the edge takes it for healthy
    region_share: str = "edge_region_share"  # label `region`: share of its own users that are sent to it
    region_takes_writes: str = "edge_region_takes_writes"  # label `region`: 1 while it takes their writes
    replication_lag: str = "replication_lag_seconds"  # label `link`, "us-east.postgres->europe.postgres"
    table_rows: str = "table_rows"  # label `table`
    table_digest: str = "table_digest"  # label `table`; of its rows in any order
    key_digest: str = "key_digest"  # label `keys`, a few of a sample; of what the region answers for them
    key_digest_at: str = "key_digest_at_seconds"  # at which instant: the same number wherever it is the same instant
    fan_out_depth: str = "fanout_queue_depth"  # posts that wait to be brought to their authors' followers
    fan_out_lag: str = "fanout_lag_seconds"  # age of the oldest one
    fan_out_delivered: str = "fanout_delivered_total"  # summed over its labels: each post that is done, once
    fan_out_dead_letters: str = "fanout_dead_letters"  # posts that were given up and kept
    autoscaler_syncs: str = "autoscaler_syncs_total"  # the number of the sync that the others of the scrape belong to
    autoscaler_current: str = "autoscaler_current_replicas"  # what it saw before it decided
    autoscaler_desired: str = "autoscaler_desired_replicas"
    autoscaler_ready: str = "autoscaler_ready_replicas"
    autoscaler_metric: str = "autoscaler_metric"  # label `metric`; aggregated, as it was used; NaN where it was invalid
    autoscaler_counted: str = "autoscaler_counted_pods"  # these three for each `metric`, or without the label for all
    autoscaler_missing: str = "autoscaler_missing_pods"
    autoscaler_unready: str = "autoscaler_unready_pods"


class TargetSpec(_Strict, frozen=True, kw_only=True):
    """`target.yaml`, whole. `compose` is a path relative to that file, `variables` are what the compose file may use.

    `part_of` is the file of the whole target where this is a part of one (see TargetPart).
    """

    name: str
    part_of: str = ""
    compose: str
    entry: str
    regions: tuple[str, ...]
    variables: dict[str, str] = {}
    services: dict[str, ServiceSpec]
    links: dict[str, LinkSpec]
    headers: Headers = Headers()
    metrics: Metrics = Metrics()
    promises: Promises = Promises()
    runbook: Runbook | None = None
    defects: dict[str, str] = {}
    defect_variable: str = "DEFECT"


class Promise(StrEnum):
    """The fields of `Promises`."""

    DEGRADATION = "degradation"
    SHEDDING = "shedding"
    ALERTS = "alerts"


class TargetPart(_Strict, frozen=True, kw_only=True):
    """A target file that names some regions of another one's target: the same system without the others.

    `without` are promises that this one does not make, because its `variables` turn off or change what keeps them.
    """

    name: str
    part_of: str
    regions: tuple[str, ...]
    variables: dict[str, str] = {}
    without: tuple[Promise, ...] = ()


class ProcessIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """A process that cannot be mistaken for a later one with the same number: pid and its start time (Unix seconds,
    as the kernel reports it)."""

    pid: int
    started_at: float


class ContainerIdentity(msgspec.Struct, frozen=True, kw_only=True):
    """A container and which of its lives: `started_at` as the engine writes it."""

    id: str
    started_at: str


class Exit(msgspec.Struct, frozen=True, kw_only=True):
    """A service that has ended: how, whether somebody ended it from outside, and when, where that is known (Unix
    nanoseconds)."""

    detail: str
    by_somebody: bool = False
    unix_ns: int | None = None


class NetworkAttachment(msgspec.Struct, frozen=True, kw_only=True):
    """All it takes to put a container back into a network under the names and the address it had."""

    network: str
    aliases: tuple[str, ...]
    ipv4_address: str


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

    def about(self) -> dict[str, str]:
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

    async def limit(self, service: str, limits: Limits) -> None: ...

    def cpu_usage(self, service: str) -> CpuUsage: ...
