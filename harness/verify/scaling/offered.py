"""Whether the autoscaler sees the load that is offered, and not only what the shedder lets through.

Shedding keeps latency and CPU of the replicas low. An autoscaler that looks at nothing but what was admitted is content
then, and the overload stays. So the shedder has to begin above the autoscaler's target, and the load metric has to
count what was refused.

Compared are rates: the metric times the pods that it was averaged over, against the requests that the region's replicas
answered in the metric's window, refusals among them. Only syncs count at which the planned rate and the number of pods
had been the same for two windows and a sync, and no pod was without a sample or not ready. What is left as error is the
window's place in time, which is random and averages out, and requests that were sent and never answered, which replicas
may have counted or not: a few percent. An admitted load is smaller by what was shed. Therefore what was seen may fall
short of all that arrived by `TOLERANCE`; and where a fifth or more was shed, so that an error of 5 % of the load is at
most a quarter of that, three quarters of what was shed have to be in the metric. More than arrived is not held against
it: health checks and forwarded requests are answered too.
"""

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from harness.experiment.expectations.autoscaler import Autoscaler, ScalingMetric
from harness.experiment.expectations.scaling import ScalingCheck
from harness.record.reader import Run
from harness.record.rows import Outcome as Ending
from harness.verify import figures, windows
from harness.verify.figures import say
from harness.verify.scaling.hpa import resolution_of
from harness.verify.scaling.trace import Sync, Trace
from harness.verify.verdict import Figure, Outcome
from harness.verify.windows import Floats, Window, column, is_word

TOLERANCE, TOO_LITTLE = 0.10, 0.20  # of the arrivals: what the metric may fall short by, and what is surely wrong
MUCH_SHED = 0.20  # of the arrivals
SHED_SEEN, SHED_HIDDEN = 0.75, 0.50  # of what was shed: what has to be in the metric, and what is surely wrong
MIN_SYNCS = 5
assert TOLERANCE / 2 <= (1 - SHED_SEEN) * MUCH_SHED
assert TOLERANCE < TOO_LITTLE
assert SHED_HIDDEN < SHED_SEEN


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rates:
    """Per second, at each sync that can be compared."""

    seen: Floats
    arrived: Floats
    shed: Floats


def figures_of(run: Run, check: ScalingCheck, hpa: Autoscaler, trace: Trace) -> list[Figure]:
    """`hpa` is in the system's scale. Nothing without a load metric."""
    metric = next((each for each in hpa.metrics if each.name == check.load_metric), None)
    if metric is None:
        return []
    rates = _rates(run, hpa, metric, trace)
    return [*_begins_above(run, check, hpa, metric), _seen(metric, rates), *_shed_seen(metric, rates)]


def _begins_above(run: Run, check: ScalingCheck, hpa: Autoscaler, metric: ScalingMetric) -> list[Figure]:
    """Below the target's tolerance the autoscaler does not move, so shedding must not begin there."""
    promise = run.plan.target.promises.shedding
    if promise is None:
        return []
    begins_per_s = (check.sheds_above or promise.target_rate_per_replica) * promise.cut_off_below
    moves_per_s = metric.target * (1 + hpa.tolerance)
    above = begins_per_s > moves_per_s
    return [
        figures.stated(
            "rate of a replica at which shedding begins", begins_per_s, unit="/s", samples=1,
            accept=f"above {say(moves_per_s, '/s')}", outcome=Outcome.PASS if above else Outcome.FAIL,
            reason="" if above else "load is shed before the autoscaler moves",
        )
    ]  # fmt: skip


def _seen(metric: ScalingMetric, rates: _Rates) -> Figure:
    arrived = float(rates.arrived.sum())
    share = float(rates.seen.sum()) / arrived if arrived > 0 and len(rates.seen) >= MIN_SYNCS else None
    return _share(
        f"{metric.name} of what arrived", share, len(rates.seen), accepted=1 - TOLERANCE, wrong=1 - TOO_LITTLE,
        reason="the autoscaler sees less load than arrives",
    )  # fmt: skip


