"""The signals of a runbook, measured over stretches of time from samples of metrics, recorded or just scraped.

What no service shows is None, never 0: a metric that is missing must not look like one that is well. A counter whose
service restarted begins anew, and one that appears later than its service began with nothing. No bound is known here.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
import pandas as pd

from harness.record.reader import Run
from harness.target.runbook import GaugeSignal, QuotientSignal, RateSignal, Runbook, Signal, Take
from harness.target.target import ServiceSpec, TargetSpec
from harness.verify import windows
from harness.verify.windows import Floats, Ints, Window, is_word


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Samples (columns at_s, service, metric, labels, value), whose services count, and the stretch that is looked at.
    `usual` is what a signal is compared with: its samples and its stretch."""

    samples: pd.DataFrame
    stretch: Window
    usual: tuple[pd.DataFrame, Window] | None


def evidence_of(run: Run) -> Evidence:
    """Of a record: all after the warm-up, beside the baseline."""
    warm_up, baseline = (windows.phase_window(run.plan, name) for name in ("warm_up", "baseline"))
    start_s = warm_up.end_s if warm_up else 0.0
    stretch = Window(name="run", start_s=start_s, end_s=max(start_s, windows.end_of_load_s(run)))
    return Evidence(samples=run.metrics, stretch=stretch, usual=None if baseline is None else (run.metrics, baseline))


@dataclass(frozen=True, slots=True)
class _Track:
    """Instants and what belongs to each: a gauge's value, or by how much a counter had risen since its last sample; and
    the number of the series that it is of. All are scraped equally often while they are there."""

    at_s: Floats
    value: Floats
    series: Ints

    def within(self, window: Window) -> slice:
        first, last = np.searchsorted(self.at_s, (window.start_s, window.end_s))
        return slice(int(first), int(last))

    def taken(self, take: Take, window: Window) -> float | None:
        within = self.within(window)
        seen = self.value[within]
        if not len(seen):
            return None
        match take:
            case Take.MAX:
                return float(seen.max())
            case Take.MEAN:
                return float(seen.mean())
            case Take.MIN:
                return float(seen.min())
            case Take.SUM:
                scrapes = np.bincount(self.series[within]).max()
                return float(seen.sum() / scrapes)

    def per_s(self, window: Window) -> float | None:
        """Over the part of the window that there are samples of."""
        seen = self.value[self.within(window)]
        if not len(seen):
            return None
        covered_s = float(min(window.end_s, self.at_s[-1]) - max(window.start_s, self.at_s[0]))
        return float(seen.sum()) / covered_s if covered_s > 0 else None


class Signals:
    """Of one region: `value("redis_hit_ratio", window)`, or None where nobody knows."""

    def __init__(self, samples: pd.DataFrame, runbook: Runbook, services: Mapping[str, ServiceSpec]) -> None:
        self._samples = samples.loc[is_word(samples["service"], *services)]
        began_s = self._samples.groupby("service", observed=True)["at_s"].min()
        self._began_s = {str(service): float(at_s) for service, at_s in began_s.items()}
        self._signals = runbook.signals
        self._services = services
        self._track = cache(self._track_of)

    def value(self, name: str, window: Window) -> float | None:
        match self._signals[name]:
            case QuotientSignal() as quotient:
                of, by = self.value(quotient.of, window), self.value(quotient.by, window)
                return None if of is None or by is None or by <= quotient.by_above else of / by
            case GaugeSignal() as gauge:
                return self._track(name).taken(gauge.take, window)
            case RateSignal():
                return self._track(name).per_s(window)

    def _track_of(self, name: str) -> _Track:
        signal = self._signals[name]
        assert not isinstance(signal, QuotientSignal)
        shown = self._samples.loc[is_word(self._samples["metric"], signal.metric)]
        if signal.role is not None:
            mine = [service for service, spec in self._services.items() if spec.role == signal.role]
            shown = shown.loc[is_word(shown["service"], *mine)]
        by_series = shown.groupby(["service", "labels"], observed=True, sort=True)
        pieces = [
            _piece(signal, str(labels), series, began_s=self._began_s[str(service)])
            for (service, labels), series in by_series
        ]
        at_s = np.concatenate([np.empty(0), *(piece_s for piece_s, _ in pieces)])
        value = np.concatenate([np.empty(0), *(values for _, values in pieces)])
        number = np.repeat(np.arange(len(pieces)), [len(piece_s) for piece_s, _ in pieces])
        order = np.argsort(at_s, kind="stable")
        return _Track(at_s[order], value[order], number[order])


def _piece(signal: Signal, labels: str, series: pd.DataFrame, *, began_s: float) -> tuple[Floats, Floats]:
    """One series' part. A counter's other labels say that it is shown, and that these were not counted."""
    assert not isinstance(signal, QuotientSignal)
    ordered = series.sort_values("at_s", kind="stable")
    at_s, value = ordered["at_s"].to_numpy(dtype=np.float64), ordered["value"].to_numpy(dtype=np.float64)
    meant = all(windows.label(labels, name) == word for name, word in signal.where.items())
    known = np.isfinite(value)
    at_s, value = at_s[known], value[known]
    if isinstance(signal, GaugeSignal) or not len(value):
        return (at_s, value) if meant else (at_s[:0], value[:0])
    rise = np.diff(value, prepend=0.0 if at_s[0] > began_s else value[:1])
    rise = np.where(rise < 0, value, rise)
    return at_s, rise if meant else np.zeros(len(rise))


def services_of(target: TargetSpec, region: str) -> dict[str, ServiceSpec]:
    return {name: service for name, service in target.services.items() if service.region == region}
