"""What a run's timeline shows: rates, latency, levels and shed ratios second by second.

Aggregated once, per second of *scheduled* time, so that the lines of one second add up to what was offered in it; runs
of many hours get wider bins (rates stay per second). A quantile of a bin with too few samples is a gap in the line.
"""

from dataclasses import dataclass

import numpy as np

from harness.record.reader import Run
from harness.record.rows import LEVEL_UNKNOWN, Outcome
from harness.report.counts import ERRORS, Columns, Floats, Ints, Mask
from harness.verify import level_trace, overload
from harness.verify.ladder import demanded_level
from harness.verify.level_trace import LevelTrace
from harness.verify.statistics import min_samples

MOST_BINS = 7200  # two hours by the second; more points than that no screen can show
QUANTILE_BINS_S = (1, 2, 5, 10, 30, 60)  # how far a quantile's bins are widened to have samples enough
SHARE_WITH_QUANTILE = 0.9  # of the bins, before a width is good enough


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of the timeline; NaN is a gap."""

    at_s: Floats
    value: Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantile:
    """A latency quantile over bins of `bin_s` seconds; its line has a point for each bin of the timeline."""

    p: float
    bin_s: float
    line: Line


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelLines:
    """The degradation level by who tells it: the answers (most, lowest and highest of a second), each controller, and
    what that controller's own inputs called for at that moment."""

    shown: Line
    lowest: Line
    highest: Line
    controllers: dict[str, Line]
    called_for: dict[str, Line]


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """All lines of the timeline; rates in requests a second, times in seconds of run time."""

    bin_s: float
    end_s: float
    rates: dict[str, Line]  # offered, achieved, good, late, shed, disabled, errors
    quantiles: tuple[Quantile, ...]
    slowest: Line
    levels: LevelLines
    shed_ratio: dict[int, Line]  # by priority
    shed_promised: dict[int, Line]


def series_of(run: Run, columns: Columns, good: Mask, *, end_s: float) -> Series:
    """Aggregate everything that the timeline draws; `end_s` is how far the record reaches."""
    bin_s = float(max(1, int(np.ceil(end_s / MOST_BINS))))
    grid = _grid(end_s, bin_s)
    bins = _bins(columns.scheduled_s, bin_s, len(grid))
    return Series(
        bin_s=bin_s,
        end_s=end_s,
        rates=_rates(columns, good, bins, grid, bin_s),
        quantiles=tuple(_quantile(columns, p, grid, bin_s) for p in (0.5, 0.95, 0.99)),
        slowest=_slowest(columns, bins, grid),
        levels=_levels(run, columns, bins, grid),
        shed_ratio=_shed_ratios(columns, bins, grid),
        shed_promised=_promised_ratios(run, columns, bins, grid),
    )


def _grid(end_s: float, bin_s: float) -> Floats:
    """The start of each bin."""
    return np.arange(max(1, int(np.ceil(end_s / bin_s))), dtype=np.float64) * bin_s


def _bins(at_s: Floats, bin_s: float, many: int) -> Ints:
    """The bin of each instant; those that never came (NaN) or lie outside get -1."""
    finite = np.isfinite(at_s)
    bins = np.floor(np.where(finite, at_s, -1.0) / bin_s).astype(np.int64)
    return np.where((bins >= 0) & (bins < many), bins, -1)


def _tally(bins: Ints, mask: Mask, many: int) -> Floats:
    return np.bincount(bins[mask & (bins >= 0)], minlength=many).astype(np.float64)


def _rates(columns: Columns, good: Mask, bins: Ints, grid: Floats, bin_s: float) -> dict[str, Line]:
    everything = np.ones(len(bins), dtype=np.bool_)
    sent = everything & ~columns.are(Outcome.NOT_SENT)
    sent_bins = _bins(columns.sent_s, bin_s, len(grid))
    tallies = {
        "offered": _tally(bins, everything, len(grid)),
        "achieved": _tally(sent_bins, sent, len(grid)),
        "good": _tally(bins, good, len(grid)),
        "late": _tally(bins, columns.are(Outcome.OK) & ~good, len(grid)),
        "shed": _tally(bins, columns.are(Outcome.SHED), len(grid)),
        "disabled": _tally(bins, columns.are(Outcome.DISABLED), len(grid)),
        "errors": _tally(bins, columns.are(*ERRORS), len(grid)),
    }
    return {name: Line(at_s=grid, value=tally / bin_s) for name, tally in tallies.items()}


# --- latency --------------------------------------------------------------------------------------------------------


def _quantile(columns: Columns, p: float, grid: Floats, bin_s: float) -> Quantile:
    """The quantile over the narrowest bins that mostly have the samples it needs; infinite where nobody answered."""
    at_s, latency_s = columns.scheduled_s[columns.timed], columns.latency_s[columns.timed]
    end_s = float(grid[-1]) + bin_s
    chosen = Quantile(p=p, bin_s=bin_s, line=Line(at_s=np.empty(0), value=np.empty(0)))
    for width_s in (float(width) for width in QUANTILE_BINS_S if width >= bin_s):
        many = int(np.ceil(end_s / width_s))
        bins = _bins(at_s, width_s, many)
        occupied = np.bincount(bins[bins >= 0], minlength=many)
        enough = occupied >= min_samples(p)
        if enough.any():
            value = np.where(enough, _quantiles_by_bin(bins, latency_s, p, occupied), np.nan)
            chosen = Quantile(p=p, bin_s=width_s, line=Line(at_s=grid, value=value[_bins(grid, width_s, many)]))
        if enough.sum() >= SHARE_WITH_QUANTILE * max(1, int((occupied > 0).sum())):
            break
    return chosen


