"""What the autoscaler showed, sync by sync, as far as scrapes caught it. No judgement.

The samples of one scrape belong to one sync. When that was is known only to lie between this scrape and the one before,
which still showed an earlier number.
"""

import math
from collections.abc import Container, Hashable, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

from harness.experiment.expectations.autoscaler import Autoscaler, ScalingMetric
from harness.record.reader import Run
from harness.target.metrics import Metrics
from harness.verify import windows
from harness.verify.figures import at
from harness.verify.scaling.hpa import Observation, Reading, resolution_of
from harness.verify.windows import is_word

OF = "|"  # between a series' name and the metric it is of, if any; in neither of them
INVALID = math.inf  # instead of the NaN that a metric shows where it was invalid
ROUNDING = 1e-6  # of a resolution: 12.345 divided by 0.001 is a little less than 12345


@dataclass(frozen=True, slots=True, kw_only=True)
class Sync:
    """One sync: its number since the autoscaler was started, what it saw, what it decided."""

    number: int
    seen: Observation
    ready: int
    desired: int

    @property
    def at_s(self) -> float:
        """When a scrape first showed it; it was up to `seen.error_s` earlier."""
        return self.seen.at_s

    @property
    def change(self) -> int:
        return self.desired - self.seen.current


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """One autoscaler's syncs. `doubt` says why there are none, `silent_s` for how long scrapes showed no new one at
    most, `ends_early` what was shown no more where that was before the run ended, `missed` how many no scrape caught
    between the first and the last, `restarts` how often it began anew."""

    service: str
    region: str | None
    syncs: tuple[Sync, ...]
    silent_s: float = 0.0
    ends_early: str = ""
    doubt: str = ""

    @property
    def missed(self) -> int:
        return sum(unseen_between(before, after) for before, after in pairwise(self.syncs))

    @property
    def restarts(self) -> int:
        return sum(restarted(before, after) for before, after in pairwise(self.syncs))


def restarted(before: Sync, after: Sync) -> bool:
    return after.number <= before.number


def unseen_between(before: Sync, after: Sync) -> int:
    """How many syncs no scrape caught between two that were; an autoscaler that was started again counts from 1."""
    return after.number - 1 if restarted(before, after) else after.number - before.number - 1


def traces_of(run: Run, hpa: Autoscaler) -> list[Trace]:
    """One for each controller that shows an autoscaler's syncs; `hpa` is in the system's scale."""
    names, services = run.plan.target.metrics, run.plan.target.services
    return [
        _trace(name, services[name].region, table, hpa, names, end_s=windows.end_of_run_s(run))
        for name in windows.services_with_role(run, "controller")
        if not (table := _table(run, name, names)).empty
    ]


def _table(run: Run, service: str, names: Metrics) -> pd.DataFrame:
    """One row per scrape that shows a sync (index: at_s), one column per series; NaN is what was not shown."""
    own = (names.autoscaler_syncs, *_gauges(names), names.autoscaler_metric, *_counts(names))
    frame = run.metrics
    frame = frame[is_word(frame["service"], service) & is_word(frame["metric"], *own)]
    invalid = is_word(frame["metric"], names.autoscaler_metric) & frame["value"].isna()
    words = frame["labels"].astype(str).map(lambda labels: windows.label(labels, "metric"))
    series = frame["metric"].astype(str).str.cat(words, sep=OF)
    table = frame.assign(series=series, value=frame["value"].mask(invalid, INVALID)).pivot_table(
        index="at_s", columns="series", values="value", aggfunc="last", dropna=False
    )
    number = table.get(names.autoscaler_syncs + OF)
    return pd.DataFrame() if number is None else table[number >= 1]


