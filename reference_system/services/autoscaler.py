"""How many pods a region's API has: the autoscaler's syncs, and what its replicas are told of them.

There is no cluster: each API replica is a process that holds some of the pods as its slots, turn and turn about. What a
process observes is shared evenly among its pods, and the pods of one that does not answer are *missing* to the
autoscaler.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, Counter, Gauge

from reference_system.policies.autoscaling import fleet, horizontal
from reference_system.policies.autoscaling.fleet import Fleet
from reference_system.policies.autoscaling.horizontal import Decision
from reference_system.policies.autoscaling.memory import State
from reference_system.policies.autoscaling.observation import Observation, Sample, milli
from reference_system.policies.autoscaling.replica_calculator import Reading, reading
from reference_system.policies.autoscaling.spec import Metric, Spec, Target
from reference_system.policies.autoscaling.timeline_api import IN_SMALL, TIME_SCALE
from reference_system.policies.degradation import exact_p99
from reference_system.services.exchange import Observations
from reference_system.services.log import Log

START_UP_S = 30.0 / TIME_SCALE  # until a new pod serves; ours, the specification says nothing of it
SHOWN_AS = {"cpu": "cpu_utilization"}
MILLI = 1000

Decide = Callable[[State, Observation, float, Spec], tuple[State, Decision]]


def as_kubernetes_does(state: State, seen: Observation, now_s: float, spec: Spec) -> tuple[State, Decision]:
    return horizontal.decide(state, seen, now_s, spec=spec)


def offered(observations: Observations) -> float:
    """What arrives, shed or not: else shedding would hide the load from the autoscaler."""
    return observations.offered_per_s


@dataclass(frozen=True, slots=True, kw_only=True)
class Scaling:
    """How the system is scaled."""

    spec: Spec = IN_SMALL
    decide: Decide = as_kubernetes_does
    load: Callable[[Observations], float] = offered


class Autoscaler:
    def __init__(self, how: Scaling, *, processes: int, window_s: float, registry: CollectorRegistry, log: Log) -> None:
        self._how = how
        self._processes = processes
        self._window_s = window_s
        self._log = log
        self._state = State()
        self._fleet = Fleet()
        self._serving: tuple[int, ...] = ()
        self._metrics = _Metrics(registry)

    def slots(self, process: int) -> int | None:
        """How many the process is to have; None before the first sync."""
        return len(self._pods_of(process)) or None

    def sync(self, answers: Sequence[Observations | None], now_s: float) -> None:
        """Observe, decide, and start or end pods; `answers` by process."""
        spec = self._how.spec
        if not self._fleet.started:
            there = _found(answers)
            if there is None:
                return
            self._fleet = fleet.resized(Fleet(), max(there, spec.min_replicas), -math.inf)
        self._serving = fleet.ready(self._fleet, now_s, start_up_s=START_UP_S)
        seen = self._observation(answers, now_s)
        readings = {metric: reading(metric, seen, now_s, spec=spec) for metric in spec.metrics}
        self._state, decision = self._how.decide(self._state, seen, now_s, spec)
        self._metrics.show(seen, decision, readings, ready=len(self._serving))
        if decision.replicas != seen.replicas:
            self._log("scaled", **{"from": seen.replicas, "to": decision.replicas, "proposals": decision.proposals})
            self._fleet = fleet.resized(self._fleet, decision.replicas, now_s)
            self._serving = fleet.ready(self._fleet, now_s, start_up_s=START_UP_S)

    def _observation(self, answers: Sequence[Observations | None], now_s: float) -> Observation:
        samples: dict[str, dict[str, Sample]] = {metric.name: {} for metric in self._how.spec.metrics}
        for process, answer in enumerate(answers):
            mine = self._pods_of(process)
            if answer is None or not mine:
                continue
            values = {
                "cpu": answer.cpu_ratio * fleet.CPU_REQUEST_MILLI / MILLI,
                "requests_per_second": self._how.load(answer) / len(mine),
                "response_time_p99_ms": exact_p99(answer.latencies_ms),
            }
            for name in samples:
                sample = Sample(value_milli=milli(values[name]), at_s=now_s, window_s=self._window_s)
                samples[name] |= dict.fromkeys(map(fleet.name_of, mine), sample)
        size = len(self._fleet.started)
        pods = fleet.pods(self._fleet, now_s, start_up_s=START_UP_S)
        return Observation(replicas=size, existing=size, pods=pods, samples=samples)

    def _pods_of(self, process: int) -> list[int]:
        return [number for place, number in enumerate(self._serving) if place % self._processes == process]


def _found(answers: Sequence[Observations | None]) -> int | None:
    """The pods that there are when a controller has just been started; None where nobody answers. A process that does
    not has as many as the others have on average."""
    told = [answer.slots for answer in answers if answer is not None]
    return round(sum(told) / len(told) * len(answers)) if told else None


@dataclass(slots=True)
class _Metrics:
    """All of one sync in one step."""

    registry: CollectorRegistry
    syncs: Counter = field(init=False)
    current: Gauge = field(init=False)
    desired: Gauge = field(init=False)
    ready: Gauge = field(init=False)
    value: Gauge = field(init=False)
    counted: Gauge = field(init=False)
    missing: Gauge = field(init=False)
    unready: Gauge = field(init=False)

    def __post_init__(self) -> None:
        def gauge(name: str, means: str, *labels: str) -> Gauge:
            return Gauge(f"autoscaler_{name}", means, labels, registry=self.registry)

        self.syncs = Counter("autoscaler_syncs_total", "Syncs so far", registry=self.registry)
        self.current = gauge("current_replicas", "Pods that there were to be before the sync")
        self.desired = gauge("desired_replicas", "Pods that there are to be after it")
        self.ready = gauge("ready_replicas", "Pods that serve")
        self.value = gauge("metric", "As the sync used it; NaN: could not be told", "metric")
        self.counted = gauge("counted_pods", "Pods that the value is of", "metric")
        self.missing = gauge("missing_pods", "Pods without a value", "metric")
        self.unready = gauge("unready_pods", "Pods that are not ready, so that theirs does not count", "metric")

    def show(self, seen: Observation, decision: Decision, readings: Mapping[Metric, Reading], *, ready: int) -> None:
        self.syncs.inc()
        self.current.set(seen.replicas)
        self.desired.set(decision.replicas)
        self.ready.set(ready)
        for metric, read in readings.items():
            name = SHOWN_AS.get(metric.name, metric.name)
            self.value.labels(name).set(_shown(metric, read))
            self.counted.labels(name).set(read.counted)
            self.missing.labels(name).set(read.missing)
            self.unready.labels(name).set(read.unready)


def _shown(metric: Metric, read: Reading) -> float:
    """In percent, or in the metric's own unit."""
    if read.value is None:
        return math.nan
    return read.value if metric.target is Target.UTILIZATION else read.value / MILLI
