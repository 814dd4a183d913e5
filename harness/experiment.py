"""All that a person may write in an experiment file, and nothing else.

These types are the reference: the loader checks files against them, the JSON Schema for editors is generated from
them, and the plan repeats them with every default written out. Times of `faults` and of the load's `changes` count from
the start of the phase `disturbed`.
"""

from enum import StrEnum

import msgspec

from harness.units import BytesPerSecond, PerSecond, Ratio, Seconds

DISTURBED = "disturbed"
FINAL_READS = "final_reads"


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Every word a person writes must be known."""


# --- load -----------------------------------------------------------------------------------------------------------


class Arrivals(StrEnum):
    """How scheduled requests are spaced: evenly, or with exponential gaps as independent users would."""

    CONSTANT = "constant"
    POISSON = "poisson"


class Step(_Strict, frozen=True, kw_only=True, tag_field="shape", tag="step"):
    """From `at` on, the rate is `to`."""

    at: Seconds
    to: PerSecond


class Ramp(_Strict, frozen=True, kw_only=True, tag_field="shape", tag="ramp"):
    """From `at`, the rate moves in a straight line to `to` within `over`, and stays."""

    at: Seconds
    to: PerSecond
    over: Seconds


class Spike(_Strict, frozen=True, kw_only=True, tag_field="shape", tag="spike"):
    """The rate is `to` for `lasts`, then again what it was before."""

    at: Seconds
    to: PerSecond
    lasts: Seconds


RateChange = Step | Ramp | Spike


class Load(_Strict, frozen=True, kw_only=True):
    """Offered load: who comes (the profile), how many a second (`rate`, then `changes`), and from which seed."""

    profile: str
    rate: PerSecond
    changes: tuple[RateChange, ...] = ()
    arrivals: Arrivals = Arrivals.POISSON
    seed: int = 1
    shards: int = 1
    deadline: Seconds = Seconds(8.0)
    in_flight_limit: int = 800


# --- phases ---------------------------------------------------------------------------------------------------------


class Phases(_Strict, frozen=True, kw_only=True):
    """The run's phases in their fixed order; a phase of 0s is left out."""

    warm_up: Seconds = Seconds(5.0)
    baseline: Seconds = Seconds(20.0)
    disturbed: Seconds = Seconds(0.0)
    recovery: Seconds = Seconds(0.0)
    final_reads: Seconds = Seconds(0.0)


# --- faults ---------------------------------------------------------------------------------------------------------


class _LinkFault(_Strict, frozen=True, kw_only=True, tag_field="kind"):
    link: str
    at: Seconds
    lasts: Seconds


class _ServiceFault(_Strict, frozen=True, kw_only=True, tag_field="kind"):
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


class RestartFault(_Strict, frozen=True, kw_only=True, tag_field="kind", tag="restart"):
    """The service is asked to stop (SIGTERM) and started again; over once it is healthy."""

    service: str
    at: Seconds


class CrashFault(_Strict, frozen=True, kw_only=True, tag_field="kind", tag="crash"):
    """The service's processes die as if by themselves, and what restarts crashed services has to bring it back; over
    once it is healthy."""

    service: str
    at: Seconds


class OutOfMemoryFault(_Strict, frozen=True, kw_only=True, tag_field="kind", tag="out_of_memory"):
    """The service's memory is full and the kernel ends it; what restarts crashed services has to bring it back."""

    service: str
    at: Seconds


class NetworkLossFault(_ServiceFault, frozen=True, kw_only=True, tag="network_loss"):
    """The service's node loses its network: its name and its address are gone, its connections hang."""


class CpuLimitFault(_ServiceFault, frozen=True, kw_only=True, tag="cpu_limit"):
    """The service gets only `share` of the CPU that it was allowed."""

    share: Ratio


class _RegionFault(_Strict, frozen=True, kw_only=True, tag_field="kind"):
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


class PartitionFault(_Strict, frozen=True, kw_only=True, tag_field="kind", tag="partition"):
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
    | RestartFault
    | CrashFault
    | OutOfMemoryFault
    | NetworkLossFault
    | CpuLimitFault
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