def _quantiles_by_bin(bins: Ints, value: Floats, p: float, occupied: Ints) -> Floats:
    inside = bins >= 0
    ordered = value[inside][np.lexsort((value[inside], bins[inside]))]
    start = np.concatenate(([0], np.cumsum(occupied)[:-1]))
    place = start + np.maximum(0, np.ceil(p * occupied - 1e-9).astype(np.int64) - 1)
    return np.where(occupied > 0, ordered[np.minimum(place, max(0, len(ordered) - 1))], np.nan)


def _slowest(columns: Columns, bins: Ints, grid: Floats) -> Line:
    answered = columns.are(Outcome.OK) & (bins >= 0)  # given up is not slow but without an answer
    slowest = np.full(len(grid), -np.inf)
    np.maximum.at(slowest, bins[answered], columns.latency_s[answered])
    return Line(at_s=grid, value=np.where(np.isfinite(slowest), slowest, np.nan))


# --- levels ---------------------------------------------------------------------------------------------------------


def _levels(run: Run, columns: Columns, bins: Ints, grid: Floats) -> LevelLines:
    shown, lowest, highest = _levels_shown(columns, bins, grid)
    traces = level_trace.traces_of(run)
    return LevelLines(
        shown=shown,
        lowest=lowest,
        highest=highest,
        controllers={trace.service: Line(at_s=trace.at_s, value=trace.level) for trace in traces},
        called_for={trace.service: line for trace in traces if (line := _called_for(run, trace)) is not None},
    )


def _levels_shown(columns: Columns, bins: Ints, grid: Floats) -> tuple[Line, Line, Line]:
    """The level that most answers of a second carried, and the lowest and highest that any carried."""
    known = (columns.level > LEVEL_UNKNOWN) & (bins >= 0)
    levels = int(columns.level[known].max()) + 1 if known.any() else 1
    tally = np.zeros((len(grid), levels), dtype=np.int64)
    np.add.at(tally, (bins[known], columns.level[known]), 1)
    answered = tally.sum(axis=1) > 0
    present = tally > 0

    def line(level: Ints) -> Line:
        return Line(at_s=grid, value=np.where(answered, level.astype(np.float64), np.nan))

    return (
        line(tally.argmax(axis=1)),
        line(present.argmax(axis=1)),
        line(levels - 1 - present[:, ::-1].argmax(axis=1)),
    )


def _called_for(run: Run, trace: LevelTrace) -> Line | None:
    """The worst level any of whose bounds the inputs of a scrape exceed: the promise without its hysteresis."""
    promise = level_trace.promise_of(run)
    if promise is None or trace.inputs.empty:
        return None
    levels = [demanded_level(promise, inputs) for inputs in _records(trace)]
    return Line(at_s=trace.at_s, value=np.array(levels, dtype=np.float64))


def _records(trace: LevelTrace) -> list[dict[str, float]]:
    return [{str(name): float(value) for name, value in row.items()} for row in trace.inputs.to_dict("records")]


# --- shedding -------------------------------------------------------------------------------------------------------


def _shed_ratios(columns: Columns, bins: Ints, grid: Floats) -> dict[int, Line]:
    """Shed over offered, by priority; requests never sent met no shedder and count on neither side."""
    shed, met = columns.are(Outcome.SHED), ~columns.are(Outcome.NOT_SENT)
    lines = {}
    for priority in sorted(int(value) for value in np.unique(columns.priority)):
        mine = columns.priority == priority
        offered = _tally(bins, mine & met, len(grid))
        ratio = np.divide(
            _tally(bins, mine & shed, len(grid)), offered, out=np.full(len(grid), np.nan), where=offered > 0
        )
        lines[priority] = Line(at_s=grid, value=ratio)
    return lines


def _promised_ratios(run: Run, columns: Columns, bins: Ints, grid: Floats) -> dict[int, Line]:
    """What the promised curve says at the overload that each second's requests met, by priority."""
    promise = run.plan.target.promises.shedding
    if promise is None or not len(run.requests):
        return {}
    met = overload.of_requests(run, promise).overload
    known = np.isfinite(met) & (bins >= 0)
    chance = np.zeros(len(met))
    chance[known] = overload.promised_ratio(promise, met[known], columns.priority[known].astype(np.float64))
    lines = {}
    for priority in sorted(int(value) for value in np.unique(columns.priority)):
        mine = known & (columns.priority == priority)
        if overload.ever_shed(promise, priority) and mine.any():
            many = np.bincount(bins[mine], minlength=len(grid)).astype(np.float64)
            total = np.bincount(bins[mine], weights=chance[mine], minlength=len(grid))
            ratio = np.divide(total, many, out=np.full(len(grid), np.nan), where=many > 0)
            lines[priority] = Line(at_s=grid, value=ratio)
    return lines
