"""The overload that each request met, and the share that the promise sheds at it. Pure arithmetic, no judgement.

Overload is the rate of arrivals at one replica, over the promise's window, by its target rate. Clients know which
replica answered; requests that nobody answered are split evenly among the replicas of the run.
"""

from dataclasses import dataclass

import numpy as np

from harness.record import rows
from harness.record.reader import Run
from harness.target.promises import SheddingPromise
from harness.verify import windows
from harness.verify.windows import Bools, Floats, column, is_word

HIGHEST_PRIORITY = 1  # never shed, whatever a formula says


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """For each request of the record: the overload of the replica that answered it; NaN where none did."""

    overload: Floats


def of_requests(run: Run, promise: SheddingPromise) -> Load:
    frame = run.requests
    sent_s, level = column(frame, "sent_s"), column(frame, "level")
    sent = frame["sent_ns"].to_numpy() != rows.NOT_SENT_NS
    replicas = windows.services_with_role(run, "api")
    answered = {replica: is_word(frame["served_by"], replica) & sent for replica in replicas}
    by_nobody = sent & ~np.logical_or.reduce([*answered.values(), np.zeros(len(frame), dtype=bool)])
    stray_s = np.sort(sent_s[by_nobody])
    overload = np.full(len(frame), np.nan)
    for mine in answered.values():
        judged = mine & (level >= 0)
        rate = _rate(sent_s, mine, judged, promise.rate_window)
        rate += _strays(stray_s, sent_s[judged], promise.rate_window) / max(1, len(replicas))
        target = np.full(len(rate), float(promise.target_rate_per_replica))
        target[level[judged] >= promise.emergency_from] *= promise.emergency_share
        overload[judged] = rate / target
    return Load(overload=overload)


def promised_ratio(promise: SheddingPromise, overload: Floats, priority: Floats) -> Floats:
    """The curve at each request's overload and priority."""
    chance = np.zeros(len(overload))
    for value in np.unique(priority):
        mine = priority == value
        chance[mine] = _ratio(promise, overload[mine], int(value))
    chance[overload <= promise.cut_off_below] = 0.0
    return np.clip(chance, 0.0, float(promise.cap))


def ever_shed(promise: SheddingPromise, priority: int) -> bool:
    """Whether the promise sheds this priority at any overload."""
    far = np.array([1.5, 2.0, 10.0, 100.0])
    return bool(_ratio(promise, far, priority).max() > 0)


def _ratio(promise: SheddingPromise, overload: Floats, priority: int) -> Floats:
    if promise.policy == "formula":
        if priority == HIGHEST_PRIORITY:
            return np.zeros(len(overload))
        return np.maximum(overload - 1.0, 0.0) * 0.5 * (1 + (priority - 1) / 3)
    points = sorted((float(at), float(by.get(str(priority), 0.0))) for at, by in promise.curve.items())
    x = np.array([1.0, *(at for at, _ in points)])
    y = np.array([0.0, *(ratio for _, ratio in points)])
    slope = (y[-1] - y[-2]) / (x[-1] - x[-2]) if len(x) > 1 else 0.0
    result: Floats = np.interp(overload, x, y) + np.maximum(overload - x[-1], 0.0) * slope
    return result


def _rate(sent_s: Floats, mine: Bools, judged: Bools, window_s: float) -> Floats:
    """Arrivals in the window that ends with each judged request, itself included, per second."""
    arrivals_s = np.sort(sent_s[mine])
    at_s = sent_s[judged]
    return _count(arrivals_s, at_s, window_s) / window_s


def _strays(arrivals_s: Floats, at_s: Floats, window_s: float) -> Floats:
    return _count(arrivals_s, at_s, window_s) / window_s


def _count(arrivals_s: Floats, at_s: Floats, window_s: float) -> Floats:
    until = np.searchsorted(arrivals_s, at_s, side="right")
    since = np.searchsorted(arrivals_s, at_s - window_s, side="right")
    result: Floats = (until - since).astype(np.float64)
    return result