# --- stop conditions ------------------------------------------------------------------------------------------------


class ErrorRatioStop(_Strict, frozen=True, kw_only=True, tag_field="metric", tag="error_ratio"):
    """Stop the run when the share of failed answers stays above a bound for longer than that."""

    above: Ratio
    for_longer_than: Seconds


class LatencyStop(_Strict, frozen=True, kw_only=True, tag_field="metric", tag="latency_p99"):
    """Stop the run when the p99 of a second's answers stays above a bound for longer than that."""

    above: Seconds
    for_longer_than: Seconds


StopCondition = ErrorRatioStop | LatencyStop


# --- expectations ---------------------------------------------------------------------------------------------------


class SloCheck(_Strict, frozen=True, kw_only=True, tag_field="check", tag="slo"):
    """Objectives on what users saw in a phase (or in the window `from`–`to` seconds of it).

    Latency counts from the scheduled time over answered requests; `error_ratio` counts failed, unknown and unsent
    over all offered; `goodput_ratio` is the share of offered requests answered correctly within `within`. What fails,
    fails within `fails_within`: nobody waits long for an error.
    """

    phase: str = "baseline"
    start: Seconds | None = None
    end: Seconds | None = None
    operation: str | None = None
    priority: int | None = None
    p50: Seconds | None = None
    p95: Seconds | None = None
    p99: Seconds | None = None
    error_ratio: Ratio | None = None
    goodput_ratio: Ratio | None = None
    within: Seconds = Seconds(1.0)
    fails_within: Seconds | None = None


class DegradationCheck(_Strict, frozen=True, kw_only=True, tag_field="check", tag="degradation"):
    """The level follows the target's promise second by second, and the features follow the level.

    `reaches` names the level that the run has to reach (so that a quiet run cannot pass), `visits` levels that must
    each be shown at least once, `ends_at` the level at the end of the run.
    """

    reaches: str | None = None
    visits: tuple[str, ...] = ()
    ends_at: str = "NORMAL"


class SheddingCheck(_Strict, frozen=True, kw_only=True, tag_field="check", tag="shedding"):
    """Requests are shed as the promised curve says, by priority, and refusals are cheap."""

    tolerance: Ratio = Ratio(0.04)
    refusal_p99: Seconds = Seconds(0.05)
    expect_shedding: bool = True


class RecoveryCheck(_Strict, frozen=True, kw_only=True, tag_field="check", tag="recovery"):
    """After the last revert, goodput and level are back to the baseline's within `rto`, and stay.

    `goodput_alone`: whatever the level is and wherever answers come from. That is what is asked of hysteresis: the same
    load before and after has the same goodput.
    """

    rto: Seconds
    goodput_share: Ratio = Ratio(0.95)
    hold: Seconds = Seconds(3.0)
    goodput_alone: bool = False


class RetriesCheck(_Strict, frozen=True, kw_only=True, tag_field="check", tag="retries"):
    """Attempts on dependencies stay within 1 + `budget` of the calls made, second by second and overall.

    `dependency` is the only one that is meant, as the replicas name it in their metrics; without it all are. A budget
    of 0 % says that nothing goes out twice: then a single repetition breaks it, and no few calls are too few.
    """

    budget: Ratio = Ratio(0.20)
    dependency: str | None = None


class Operations(StrEnum):
    """Which of a cohort's requests are meant."""

    ALL = "all"
    READS = "reads"
    WRITES = "writes"


