"""How often one key was made anew after a cache had been emptied: once in each replica if it takes care, and once for
each request that meets the empty cache if it does not.

Counted from when the cache can be used again: while nothing can be stored, making things again is all that is left.
Keys are the pages that users asked for and got from no cache, as the profile names them.
"""

from collections.abc import Iterator

import numpy as np

from harness.experiment.expectations.caching import CachingCheck
from harness.record.reader import Run
from harness.target.promises import CachingPromise
from harness.verify import figures, windows
from harness.verify.caching.counters import counted, growth
from harness.verify.figures import say
from harness.verify.verdict import Evidence, Figure
from harness.verify.windows import FaultWindow, Window

OVER_BY_THEMSELVES = ("restart", "crash", "out_of_memory")  # once the service is healthy again, with an empty memory
EMPTYING = (*OVER_BY_THEMSELVES, "kill", "destroy")
CACHES = ("redis",)  # roles of services that have nothing left after that
FEWEST_KEYS = 10


def figures_of(run: Run, check: CachingCheck, promise: CachingPromise, evidence: list[Evidence]) -> Iterator[Figure]:
    if not check.builds_per_key:
        return
    window, doubt = _after_emptying(run, check)
    builds = growth(run, run.plan.target.metrics.cache_builds, "kind")
    for kind, most in check.builds_per_key.items():
        name = f"builds of one key ({kind}) after the cache was emptied"
        keys = _keys_made(run, promise, kind, window) if window else 0
        why_not = doubt or _why_not(keys, is_counted=kind in set(builds["word"]))
        if window is None or why_not:
            yield figures.unknown(name, unit="", accept=f"at most {say(most, '')}", reason=why_not)
            continue
        made = counted(builds, window, kind)
        sentence = f"{made:,} builds of {keys:,} keys ({kind}) in {window.length_s:.1f} s."
        evidence.append(Evidence(at_s=window.start_s, until_s=window.end_s, sentence=sentence, source="metrics"))
        yield figures.bounded(name, made / keys, most, unit="", samples=keys, reason=f"{made:,} were made")


def _why_not(keys: int, *, is_counted: bool) -> str:
    if keys < FEWEST_KEYS:
        return f"{keys} keys were asked for that no cache had, {FEWEST_KEYS} are needed"
    return "" if is_counted else "nobody counts what is made"


def _after_emptying(run: Run, check: CachingCheck) -> tuple[Window | None, str]:
    """From when the emptied cache could be used again; the first one of several."""
    emptied = [fault for fault in windows.fault_windows(run) if _empties(run, fault)]
    if not emptied:
        return None, "no fault emptied a cache"
    fault = emptied[0]
    start_s = fault.in_effect_s if fault.kind in OVER_BY_THEMSELVES else fault.revert_s
    if start_s is None or not fault.confirmed:
        return None, "nobody knows when the emptied cache was back"
    lookups = growth(run, run.plan.target.metrics.cache_requests, "result")
    away = (lookups["word"] == "unavailable").to_numpy() & (lookups["count"].to_numpy() > 0)
    near = Window(name="", start_s=start_s, end_s=start_s + check.builds_within)
    at_s = lookups["at_s"].to_numpy(dtype=np.float64)
    start_s = float(at_s[away & near.holds(at_s)].max(initial=start_s))
    return Window(name="emptied", start_s=start_s, end_s=start_s + check.builds_within), ""


def _empties(run: Run, fault: FaultWindow) -> bool:
    service = run.plan.target.services.get(fault.attacked)
    return fault.kind in EMPTYING and service is not None and service.role in CACHES


def _keys_made(run: Run, promise: CachingPromise, kind: str, window: Window) -> int:
    """Pages of the kind that users were shown and no cache had."""
    frame = run.requests
    sent = window.holds(frame["sent_s"].to_numpy(dtype=np.float64))
    made = windows.is_word(frame["cache"], *promise.made) & windows.is_word(frame["route"], promise.kinds[kind])
    keys = frame["object"][sent & made]
    return int(keys[keys != ""].nunique())
