"""A system whose replicas an autoscaler keeps, simulated second by second, and a run that recorded it.

Its autoscaler is the slow one of `by_history.py`; another configuration or another rounding than the check expects is
how it is made wrong.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise

import numpy as np
import pandas as pd

from harness.experiment.expectations.autoscaler import Autoscaler, MetricType, ScalingMetric
from harness.record.reader import Run
from harness.verify.scaling.hpa import Observation, Reading, resolution_of, scaled
from harness.verify.scaling.trace import Sync
from tests.harness import simulation
from tests.harness.a_run import RunBuilder, a_run
from tests.harness.simulation import CONTROLLER
from tests.harness.verify.scaling.by_history import RIGHT, Past, Pod, Rounding, decided

RATE, CPU, P99 = "requests_per_second", "cpu_utilization", "response_time_p99_ms"
HPA = Autoscaler(
    min_replicas=20,
    max_replicas=200,
    metrics=(
        ScalingMetric(name=CPU, type=MetricType.RESOURCE, target=65.0),
        ScalingMetric(name=RATE, type=MetricType.PODS, target=20.0),
        ScalingMetric(name=P99, type=MetricType.PODS, target=200.0),
    ),
    time_scale=20.0,
    replica_scale=10,
)
NOISE = 0.02  # of what a pod uses


# --- what is recorded of a sync ---------------------------------------------------------------------------------------


def sync_of(hpa: Autoscaler, number: int, past: Past, *, at_s: float | None = None, error_s: float = 0.0) -> Sync:
    """What a scrape at `at_s` shows of it, as the check reads it."""
    readings = {metric.name: _reading(metric, past) for metric in hpa.metrics}
    seen = Observation(at_s=past.at_s if at_s is None else at_s, error_s=error_s, current=past.size, readings=readings)
    return Sync(number=number, seen=seen, ready=sum(pod.ready for pod in past.pods), desired=past.decided)


def _reading(metric: ScalingMetric, past: Past) -> Reading:
    uses = [pod.use[metric.name] for pod in past.pods if pod.ready and metric.name in pod.use]
    if not uses or metric.name in past.blind:
        return Reading(value=None, counted=0)
    return Reading(
        value=sum(uses) // len(uses),
        counted=len(uses),
        missing=sum(pod.ready and metric.name not in pod.use for pod in past.pods),
        unready=sum(not pod.ready for pod in past.pods),
    )


# --- the system -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ScaledSystem:
    """Replicas are ready `starts_s` after they were wanted, and have their first sample a sync later.

    `rate`: requests per second that the pods are seen to get at a run time. `first_sync_s`: when the autoscaler was
    started; one that is older than the record has forgotten its start by then.
    """

    rate: Callable[[float], float]
    own: Autoscaler = HPA
    rounding: Rounding = RIGHT
    size: int = 5
    starts_s: float = 1.0
    first_sync_s: float = -40.0
    until_s: float = 110.0
    seed: int = 1

    def history(self) -> list[Past]:
        hpa, random = scaled(self.own), np.random.default_rng(self.seed)
        history: list[Past] = []
        born_s = [-np.inf] * self.size
        for at_s in np.arange(self.first_sync_s, self.until_s, float(hpa.sync_period)):
            pods = self._pods(float(at_s), born_s, random)
            now = Past(at_s=float(at_s), size=len(born_s), pods=pods)
            memory = [each for each in history if at_s - each.at_s < 40.0]  # longer than any window
            now = replace(now, decided=decided(hpa, memory, now, self.rounding))
            history.append(now)
            born_s = [*born_s, *[float(at_s)] * (now.decided - len(born_s))][: now.decided]
        return history

    def _pods(self, at_s: float, born_s: Sequence[float], random: np.random.Generator) -> list[Pod]:
        ready = [at_s - born >= self.starts_s for born in born_s]
        per_pod = self.rate(at_s) / max(1, sum(ready))
        pods = []
        for born, is_ready in zip(born_s, ready, strict=True):
            mine = per_pod * random.uniform(1 - NOISE, 1 + NOISE)
            has_sample = at_s - born >= self.starts_s + 0.75
            use = {RATE: round(mine * 1000), CPU: round(min(100.0, 2.5 * mine)), P99: round(3e3 * mine)}
            pods.append(Pod(use=use if has_sample else {}, ready=is_ready))
        return pods


# --- the record -------------------------------------------------------------------------------------------------------


SCRAPES_S = np.arange(-0.95, 111.0, 0.5)


def samples(system: ScaledSystem) -> pd.DataFrame:
    """Of the controller, each half second."""
    hpa, history = scaled(system.own), system.history()
    latest = np.searchsorted([past.at_s for past in history], SCRAPES_S, side="right") - 1
    rows = [
        (CONTROLLER, *shown, float(at_s))
        for at_s, place in zip(SCRAPES_S, latest, strict=True)
        if place >= 0
        for shown in _exposed(hpa, sync_of(hpa, int(place) + 1, history[place]))
    ]
    frame = pd.DataFrame(rows, columns=["service", "metric", "labels", "value", "at_s"])
    frame["at_ns"] = [simulation.at(at_s) for at_s in frame["at_s"]]
    return frame


def _exposed(hpa: Autoscaler, sync: Sync) -> list[tuple[str, str, float]]:
    shown = [
        ("autoscaler_syncs_total", "", float(sync.number)),
        ("autoscaler_current_replicas", "", float(sync.seen.current)),
        ("autoscaler_desired_replicas", "", float(sync.desired)),
        ("autoscaler_ready_replicas", "", float(sync.ready)),
    ]
    for metric in hpa.metrics:
        reading, labels = sync.seen.readings[metric.name], f'metric="{metric.name}"'
        value = float("nan") if reading.value is None else reading.value * resolution_of(metric)
        shown.append(("autoscaler_metric", labels, value))
        for name in ("counted", "missing", "unready"):
            shown.append((f"autoscaler_{name}_pods", labels, float(getattr(reading, name))))
    return shown


Step = tuple[float, float]  # a run time, and the rate from then on


def over(*steps: Step, first_per_s: float = 100.0) -> Callable[[float], float]:
    """A rate that is another one from each of these run times on, as pods see it over their last 0.75 s."""
    moments_s = np.array([step[0] for step in steps])
    jumps = np.diff([first_per_s, *(step[1] for step in steps)])

    def rate(at_s: float) -> float:
        return float(first_per_s + (jumps * np.clip((at_s - moments_s) / 0.75, 0.0, 1.0)).sum())

    return rate


PLANNED = ((30.0, 300.0), (70.0, 100.0))
RIGHT_SYSTEM = ScaledSystem(rate=over(*PLANNED))
ADMITTED = ScaledSystem(rate=over((30.0, 200.0), (70.0, 100.0)))  # what is left where every third request is shed


def a_scaled_run(system: ScaledSystem = RIGHT_SYSTEM, planned: Sequence[Step] = PLANNED) -> RunBuilder:
    """110 s at 100/s, and from each of the planned run times on at another rate.

    As planned by default, the system grows from 5 replicas to 15, and shrinks slowly afterwards.
    """

    def with_its_samples(frame: pd.DataFrame) -> pd.DataFrame:
        whole = pd.concat([frame.astype({"service": str, "metric": str, "labels": str}), samples(system)])
        return whole.sort_values("at_ns", kind="stable", ignore_index=True)

    return _load(tuple(planned)).altering_metrics(with_its_samples)


def recorded(system: ScaledSystem = RIGHT_SYSTEM, planned: Sequence[Step] = PLANNED) -> Run:
    """The same with no other samples than the autoscaler's, in a fraction of the time."""
    return replace(_plain(tuple(planned)), metrics=samples(system))


def _load(planned: tuple[Step, ...]) -> RunBuilder:
    run = a_run().with_phases(warm_up=5.0, baseline=25.0, disturbed=40.0, recovery=40.0).without_shedding()
    for (from_s, per_s), (to_s, _) in pairwise([*planned, (110.0, 0.0)]):
        run = run.with_overload(from_s=from_s, to_s=to_s, per_s=per_s)
    return run


@cache
def _plain(planned: tuple[Step, ...]) -> Run:
    return _load(planned).built()


def shedding(run: Run, *, every: int = 3) -> Run:
    """The same with some requests shed while the rate is high."""
    frame = run.requests
    shed = frame["scheduled_s"].between(PLANNED[0][0], PLANNED[1][0]) & (frame.index % every == 0)
    return replace(run, requests=frame.assign(outcome=frame["outcome"].mask(shed, "shed")))