class FailoverCheck(_Strict, frozen=True, kw_only=True, tag_field="check", tag="failover"):
    """Users of a region are served by another one when theirs is lost, soon enough and without harm.

    The cohort is all users who ask for the region `cohort`, of whom `operations` may pick what they read or write. Time
    counts from the injection of the fault that strikes the whole region. Within `rto` begins the first stretch of
    `holds` in which at most `error_ratio` of the cohort's requests are failed, unknown or unsent; the same holds while
    its users return. `first_success_within` and `detect_within` are for parts of the way. `rpo` and `rpo_writes` bound
    how far back acknowledged writes are missing elsewhere, and how many. `split_brain_writes` counts acknowledged
    writes by more than the one region that was to take them. `back_within` counts from the revert, and
    `behind_at_return` bounds how old the region's knowledge of the others may be when its users are sent to it again.
    `others_error_ratio` is for the users of all other regions together.
    """

    cohort: str
    operations: Operations = Operations.ALL
    rto: Seconds
    holds: Seconds = Seconds(30.0)
    error_ratio: Ratio = Ratio(0.01)
    first_success_within: Seconds | None = None
    detect_within: Seconds | None = None
    rpo: Seconds | None = None
    rpo_writes: int | None = None
    split_brain_writes: int | None = 0
    fail_overs_at_most: int | None = None
    back_within: Seconds | None = None
    behind_at_return: Seconds | None = None
    others_error_ratio: Ratio | None = None


class Reach(StrEnum):
    """How far a session guarantee is promised; each word holds those before it in itself.

    none: not at all, broken ones are only counted. sticky: where one region served everything. remote: also where
    another region served the reader. moved: also where the session was served by several regions.
    """

    NONE = "none"
    STICKY = "sticky"
    REMOTE = "remote"
    MOVED = "moved"


class Counting(StrEnum):
    """exact: in the end every region shows what was acknowledged. none: not promised, only counted."""

    NONE = "none"
    EXACT = "exact"


class ConsistencyCheck(_Strict, frozen=True, kw_only=True, tag_field="check", tag="consistency"):
    """What was acknowledged is there in every region in the end, once, and sessions see what they were promised.

    `lost`, `duplicated` and `unexpected` are how many writes may be; `resurrected` and `undeleted` the same of deletes.
    What the file says has to be shown: where nothing happened that could break it, the verdict is inconclusive. What it
    leaves out is judged where there was occasion for it: deletes by 0, counters as `exact`, `read_your_writes`,
    `monotonic_reads` and `writes_follow_reads` as `sticky`, `monotonic_writes` as `remote`, `causal` as `none`.

    `rpo` is for regions whose data are destroyed: what one had acknowledged in that time before, and no other region
    ever showed, may be gone. Without it nothing may.
    `staleness_p99` bounds how long a write is missing in another region, for each pair of regions.
    `converges_within`: after the last revert every link carries new writes within that time, and after the last write
    all regions hold the same rows.
    """

    lost: int = 0
    duplicated: int = 0
    unexpected: int = 0
    resurrected: int | None = None
    undeleted: int | None = None
    read_your_writes: Reach | None = None
    monotonic_reads: Reach | None = None
    monotonic_writes: Reach | None = None
    writes_follow_reads: Reach | None = None
    causal: Reach | None = None
    counters: Counting | None = None
    rpo: Seconds | None = None
    staleness_p99: Seconds | None = None
    converges_within: Seconds | None = None


class AlertsCheck(_Strict, frozen=True, kw_only=True, tag_field="check", tag="alerts"):
    """The alerts of `fire` fire, in time, no other one does, and each follows its rule on the input that is shown.

    `within` counts from the first fault or change of the load, until one controller fires; `resolve_within` from the
    end of the last one, until none does. Those of `may_fire` may, at any time.
    """

    fire: tuple[str, ...] = ()
    may_fire: tuple[str, ...] = ()
    within: Seconds = Seconds(30.0)
    resolve_within: Seconds | None = None


class FanOutCheck(_Strict, frozen=True, kw_only=True, tag_field="check", tag="fan_out"):
    """What is posted is soon where the followers look, whoever else posts, and in the end all of it is there.

    `p95` bounds for each operation that posts how long a post is missed after its acknowledgement, by whoever reads
    what it was written to. `lag` bounds the age of the oldest post that waits, as the target's workers show it;
    `drained_within` counts from the end of the last disturbance until none waits for more than two seconds any more. In
    the end nothing waits, nothing was given up, and all that was acknowledged is accounted for.
    """

    p95: dict[str, Seconds]
    lag: Seconds | None = None
    drained_within: Seconds | None = None


