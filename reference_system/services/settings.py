"""What the environment tells a service, with the defaults written once."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

from reference_system.data.postgres import CONNECTIONS
from reference_system.policies.failback import DEFAULT_RULES, Rules
from reference_system.policies.region_failover import PROBE_INTERVAL_S
from reference_system.policies.regions import Region

MESH_PASSWORD = "for-experiments-only"  # noqa: S105 - the default of experiments, as in Postgres' launcher


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Who a service is and where it listens; every service has one."""

    service: str
    region: str
    host: str
    port: int
    defect: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiSettings:
    """`slots` / `service_time_s` is the replica's capacity, `target_rate_per_s` what shedding aims at."""

    place: Place
    redis_url: str
    postgres_dsn: str
    postgres_connections: int
    slots: int
    service_time_s: float
    target_rate_per_s: float
    rate_window_s: float
    shedding_policy: str
    deadline_s: float
    auth_secret: str
    seed: int
    folder: Path  # what this host keeps of the service
    peers: dict[Region, str]  # where each other region's gateway is seen from here, as `host:port`


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerSettings:
    """`mesh_dsn`: the region's own database, as the role `mesh`. `pushes_per_s`: into how many followers' timelines the
    worker puts posts."""

    place: Place
    redis_url: str
    postgres_dsn: str
    mesh_dsn: str
    gateway: str  # base URL of the region's own; empty if it is not to be told what has changed
    pushes_per_s: float
    peers: dict[Region, str]  # each other region's database as seen from this one's: a URI as the role `mesh`


@dataclass(frozen=True, slots=True, kw_only=True)
class ControllerSettings:
    place: Place
    replicas: tuple[str, ...]  # base URLs
    worker: str  # base URL; empty if nobody is to be asked
    autoscaling: bool
    evaluation_period_s: float
    input_window_s: float
    leave_after: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeSettings:
    """`gateways`: where each region that the system has is reached, as `host:port`. For `starting_for_s` a region that
    was never seen well is not ill."""

    place: Place
    gateways: dict[Region, str]
    probe_interval_s: float
    starting_for_s: float
    rules: Rules


def api_settings(environment: Mapping[str, str] = os.environ) -> ApiSettings:
    get = environment.get
    return ApiSettings(
        place=_place(environment, "us-east-api-1"),
        redis_url=get("REDIS_URL", "redis://127.0.0.1:6379"),
        postgres_dsn=get("POSTGRES_DSN", "postgresql://postgres@127.0.0.1:5432/postgres"),
        postgres_connections=int(get("POSTGRES_CONNECTIONS", str(CONNECTIONS))),
        slots=int(get("SLOTS", "3")),
        service_time_s=float(get("SERVICE_TIME_MS", "20")) / 1000,
        target_rate_per_s=float(get("TARGET_RATE", "100")),
        rate_window_s=float(get("RATE_WINDOW_S", "2")),
        shedding_policy=get("SHEDDING_POLICY", "table"),
        deadline_s=float(get("DEADLINE_S", "5")),
        auth_secret=get("AUTH_SECRET", "not-a-secret"),
        seed=int(get("SEED", "7")),
        folder=Path(get("DATA", "/data")) / get("SERVICE", "us-east-api-1"),
        peers=_peers(environment),
    )


def worker_settings(environment: Mapping[str, str] = os.environ) -> WorkerSettings:
    """The role `mesh`, with the password in MESH_PASSWORD, is known where POSTGRES_DSN leads to, and to all peers."""
    get = environment.get
    login = f"mesh:{quote(get('MESH_PASSWORD', MESH_PASSWORD), safe='')}"
    own = urlsplit(get("POSTGRES_DSN", "postgresql://postgres@127.0.0.1:5432/postgres"))
    address = own.netloc.rpartition("@")[2]
    return WorkerSettings(
        place=_place(environment, "us-east-worker"),
        redis_url=get("REDIS_URL", "redis://127.0.0.1:6379"),
        postgres_dsn=get("POSTGRES_DSN", "postgresql://postgres@127.0.0.1:5432/postgres"),
        gateway=_url(get("GATEWAY", "").strip()) if get("GATEWAY", "").strip() else "",
        pushes_per_s=float(get("PUSHES_PER_S", "4000")),
        mesh_dsn=own._replace(netloc=f"{login}@{address}").geturl(),
        peers={peer: f"postgresql://{login}@{address}/postgres" for peer, address in _peers(environment).items()},
    )