def _shed_seen(metric: ScalingMetric, rates: _Rates) -> list[Figure]:
    """Nothing where hardly anything was shed: then nothing could be hidden."""
    much = rates.shed >= MUCH_SHED * rates.arrived
    shed = float(rates.shed[much].sum())
    if int(much.sum()) < MIN_SYNCS or shed == 0:
        return []
    admitted = rates.arrived - rates.shed
    share = float((rates.seen - admitted)[much].sum()) / shed
    return [
        _share(
            f"{metric.name} of what was shed", share, int(much.sum()), accepted=SHED_SEEN, wrong=SHED_HIDDEN,
            reason="the shedder hides load from the autoscaler",
        )
    ]  # fmt: skip


def _share(name: str, share: float | None, samples: int, *, accepted: float, wrong: float, reason: str) -> Figure:
    if share is None:
        outcome, why = Outcome.INCONCLUSIVE, f"fewer than {MIN_SYNCS} syncs in steady load can be compared"
    elif share >= accepted:
        outcome, why = Outcome.PASS, ""
    else:
        outcome, why = Outcome.FAIL if share < wrong else Outcome.INCONCLUSIVE, reason
    accept = f"at least {say(accepted, 'ratio')}"
    return figures.stated(name, share, unit="ratio", samples=samples, accept=accept, outcome=outcome, reason=why)


def _rates(run: Run, hpa: Autoscaler, metric: ScalingMetric, trace: Trace) -> _Rates:
    frame, window_s = run.requests, float(hpa.metric_window)
    answered = ~is_word(frame["region_served"], "")
    if trace.region is not None:
        answered &= is_word(frame["region_served"], trace.region)
    sent_s, shed = column(frame, "sent_s")[answered], is_word(frame["outcome"], Ending.SHED)[answered]
    steady = _steady(run, metric, trace, settling_s=2 * window_s + float(hpa.sync_period))
    at_s = np.array([sync.at_s for sync in steady])
    seen = [(reading.value or 0) * reading.counted for sync in steady for reading in [sync.seen.readings[metric.name]]]
    return _Rates(
        seen=np.array(seen, dtype=np.float64) * resolution_of(metric),
        arrived=_per_s(np.sort(sent_s), at_s, window_s),
        shed=_per_s(np.sort(sent_s[shed]), at_s, window_s),
    )


def _per_s(sorted_s: Floats, at_s: Floats, window_s: float) -> Floats:
    count = np.searchsorted(sorted_s, at_s) - np.searchsorted(sorted_s, at_s - window_s)
    result: Floats = count / window_s
    return result


def _steady(run: Run, metric: ScalingMetric, trace: Trace, *, settling_s: float) -> list[Sync]:
    """Syncs under load for which neither the planned rate nor the pods had changed for so long."""
    found: list[Sync] = []
    counted, since_s = 0, -math.inf
    for sync in trace.syncs:
        reading = sync.seen.readings[metric.name]
        whole = reading.value is not None and not reading.missing and not reading.unready
        if not whole or reading.counted != counted:
            counted, since_s = reading.counted if whole else 0, sync.at_s
        if sync.at_s - since_s >= settling_s:
            found.append(sync)
    at_s = np.array([sync.at_s for sync in found])
    steady = windows.outside(_unsteady(run, settling_s), at_s)
    return [sync for sync, kept in zip(found, steady, strict=True) if kept]


def _unsteady(run: Run, settling_s: float) -> list[Window]:
    """When the planned rate changes or has just changed, and when there is no load."""
    changing_s = [
        (segment.start_s, segment.end_s) for segment in run.plan.rate if segment.from_per_s != segment.to_per_s
    ]
    changing_s += [
        (after.start_s, after.start_s)
        for before, after in pairwise(run.plan.rate)
        if before.to_per_s != after.from_per_s
    ]
    edges = [(-math.inf, 0.0), *changing_s, (windows.end_of_load_s(run), math.inf)]
    return [Window(name="unsteady", start_s=from_s, end_s=to_s + settling_s) for from_s, to_s in edges]