class Severity(StrEnum):
    """How bad an incident is, by the share of users that it affects; SEV4: none, and something that might yet."""

    SEV1 = "SEV1"
    SEV2 = "SEV2"
    SEV3 = "SEV3"
    SEV4 = "SEV4"
    NONE = "none"


class SeverityCheck(_Strict, frozen=True, kw_only=True, tag_field="check", tag="severity"):
    """Within no ten seconds after the warm-up are more users affected than `at_most` allows.

    A user is affected who meets an error, an answer later than `late`, or a refusal of priority 1 to 3. SEV2 allows at
    most 50 % of those who came, SEV3 10 %, SEV4 nobody; `none` also allows no alert, no level above the first, and no
    part that is away.
    """

    at_most: Severity
    late: Seconds = Seconds(1.0)


class DiagnosisCheck(_Strict, frozen=True, kw_only=True, tag_field="check", tag="diagnosis"):
    """The target's runbook, followed on what was recorded, shows `symptom` and leads to `cause` each time it does.

    No other symptom shows but those of `may_show`. Without a symptom none may show at all.
    """

    symptom: str | None = None
    cause: str | None = None
    may_show: tuple[str, ...] = ()


class MetricType(StrEnum):
    """resource: utilisation in percent of what a pod requests, the same for each pod. pods: an average per pod."""

    RESOURCE = "resource"
    PODS = "pods"


class ScalingMetric(_Strict, frozen=True, kw_only=True):
    """What the autoscaler holds at `target`. Averages per pod are truncated to multiples of `resolution` (Kubernetes
    counts in thousandths), utilisation to whole percent."""

    name: str
    type: MetricType
    target: float
    resolution: float = 0.001


class PolicyType(StrEnum):
    PODS = "pods"
    PERCENT = "percent"


class ScalingPolicy(_Strict, frozen=True, kw_only=True):
    """At most `value` pods, or percent of them, within `period`."""

    type: PolicyType
    value: int
    period: Seconds


class SelectPolicy(StrEnum):
    """Of several policies the one with most change, with least, or no change at all."""

    MAX = "max"
    MIN = "min"
    DISABLED = "disabled"


class ScalingRules(_Strict, frozen=True, kw_only=True):
    """One direction of an autoscaler's `behavior`."""

    stabilization: Seconds
    policies: tuple[ScalingPolicy, ...]
    select: SelectPolicy = SelectPolicy.MAX


class Autoscaler(_Strict, frozen=True, kw_only=True):
    """A HorizontalPodAutoscaler (`autoscaling/v2`) as it is configured.

    A system that was scaled down may say so once: all times are divided by `time_scale`, `min_replicas`,
    `max_replicas` and policies in pods by `replica_scale`. Targets are not scaled. `metric_window` is the time over
    which pods measure what they are asked for.
    """

    min_replicas: int = 50
    max_replicas: int = 500
    metrics: tuple[ScalingMetric, ...] = (
        ScalingMetric(name="cpu_utilization", type=MetricType.RESOURCE, target=65.0),
        ScalingMetric(name="requests_per_second", type=MetricType.PODS, target=1500.0),
        ScalingMetric(name="response_time_p99_ms", type=MetricType.PODS, target=200.0),
    )
    tolerance: Ratio = Ratio(0.1)
    scale_up: ScalingRules = ScalingRules(
        stabilization=Seconds(60.0),
        policies=(
            ScalingPolicy(type=PolicyType.PERCENT, value=50, period=Seconds(60.0)),
            ScalingPolicy(type=PolicyType.PODS, value=20, period=Seconds(60.0)),
        ),
    )
    scale_down: ScalingRules = ScalingRules(
        stabilization=Seconds(300.0),
        policies=(ScalingPolicy(type=PolicyType.PERCENT, value=10, period=Seconds(120.0)),),
        select=SelectPolicy.MIN,
    )
    sync_period: Seconds = Seconds(15.0)
    metric_window: Seconds = Seconds(15.0)
    time_scale: float = 1.0
    replica_scale: int = 1