def _trace(
    service: str, region: str | None, table: pd.DataFrame, hpa: Autoscaler, names: Metrics, *, end_s: float
) -> Trace:
    absent = _absent(table, hpa, names)
    if absent:
        return Trace(service=service, region=region, syncs=(), doubt=f"no scrape of {service} shows {absent}")
    at_s, number = table.index.to_numpy(dtype=np.float64), table[names.autoscaler_syncs + OF].to_numpy()
    first = np.flatnonzero(np.r_[True, np.diff(number) != 0])  # of the scrapes that show the same sync
    last = np.r_[first[1:] - 1, len(number) - 1]
    gap_s = np.r_[float(hpa.sync_period), np.diff(at_s)]
    found = [
        _sync(samples, at_s=float(at_s[place]), error_s=float(gap_s[place]), hpa=hpa, names=names)
        for place, samples in zip(first, table.iloc[first].to_dict("records"), strict=True)
    ]
    syncs = tuple(sync for sync in found if sync is not None)
    whole_s = [float(at_s[place]) for place, sync in zip(last, found, strict=True) if sync is not None]
    until_s = max(whole_s, default=end_s)
    gone = "" if end_s - until_s <= windows.UNSEEN_S else _gone(table[at_s > until_s], hpa, names)
    return Trace(
        service=service,
        region=region,
        syncs=syncs,
        silent_s=float((at_s[last] - at_s[first]).max()),
        ends_early=f"no scrape of {service} shows {gone} after {at(until_s)}" if gone else "",
        doubt="" if syncs else f"no scrape of {service} shows a whole sync",
    )


def _absent(table: pd.DataFrame, hpa: Autoscaler, names: Metrics) -> str:
    """The first series that never appears; without it nothing can be predicted."""
    for name in _gauges(names):
        if name + OF not in table:
            return name
    for metric in hpa.metrics:
        if names.autoscaler_metric + OF + metric.name not in table:
            return f"{names.autoscaler_metric} of {metric.name}"
        for name in _counts(names):
            if _count_of(table.columns, name, metric) is None:
                return name
    return ""


def _gone(table: pd.DataFrame, hpa: Autoscaler, names: Metrics) -> str:
    """What these scrapes, of which none shows a whole sync, do not show."""
    return "a sync" if table.empty else _absent(table.dropna(axis=1, how="all"), hpa, names) or "a whole sync"


def _sync(
    samples: Mapping[Hashable, float], *, at_s: float, error_s: float, hpa: Autoscaler, names: Metrics
) -> Sync | None:
    """None where the scrape lacks what a prediction needs, so that the sync counts as missed."""
    current, desired, ready = (samples[name + OF] for name in _gauges(names))
    readings = {metric.name: _reading(samples, metric, names) for metric in hpa.metrics}
    known = {name: reading for name, reading in readings.items() if reading is not None}
    if math.isnan(current + desired + ready) or len(known) < len(readings):
        return None
    seen = Observation(at_s=at_s, error_s=error_s, current=int(current), readings=known)
    return Sync(number=int(samples[names.autoscaler_syncs + OF]), seen=seen, ready=int(ready), desired=int(desired))


def _reading(samples: Mapping[Hashable, float], metric: ScalingMetric, names: Metrics) -> Reading | None:
    """What was seen of a metric; None where it was not shown, or was valid and nobody knows over how many pods."""
    value = samples[names.autoscaler_metric + OF + metric.name]
    if math.isnan(value):
        return None
    if value == INVALID:
        return Reading(value=None, counted=0)
    pods = [samples[column] for name in _counts(names) if (column := _count_of(samples, name, metric)) is not None]
    if any(map(math.isnan, pods)):
        return None
    counted, missing, unready = map(int, pods)
    multiple = math.floor(value / resolution_of(metric) + ROUNDING)
    return Reading(value=multiple, counted=counted, missing=missing, unready=unready)


def _count_of(columns: Container[Hashable], name: str, metric: ScalingMetric) -> str | None:
    """The metric's own count of pods, or else the one for all metrics."""
    return next((column for column in (name + OF + metric.name, name + OF) if column in columns), None)


def _gauges(names: Metrics) -> tuple[str, str, str]:
    return names.autoscaler_current, names.autoscaler_desired, names.autoscaler_ready


def _counts(names: Metrics) -> tuple[str, str, str]:
    return names.autoscaler_counted, names.autoscaler_missing, names.autoscaler_unready
