"""A region's alerts as its controller shows and logs them. Which ones fire is the policy's decision."""

import math
from collections.abc import Mapping, Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge

from reference_system.policies import alerting, degradation
from reference_system.policies.alerting import Input, Rule
from reference_system.services.exchange import Backlogs, Observations
from reference_system.services.log import Log


class Alerts:
    def __init__(self, rules: Sequence[Rule], *, registry: CollectorRegistry, log: Log) -> None:
        self._rules = rules
        self._log = log
        self._state = alerting.State()
        self._evaluations = Counter("alert_evaluations_total", "Evaluations so far", registry=registry)
        self._firing = Gauge("alert_firing", "1 while the alert fires", ["alert"], registry=registry)
        self._input = Gauge("alert_input", "What alerts are decided by; NaN: not known", ["input"], registry=registry)

    def evaluate(self, inputs: Mapping[Input, float], now_s: float) -> None:
        before = self._state.firing
        self._evaluations.inc()
        self._state, firing = alerting.decide(self._state, inputs, now_s, rules=self._rules)
        for name in Input:
            self._input.labels(name).set(inputs.get(name, math.nan))
        for rule in self._rules:
            self._firing.labels(rule.alert).set(rule.alert in firing)
            if (rule.alert in firing) != (rule.alert in before):
                self._tell(rule, inputs, fires=rule.alert in firing)

    def _tell(self, rule: Rule, inputs: Mapping[Input, float], *, fires: bool) -> None:
        value, level = inputs.get(rule.input, math.nan), int(inputs[Input.LEVEL])
        seen = None if math.isnan(value) else value
        self._log("alert_fired" if fires else "alert_resolved", alert=rule.alert, value=seen, level=level)


def inputs_of(
    degradation_inputs: degradation.Inputs | None,
    answers: Sequence[Observations],
    backlogs: Backlogs | None,
    *,
    level: int,
    replicas_were_there: bool,
) -> dict[Input, float]:
    """What one evaluation of a region knows; without an answer of a replica, or of the worker, less. A region that had
    replicas, and has none any more that answers, serves nobody: all that is asked of it are errors."""
    known: dict[Input, float] = {Input.LEVEL: level}
    if degradation_inputs is not None:
        known[Input.LATENCY_P99_MS] = degradation_inputs.latency_p99_ms
        known[Input.ERROR_RATIO] = degradation_inputs.error_ratio
        known[Input.CPU_RATIO] = degradation_inputs.cpu_ratio
    if answers:
        known[Input.POOL_RATIO] = max(answer.pool_ratio for answer in answers)
        known[Input.CACHE_HIT_RATIO] = _hit_ratio(answers)
    elif replicas_were_there:
        known[Input.ERROR_RATIO] = 1.0
    if backlogs is not None:
        known[Input.FANOUT_DEPTH] = backlogs.fanout_depth
        known[Input.FANOUT_LAG_S] = backlogs.fanout_lag_s
        known[Input.REPLICATION_LAG_S] = _or_nan(backlogs.replication_lag_s)
        known[Input.CACHE_MEMORY_RATIO] = _or_nan(backlogs.cache_memory_ratio)
        known[Input.MEMORY_RATIO] = _or_nan(backlogs.memory_ratio)
    return known


def _hit_ratio(answers: Sequence[Observations]) -> float:
    """Of the answers that caches are there for, those that they had. NaN for too few to say."""
    cached, built = sum(answer.cached for answer in answers), sum(answer.built for answer in answers)
    return cached / (cached + built) if cached + built >= degradation.MIN_SAMPLES else math.nan


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value