class ScalingCheck(_Strict, frozen=True, kw_only=True, tag_field="check", tag="scaling"):
    """The number of replicas is at every sync the one that Kubernetes' autoscaler would decide from the same metrics.

    `load_metric` is the metric that has to be the offered load, whatever of it is shed; `sheds_above` is the load of
    one scaled replica above which shedding begins, if that is not what the target promises. `max_flaps` bounds how
    often the direction changes in any 10 minutes (divided by `time_scale`) in which the planned rate did not,
    `ready_within` the time from a rise of the planned rate until as many replicas are ready as it needed in the end.
    With `expect_scaling` a run in which nothing had to be scaled proves nothing.
    """

    autoscaler: Autoscaler = Autoscaler()
    load_metric: str | None = "requests_per_second"
    sheds_above: PerSecond | None = None
    max_flaps: int | None = None
    ready_within: Seconds | None = None
    expect_scaling: bool = True


class CachingCheck(_Strict, frozen=True, kw_only=True, tag_field="check", tag="caching"):
    """Caches answer as often as the target promises, with nothing that is too old and nothing that was taken away.

    In `phase` each layer of `layers` has its promised hit ratio. `builds_per_key` is, by kind of content, how often one
    key may be made within `builds_within` of a cache that a fault has emptied. `still_shown` is, by the operation that
    takes something away (a block, an unfollow, an edit, a deletion), for how long after it was acknowledged pages may
    go on showing that; 0s is never. No answer is older than its layer promises, whatever else is asked.
    """

    phase: str = "baseline"
    layers: tuple[str, ...] = ()
    builds_per_key: dict[str, float] = {}
    builds_within: Seconds = Seconds(10.0)
    still_shown: dict[str, Seconds] = {}


class BreakersCheck(_Strict, frozen=True, kw_only=True, tag_field="check", tag="breakers"):
    """Calls to what is broken stop, probes are few and not in step, calls go on afterwards, and nothing is left over.

    `dependencies` are meant as replicas name them in their metrics, by the role of what they call (`redis`), and of
    another region with its name first (`europe.gateway`). For each fault that cuts one of them off, the breakers of all
    replicas that it concerns open within `opens_within` of the injection, stay open as long as it lasts, and are closed
    for good within `closes_within` of the revert. At the end at most `leaked` database connections of a replica are in
    use while no request is at work. `late` bounds how many requests replicas worked on for longer than the load's
    deadline, as a share of those that users gave up waiting for.
    """

    dependencies: tuple[str, ...] = ()
    opens_within: Seconds = Seconds(5.0)
    closes_within: Seconds = Seconds(5.0)
    leaked: int = 0
    late: Ratio | None = None


Check = (
    SloCheck
    | DegradationCheck
    | SheddingCheck
    | RecoveryCheck
    | RetriesCheck
    | FailoverCheck
    | ConsistencyCheck
    | AlertsCheck
    | ScalingCheck
    | CachingCheck
    | FanOutCheck
    | SeverityCheck
    | DiagnosisCheck
    | BreakersCheck
)


# --- the whole ------------------------------------------------------------------------------------------------------

Variable = str | int | float | bool


class Suite(StrEnum):
    """When an experiment is run: before each change is merged, before each release, each night (which runs all)."""

    SMOKE = "smoke"
    GATE = "gate"
    NIGHTLY = "nightly"


class Experiment(_Strict, frozen=True, kw_only=True):
    """One falsifiable sentence, how it is tried, and what has to hold.

    `variables` may be used as `${name}` anywhere below; `short` overrides some of them for a shorter run
    (`gameday run --short`), `--set name=value` any of them. `gameday suite` runs all experiments of a suite, in short;
    `nightly` has every experiment, named or not.
    """

    title: str
    hypothesis: str
    suites: tuple[Suite, ...] = ()
    target: str
    load: Load
    phases: Phases
    faults: tuple[WrittenFault, ...] = ()
    stop_when: tuple[StopCondition, ...] = ()
    expect: tuple[Check, ...]
    variables: dict[str, Variable] = {}
    short: dict[str, Variable] = {}
