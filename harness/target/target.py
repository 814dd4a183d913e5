"""What is tested: its services, links, regions and promises, as `target.yaml` declares them.

The compose file says what runs; this says what the harness may see and attack. Runtimes (local processes, Docker) turn
the declaration into a `RunningTarget`.
"""

from typing import Literal

from msgspec import field

from harness.target.headers import Headers
from harness.target.metrics import Metrics
from harness.target.promises import Promise, Promises
from harness.target.runbook import Runbook
from harness.target.strict import Strict
from harness.units import PerSecond

OWN_ROLES = ("edge", "toxiproxy")  # the way in, and our own tools: without them nothing could be measured or undone


class ServiceSpec(Strict, frozen=True, kw_only=True):
    """One compose service as the harness sees it; `port` is where it listens, `metrics` a path on that port."""

    region: str | None = None
    role: str
    port: int
    metrics: str | None = None
    health: str | None = None
    attackable: bool = True


class LinkSpec(Strict, frozen=True, kw_only=True):
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


class TargetSpec(Strict, frozen=True, kw_only=True):
    """`target.yaml`, whole. `compose` is a path relative to that file, `variables` are what the compose file may use.

    `part_of` is the file of the whole target where this is a part of one (see TargetPart).
    """

    name: str
    part_of: str = ""
    compose: str
    entry: str
    regions: tuple[str, ...]
    variables: dict[str, str] = field(default_factory=dict)
    services: dict[str, ServiceSpec]
    links: dict[str, LinkSpec]
    headers: Headers = Headers()
    metrics: Metrics = Metrics()
    promises: Promises = Promises()
    runbook: Runbook | None = None
    defects: dict[str, str] = field(default_factory=dict)
    defect_variable: str = "DEFECT"


class TargetPart(Strict, frozen=True, kw_only=True):
    """A target file that names some regions of another one's target: the same system without the others.

    `without` are promises that this one does not make, because its `variables` turn off or change what keeps them;
    `target_rate_per_replica` is what it sheds from where its replicas are smaller than the whole's.
    """

    name: str
    part_of: str
    regions: tuple[str, ...]
    variables: dict[str, str] = field(default_factory=dict)
    without: tuple[Promise, ...] = ()
    target_rate_per_replica: PerSecond | None = None
