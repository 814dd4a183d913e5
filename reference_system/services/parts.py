"""The replaceable parts that services are put together from.

Each service takes its decisions through one of these, so that a planted defect can replace a part at start-up and the
ordinary code knows nothing of defects.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from reference_system.data import seed
from reference_system.data.connection_gate import ConnectionGate, Refuses
from reference_system.data.dependency import DependencyPolicies
from reference_system.data.events import FORGETS, Forgets
from reference_system.data.filters import Visible, visible
from reference_system.data.flights import Flights
from reference_system.data.postgres import Postgres
from reference_system.data.reads import Reads, fall_back
from reference_system.data.statements import STATEMENTS
from reference_system.data.user_caches import Matching, by_scanning
from reference_system.data.values import OnCacheLoss
from reference_system.data.writes import Writes
from reference_system.policies import alerting, degradation, load_shedding, pool_shedding
from reference_system.policies.regions import Region
from reference_system.services.admission import Serve, shed_before_work
from reference_system.services.autoscaler import Scaling
from reference_system.services.deadlines import patience_s
from reference_system.services.fan_out import FanOutParts
from reference_system.services.forwarding import Forwarding
from reference_system.services.outcomes import Outcome
from reference_system.services.placing import Decisions
from reference_system.services.region_health import ReportedLag
from reference_system.services.writing import KeyTaken

Prepare = Callable[[str], Awaitable[bool]]  # given the database's DSN; whether it made the tables
Evaluate = Callable[[degradation.State, degradation.Inputs, float, int], tuple[degradation.State, degradation.Decision]]


def evaluate(
    state: degradation.State, inputs: degradation.Inputs, now_s: float, leave_after: int
) -> tuple[degradation.State, degradation.Decision]:
    return degradation.decide(state, inputs, now_s, leave_after=leave_after)


def as_it_is(outcome: Outcome) -> Outcome:
    return outcome


def the_decided(level: int) -> int:
    return level


def always(level: int) -> bool:
    del level
    return True


def the_clients(key: str) -> str:
    return key


def as_heard(lag_s: Mapping[Region, float]) -> Mapping[Region, float]:
    return lag_s


def what_was_drained(heartbeats_s: Mapping[str, float]) -> Mapping[str, float]:
    return heartbeats_s


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiParts:
    """`features_off` is what handlers obey, `features_reported_off` what the metrics say. `patience_s` is how long
    somebody waits for an answer, given what the request says and our own time."""

    shed_ratio: load_shedding.ShedRatio = load_shedding.shed_ratio_by_table
    serve: Serve = shed_before_work
    patience_s: Callable[[str | None, float], float] = patience_s
    pool_refuses: Refuses = pool_shedding.refuses
    gate: type[ConnectionGate] = ConnectionGate
    features_off: Callable[[int], frozenset[str]] = degradation.features_off
    features_reported_off: Callable[[int], frozenset[str]] = degradation.features_off
    banner: Callable[[int], str | None] = degradation.banner
    reported_outcome: Callable[[Outcome], Outcome] = as_it_is
    dependencies: DependencyPolicies = field(default_factory=DependencyPolicies)
    on_cache_loss: OnCacheLoss = fall_back
    forgets: Forgets = field(default_factory=lambda: FORGETS)
    visible: Visible = visible
    flights: Callable[[], Flights] = Flights
    reads: type[Reads] = Reads
    writes: type[Writes] = Writes
    statements: Mapping[str, str] = field(default_factory=lambda: STATEMENTS)
    postgres: Callable[..., Postgres] = Postgres
    key_taken: KeyTaken = the_clients
    decisions: Decisions = field(default_factory=Decisions)
    forwarding: Forwarding = field(default_factory=Forwarding)
    reported_lag: ReportedLag = as_heard


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerParts:
    """`prepare` makes the tables; `caught_up` is what the caches are said to have, given what they do."""

    statements: Mapping[str, str] = field(default_factory=lambda: STATEMENTS)
    prepare: Prepare = seed.prepare
    forgets: Forgets = field(default_factory=lambda: FORGETS)
    matching: Matching = by_scanning
    caught_up: Callable[[Mapping[str, float]], Mapping[str, float]] = what_was_drained
    fan_out: FanOutParts = field(default_factory=FanOutParts)


@dataclass(frozen=True, slots=True, kw_only=True)
class ControllerParts:
    """`announced` is the level that replicas are told, given the decided one."""

    evaluate: Evaluate = evaluate
    features_off: Callable[[int], frozenset[str]] = degradation.features_off
    alert_rules: Sequence[alerting.Rule] = alerting.RULES
    scaling: Scaling = field(default_factory=Scaling)
    announced: Callable[[int], int] = the_decided
    logs_change_to: Callable[[int], bool] = always