def controller_settings(environment: Mapping[str, str] = os.environ) -> ControllerSettings:
    replicas = [url.strip() for url in environment.get("REPLICAS", "").split(",") if url.strip()]
    worker = environment.get("WORKER", "").strip()
    return ControllerSettings(
        place=_place(environment, "us-east-controller"),
        replicas=tuple(_url(replica) for replica in replicas),
        worker=_url(worker) if worker else "",
        autoscaling=_switch(environment, "AUTOSCALING"),
        evaluation_period_s=float(environment.get("EVALUATION_PERIOD_S", "1")),
        input_window_s=float(environment.get("INPUT_WINDOW_S", "5")),
        leave_after=int(environment.get("LEAVE_AFTER", "5")),
    )


def edge_settings(environment: Mapping[str, str] = os.environ) -> EdgeSettings:
    """`GATEWAYS` is `us-east=host:port,…`; ValueError where a region of `REGIONS` is not in it exactly once."""
    get = environment.get
    regions = [Region(name.strip()) for name in get("REGIONS", ",".join(Region)).split(",")]
    pairs = [pair for pair in environment["GATEWAYS"].split(",") if pair.strip()]
    known = _by_region(environment["GATEWAYS"])
    if len(pairs) != len(known) or not set(regions) <= set(known):
        raise ValueError(f"GATEWAYS: expected each of {', '.join(regions)} once, got {environment['GATEWAYS']}")
    gateways = {region: known[region] for region in regions}
    return EdgeSettings(
        place=_place(environment, "edge"),
        gateways=gateways,
        probe_interval_s=float(get("PROBE_INTERVAL_S", str(PROBE_INTERVAL_S))),
        starting_for_s=float(get("STARTING_FOR_S", "20")),
        rules=Rules(
            hold_down_s=float(get("HOLD_DOWN_S", str(DEFAULT_RULES.hold_down_s))),
            hold_s=float(get("HOLD_S", str(DEFAULT_RULES.hold_s))),
        ),
    )


def _peers(environment: Mapping[str, str]) -> dict[Region, str]:
    """Of PEERS those that this system has, without the region itself: `REGIONS` names them all, or one is alone."""
    own = environment.get("REGION", "us-east")
    regions = {Region(name.strip()) for name in environment.get("REGIONS", own).split(",") if name.strip()}
    known = _by_region(environment.get("PEERS", ""))
    others = [region for region in Region if region in regions and region != own]
    if missing := [other for other in others if other not in known]:
        raise ValueError(f"PEERS: expected host:port of {', '.join(missing)} too, as REGIONS names them")
    return {other: known[other] for other in others}


def _by_region(pairs: str) -> dict[Region, str]:
    """`us-east=host:port,…`."""
    split = [pair.partition("=") for pair in pairs.split(",") if pair.strip()]
    return {Region(name.strip()): address.strip() for name, _, address in split}


def _switch(environment: Mapping[str, str], name: str) -> bool:
    value = environment.get(name) or "off"
    if value not in ("on", "off"):
        raise ValueError(f"{name}: expected on or off, got {value}")
    return value == "on"


def _url(address: str) -> str:
    return address if "://" in address else f"http://{address}"


def _place(environment: Mapping[str, str], service: str) -> Place:
    return Place(
        service=environment.get("SERVICE", service),
        region=environment.get("REGION", "us-east"),
        host=environment.get("HOST", "127.0.0.1"),
        port=int(environment.get("PORT", "8000")),
        defect=environment.get("DEFECT", ""),
    )
