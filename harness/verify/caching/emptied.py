"""What was asked for after a fault had emptied a cache.

From when the cache can be used again: while nothing can be stored, making things again is all that is left.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from harness.experiment.expectations.caching import CachingCheck
from harness.record.reader import Run
from harness.target.promises import CachingPromise
from harness.verify import windows
from harness.verify.caching.counters import growth
from harness.verify.windows import FaultWindow, Window

Mask = NDArray[np.bool_]

OVER_BY_THEMSELVES = ("restart", "crash", "out_of_memory")  # once the service is healthy again, with an empty memory
EMPTYING = (*OVER_BY_THEMSELVES, "kill", "destroy", "stop")
CACHES = ("redis",)  # roles of services that have nothing left after that


@dataclass(frozen=True, slots=True, kw_only=True)
class Emptied:
    """`doubt` says why there is no window."""

    run: Run
    promise: CachingPromise
    window: Window | None
    doubt: str

    def asked(self, kind: str) -> Mask:
        """Requests of that kind that were sent in the window."""
        frame = self.run.requests
        if self.window is None:
            return np.zeros(len(frame), dtype=np.bool_)
        sent = self.window.holds(frame["sent_s"].to_numpy(dtype=np.float64))
        return sent & windows.is_word(frame["route"], self.promise.kinds[kind])

    def missed(self, kind: str) -> pd.DataFrame:
        """Those whose answer no cache had."""
        no_cache = windows.is_word(self.run.requests["cache"], *self.promise.made, *self.promise.joined)
        return self.run.requests[self.asked(kind) & no_cache]


def after_emptying(run: Run, check: CachingCheck, promise: CachingPromise) -> Emptied:
    """After the first fault that empties one."""
    window, doubt = _window(run, check)
    return Emptied(run=run, promise=promise, window=window, doubt=doubt)


def _window(run: Run, check: CachingCheck) -> tuple[Window | None, str]:
    emptied = [fault for fault in windows.fault_windows(run) if _empties(run, fault)]
    if not emptied:
        return None, "no fault emptied a cache"
    fault = emptied[0]
    start_s = fault.in_effect_s if fault.kind in OVER_BY_THEMSELVES else fault.revert_s
    if start_s is None or not fault.confirmed:
        return None, "nobody knows when the emptied cache was back"
    lookups = growth(run, run.plan.target.metrics.cache_requests, "result")
    away = (lookups["word"] == "unavailable").to_numpy() & (lookups["count"].to_numpy() > 0)
    away_s = lookups["at_s"].to_numpy(dtype=np.float64)[away]
    near = Window(name="", start_s=start_s, end_s=start_s + check.builds_within)
    start_s = float(away_s[near.holds(away_s)].max(initial=start_s))
    window = Window(name="emptied", start_s=start_s, end_s=start_s + check.builds_within)
    if (window.holds(away_s) & (away_s > start_s)).any():
        return None, f"{check.builds_within} after the fault the emptied cache could not be used for as long as that"
    return window, ""


def _empties(run: Run, fault: FaultWindow) -> bool:
    service = run.plan.target.services.get(fault.attacked)
    return fault.kind in EMPTYING and service is not None and service.role in CACHES
