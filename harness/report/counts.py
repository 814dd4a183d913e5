"""Counts, rates and latency percentiles of a run's requests, whole and by phase, priority and operation.

Columns are turned into plain arrays once, so that a million rows take a fraction of a second. What is good, bad and
timed is what objectives mean by it (`verify.slo`): latency counts from the scheduled time, over requests answered as
asked, and one given up without an answer is slower than any. A percentile with too few samples is absent, not guessed.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.record.rows import LEVEL_UNKNOWN, Outcome
from harness.verify import slo
from harness.verify.statistics import min_samples

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]

OUTCOMES = tuple(Outcome)
ERRORS = slo.BAD  # what an objective's error ratio counts; shed and disabled are refusals

QUANTILES = (0.5, 0.95, 0.99, 0.999)


@dataclass(frozen=True, slots=True, kw_only=True)
class Columns:
    """The columns of the requests that a report looks at, one array each; times in seconds of run time."""

    scheduled_s: Floats
    sent_s: Floats
    latency_s: Floats  # infinite where the request was given up without an answer
    timed: Mask  # those that a percentile is about: answered as asked, or given up
    outcome: Ints  # index in OUTCOMES
    error: Ints  # index in `errors`
    errors: tuple[str, ...]
    priority: Ints
    operation: Ints  # index in `operations`
    operations: tuple[str, ...]
    level: Ints  # LEVEL_UNKNOWN where no answer came

    def are(self, *outcomes: Outcome) -> Mask:
        mask: Mask = np.isin(self.outcome, [OUTCOMES.index(outcome) for outcome in outcomes])
        return mask


def columns_of(requests: pd.DataFrame) -> Columns:
    outcome, words = _codes(requests, "outcome")
    place = np.array([OUTCOMES.index(Outcome(word)) for word in words], dtype=np.int64)
    error, errors = _codes(requests, "error")
    operation, operations = _codes(requests, "operation")
    given_up = np.isin(error, [errors.index(word) for word in slo.GIVEN_UP if word in errors])
    endings = place[outcome] if len(outcome) else outcome
    return Columns(
        scheduled_s=_floats(requests, "scheduled_s"),
        sent_s=_floats(requests, "sent_s"),
        latency_s=np.where(given_up, np.inf, _floats(requests, "latency_s")),
        timed=(endings == OUTCOMES.index(Outcome.OK)) | given_up,
        outcome=endings,
        error=error,
        errors=errors,
        priority=_ints(requests, "priority"),
        operation=operation,
        operations=operations,
        level=_ints(requests, "level"),
    )


def _floats(frame: pd.DataFrame, name: str) -> Floats:
    return frame[name].to_numpy(dtype=np.float64, na_value=np.nan) if name in frame else np.empty(0)


def _ints(frame: pd.DataFrame, name: str) -> Ints:
    if name not in frame:
        return np.empty(0, dtype=np.int64)
    return frame[name].to_numpy(dtype=np.int64, na_value=LEVEL_UNKNOWN)


def _codes(frame: pd.DataFrame, name: str) -> tuple[Ints, tuple[str, ...]]:
    """A column of words as indices in the words that occur, sorted."""
    if name not in frame or not len(frame):
        return np.empty(0, dtype=np.int64), ()
    codes, words = pd.factorize(frame[name], sort=True)
    return codes.astype(np.int64), tuple(str(word) for word in words)


@dataclass(frozen=True, slots=True, kw_only=True)
class Percentiles:
    """Latency percentiles in seconds; None where too few samples say nothing, infinite where there was no answer."""

    samples: int
    p50_s: float | None
    p95_s: float | None
    p99_s: float | None
    p999_s: float | None


def percentiles(latency_s: Floats) -> Percentiles:
    """Order statistics: the smallest recorded value that at least the asked share of samples does not exceed."""
    values = latency_s[~np.isnan(latency_s)]
    n = len(values)
    wanted = {p: rank(p, n) for p in QUANTILES if n >= min_samples(p)}
    placed = np.partition(values, sorted(set(wanted.values()))) if wanted else values
    at = {p: float(placed[place]) for p, place in wanted.items()}
    return Percentiles(samples=n, p50_s=at.get(0.5), p95_s=at.get(0.95), p99_s=at.get(0.99), p999_s=at.get(0.999))


def rank(p: float, n: int) -> int:
    """Zero-based place of the quantile among n sorted samples."""
    return max(0, int(np.ceil(p * n - 1e-9)) - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """Some of the requests: how many were offered and how they ended, over `seconds` of offered load."""

    name: str
    seconds: float
    offered: int
    good: int
    outcomes: dict[Outcome, int]
    latency: Percentiles

    @property
    def errors(self) -> int:
        return sum(self.outcomes[outcome] for outcome in ERRORS)

    def per_s(self, many: int) -> float | None:
        return many / self.seconds if self.seconds > 0 else None

    def share(self, many: int) -> float | None:
        return many / self.offered if self.offered else None

    @property
    def late(self) -> int:
        """Answered as asked, but not in time."""
        return self.outcomes[Outcome.OK] - self.good

    @property
    def shed(self) -> int:
        return self.outcomes[Outcome.SHED]

    @property
    def disabled(self) -> int:
        return self.outcomes[Outcome.DISABLED]


def good_mask(columns: Columns, within_s: float) -> Mask:
    """Answered as asked, and in time from the scheduled instant."""
    mask: Mask = columns.are(Outcome.OK) & (columns.latency_s <= within_s)
    return mask


def slice_of(columns: Columns, mask: Mask, good: Mask, *, name: str, seconds: float) -> Slice:
    many = np.bincount(columns.outcome[mask], minlength=len(OUTCOMES))
    return Slice(
        name=name,
        seconds=seconds,
        offered=int(mask.sum()),
        good=int((mask & good).sum()),
        outcomes={outcome: int(many[place]) for place, outcome in enumerate(OUTCOMES)},
        latency=percentiles(columns.latency_s[mask & columns.timed]),
    )
