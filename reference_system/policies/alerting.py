"""Which alerts fire: each input of a dashboard against its bound, once it has been beyond it for a while.

The bounds are those of the specification, section 6. Pending, firing and resolving are Prometheus' own (`for` and
`keep_firing_for` of a rule), because the same table is written out as Prometheus rules. Measures nothing itself.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType


class Dashboard(StrEnum):
    API = "API health"
    INFRASTRUCTURE = "infrastructure"
    DATABASE = "database"
    CACHE = "cache"
    FAN_OUT = "fan-out"


class Input(StrEnum):
    """Of one region. What is not measured, or by too few samples, is NaN or missing."""

    LATENCY_P99_MS = "latency_p99_ms"
    ERROR_RATIO = "error_ratio"
    CPU_RATIO = "cpu_ratio"
    MEMORY_RATIO = "memory_ratio"
    REPLICATION_LAG_S = "replication_lag_s"
    POOL_RATIO = "pool_ratio"  # connections in use ÷ all
    CACHE_HIT_RATIO = "cache_hit_ratio"  # of what replicas read, what their region's caches had
    CACHE_MEMORY_RATIO = "cache_memory_ratio"
    FANOUT_DEPTH = "fanout_depth"  # posts
    FANOUT_LAG_S = "fanout_lag_s"
    LEVEL = "degradation_level"


class Beyond(StrEnum):
    ABOVE = ">"
    BELOW = "<"


# Ours: the specification has bounds and no times. As long as the window that most inputs are taken over, so that one
# slow moment is seen by no more than one window, and nobody is called for it.
FOR_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Fires when the input has been beyond the bound for `for_s`, until it has not been for `keep_firing_for_s`."""

    alert: str
    dashboard: Dashboard
    input: Input
    bound: float
    beyond: Beyond = Beyond.ABOVE
    for_s: float = FOR_S
    keep_firing_for_s: float = FOR_S
    means: str

    def holds(self, inputs: Mapping[Input, float]) -> bool:
        """Whether the input is beyond the bound now; what nobody has measured is not."""
        value = inputs.get(self.input, math.nan)
        return value > self.bound if self.beyond is Beyond.ABOVE else value < self.bound


# Specification, section 6: "alert when"; the last one is of section 4.
RULES: tuple[Rule, ...] = (
    Rule(
        alert="api_latency",
        dashboard=Dashboard.API,
        input=Input.LATENCY_P99_MS,
        bound=300,
        means="Users wait: the slowest hundredth of the answers takes more than 300 ms.",
    ),
    Rule(
        alert="api_errors",
        dashboard=Dashboard.API,
        input=Input.ERROR_RATIO,
        bound=0.001,
        means="More than one answer in a thousand is an error.",
    ),
    Rule(
        alert="cpu",
        dashboard=Dashboard.INFRASTRUCTURE,
        input=Input.CPU_RATIO,
        bound=0.80,
        means="The replicas are busy for more than 80 % of the time.",
    ),
    Rule(
        alert="memory",
        dashboard=Dashboard.INFRASTRUCTURE,
        input=Input.MEMORY_RATIO,
        bound=0.85,
        means="More than 85 % of the memory is in use.",
    ),
    Rule(
        alert="replication_lag",
        dashboard=Dashboard.DATABASE,
        input=Input.REPLICATION_LAG_S,
        bound=10,
        means="What another region has written arrives more than 10 s late.",
    ),
    Rule(
        alert="connection_pool",
        dashboard=Dashboard.DATABASE,
        input=Input.POOL_RATIO,
        bound=0.90,
        means="More than 90 % of the database's connections are in use.",
    ),
    Rule(
        alert="cache_hit_ratio",
        dashboard=Dashboard.CACHE,
        input=Input.CACHE_HIT_RATIO,
        bound=0.90,
        beyond=Beyond.BELOW,
        means="Less than 90 % of what replicas read comes from caches: those lack it, or Redis is out of reach.",
    ),
    Rule(
        alert="cache_memory",
        dashboard=Dashboard.CACHE,
        input=Input.CACHE_MEMORY_RATIO,
        bound=0.90,
        means="More than 90 % of Redis' memory is in use: it will evict.",
    ),
    Rule(
        alert="fanout_depth",
        dashboard=Dashboard.FAN_OUT,
        input=Input.FANOUT_DEPTH,
        bound=1_000_000,
        means="More than a million posts wait to be brought to their followers.",
    ),
    Rule(
        alert="fanout_lag",
        dashboard=Dashboard.FAN_OUT,
        input=Input.FANOUT_LAG_S,
        bound=60,
        means="Posts reach their followers more than 60 s late.",
    ),
    Rule(
        alert="degradation_level",
        dashboard=Dashboard.API,
        input=Input.LEVEL,
        bound=1,
        for_s=0,
        keep_firing_for_s=0,
        means="The region has given up features that users notice: WARNING or worse.",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """Since when each alert's input has been beyond its bound, and since when a firing one's no longer is, in seconds.

    An alert is in `firing` or, before that, in `pending`; in `calm_since_s` only while it fires.
    """

    pending_since_s: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    firing: frozenset[str] = frozenset()
    calm_since_s: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))


def decide(
    state: State, inputs: Mapping[Input, float], now_s: float, *, rules: Sequence[Rule] = RULES
) -> tuple[State, frozenset[str]]:
    """One evaluation; the alerts that fire after it."""
    pending, firing, calm = {}, set(), {}
    for rule in rules:
        fires = rule.alert in state.firing
        if rule.holds(inputs):
            since_s = state.pending_since_s.get(rule.alert, now_s)
            if fires or now_s - since_s >= rule.for_s:
                firing.add(rule.alert)
            else:
                pending[rule.alert] = since_s
        elif fires:
            since_s = state.calm_since_s.get(rule.alert, now_s)
            if rule.keep_firing_for_s > 0 and now_s - since_s < rule.keep_firing_for_s:
                firing.add(rule.alert)
                calm[rule.alert] = since_s
    after = State(pending_since_s=pending, firing=frozenset(firing), calm_since_s=calm)
    return after, after.firing
