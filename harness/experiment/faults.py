"""The faults that a file may write: on a link, on a service, or on a whole region."""

from enum import StrEnum

from harness.experiment.strict import Strict
from harness.units import BytesPerSecond, Ratio, Seconds


class _LinkFault(Strict, frozen=True, kw_only=True, tag_field="kind"):
    link: str
    at: Seconds
    lasts: Seconds


class _ServiceFault(Strict, frozen=True, kw_only=True, tag_field="kind"):
    service: str
    at: Seconds
    lasts: Seconds


class LatencyFault(_LinkFault, frozen=True, kw_only=True, tag="latency"):
    """Answers on the link are late by `latency` ± `jitter` per round trip (uniform)."""

    latency: Seconds
    jitter: Seconds = Seconds(0.0)


class BandwidthFault(_LinkFault, frozen=True, kw_only=True, tag="bandwidth"):
    """Each connection of the link carries at most `rate` in each direction."""

    rate: BytesPerSecond


class ResetFault(_LinkFault, frozen=True, kw_only=True, tag="reset"):
    """Connections of the link are reset (RST) `after` their first byte; `share` of them, drawn per connection."""

    after: Seconds = Seconds(0.0)
    share: Ratio = Ratio(1.0)


class BlackholeFault(_LinkFault, frozen=True, kw_only=True, tag="blackhole"):
    """Connections of the link stay open and carry nothing."""


class DownFault(_LinkFault, frozen=True, kw_only=True, tag="down"):
    """The link refuses connections and drops those it has."""


class KillFault(_ServiceFault, frozen=True, kw_only=True, tag="kill"):
    """The service's process is killed at once (SIGKILL); reverting starts it again."""


class DestroyFault(KillFault, frozen=True, kw_only=True, tag="destroy"):
    """The service is killed and all it has stored is lost for good; reverting starts it again on nothing."""


class PauseFault(_ServiceFault, frozen=True, kw_only=True, tag="pause"):
    """The service is frozen: it accepts connections and says nothing; reverting lets it go on."""


class StopFault(_ServiceFault, frozen=True, kw_only=True, tag="stop"):
    """The service is asked to stop (SIGTERM) and stays down; reverting starts it again."""


class RestartFault(Strict, frozen=True, kw_only=True, tag_field="kind", tag="restart"):
    """The service is asked to stop (SIGTERM) and started again; over once it is healthy."""

    service: str
    at: Seconds


class CrashFault(Strict, frozen=True, kw_only=True, tag_field="kind", tag="crash"):
    """The service's processes die as if by themselves, and what restarts crashed services has to bring it back; over
    once it is healthy."""

    service: str
    at: Seconds


class OutOfMemoryFault(Strict, frozen=True, kw_only=True, tag_field="kind", tag="out_of_memory"):
    """The service's memory is full and the kernel ends it; what restarts crashed services has to bring it back."""

    service: str
    at: Seconds


class NetworkLossFault(_ServiceFault, frozen=True, kw_only=True, tag="network_loss"):
    """The service's node loses its network: its name and its address are gone, its connections hang."""


class CpuLimitFault(_ServiceFault, frozen=True, kw_only=True, tag="cpu_limit"):
    """The service gets only `share` of the CPU that it was allowed."""

    share: Ratio


class MemoryLimitFault(_ServiceFault, frozen=True, kw_only=True, tag="memory_limit"):
    """The service gets only `share` of the memory that it was allowed; if it needs more, the kernel ends it."""

    share: Ratio


class _RegionFault(Strict, frozen=True, kw_only=True, tag_field="kind"):
    region: str
    at: Seconds
    lasts: Seconds


class RegionOutageFault(_RegionFault, frozen=True, kw_only=True, tag="region_outage"):
    """Every service of the region that may be attacked is killed at once; reverting starts all of them again."""


class RegionDestroyedFault(_RegionFault, frozen=True, kw_only=True, tag="region_destroyed"):
    """As `region_outage`, and all that the region has stored is lost for good; reverting starts it again on nothing."""


class RegionCutFault(_RegionFault, frozen=True, kw_only=True, tag="region_cut"):
    """The region lives and nobody reaches it: every link into it and out of it stays open and carries nothing."""


class RegionPauseFault(_RegionFault, frozen=True, kw_only=True, tag="region_pause"):
    """Every service of the region that may be attacked is frozen; reverting lets them go on."""


class RegionFlapFault(_RegionFault, frozen=True, kw_only=True, tag="region_flap"):
    """The region is cut for `every`, whole for `every`, cut again, and so on; whole at the end."""

    every: Seconds


class Direction(StrEnum):
    """What a partition cuts: all that goes between its two regions, or only what goes from one to the other."""

    BOTH = "both"
    FORTH = "forth"  # from the first to the second
    BACK = "back"


class PartitionFault(Strict, frozen=True, kw_only=True, tag_field="kind", tag="partition"):
    """The links between two regions stay open and carry nothing; `direction: forth` cuts only those that lead from
    the first to the second, `back` only the others."""

    between: tuple[str, str]
    at: Seconds
    lasts: Seconds
    direction: Direction = Direction.BOTH


LinkFault = LatencyFault | BandwidthFault | ResetFault | BlackholeFault | DownFault
MomentaryFault = RestartFault | CrashFault | OutOfMemoryFault  # over by themselves, so they have no `lasts`
ServiceFault = (
    KillFault
    | DestroyFault
    | PauseFault
    | StopFault
    | RestartFault
    | CrashFault
    | OutOfMemoryFault
    | NetworkLossFault
    | CpuLimitFault
    | MemoryLimitFault
)
RegionFault = (
    RegionOutageFault | RegionDestroyedFault | RegionCutFault | RegionPauseFault | RegionFlapFault | PartitionFault
)
Fault = LinkFault | ServiceFault  # on one link or one service: what can be injected
WrittenFault = Fault | RegionFault  # what may stand in a file; the plan writes a fault on a region out as many others


def place_of(fault: Fault) -> str:
    """The link or the service that is attacked."""
    return fault.link if isinstance(fault, LinkFault) else fault.service


def fault_id(fault: WrittenFault, number: int) -> str:
    """The fault's name in a run; numbers count all faults of the file, from 1."""
    return f"{type(fault).__struct_config__.tag}-{number}"
