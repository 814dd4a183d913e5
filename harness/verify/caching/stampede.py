"""How often one key was made anew after a cache had been emptied: once in each replica if it takes care, and once for
each request that meets the empty cache if it does not.

Counted from when the cache can be used again: while nothing can be stored, making things again is all that is left.
Keys are the pages that users asked for and got from no cache, as the profile names them. What was asked for and never
answered may have been made as well, each a key of its own.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from harness.experiment.expectations.caching import CachingCheck
from harness.record.reader import Run
from harness.record.rows import Outcome as Ending
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
        name, accept = f"builds of one key ({kind}) after the cache was emptied", f"at most {say(most, '')}"
        asked = _asked(run, promise, kind, window) if window else _Asked(keys=0, nameless=0, unanswered=0)
        why_not = doubt or _why_not(asked, is_counted=kind in set(builds["word"]))
        if window is None or why_not:
            yield figures.unknown(name, unit="", accept=accept, reason=why_not)
            continue
        made = counted(builds, window, kind)
        sentence = f"{made:,} builds of {asked.keys:,} keys ({kind}) in {window.length_s:.1f} s."
        evidence.append(Evidence(at_s=window.start_s, until_s=window.end_s, sentence=sentence, source="metrics"))
        if made > most * asked.keys and made <= most * (asked.keys + asked.unanswered):
            why_not = f"{made:,} were made, and {asked.unanswered:,} that were asked for were never answered"
            yield figures.unknown(name, unit="", accept=accept, reason=why_not)
        else:
            yield figures.bounded(
                name, made / asked.keys, most, unit="", samples=asked.keys, reason=f"{made:,} were made"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """Pages of one kind: keys that no cache had, answers of which nobody says what key, requests without an answer."""

    keys: int
    nameless: int
    unanswered: int


def _why_not(asked: _Asked, *, is_counted: bool) -> str:
    if asked.nameless:
        return f"the load profile does not name {asked.nameless:,} of the pages that no cache had"
    if asked.keys < FEWEST_KEYS:
        return f"{asked.keys} keys were asked for that no cache had, {FEWEST_KEYS} are needed"
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


def _asked(run: Run, promise: CachingPromise, kind: str, window: Window) -> _Asked:
    frame = run.requests
    mine = window.holds(frame["sent_s"].to_numpy(dtype=np.float64))
    mine &= windows.is_word(frame["route"], promise.kinds[kind])
    keys = frame["object"][mine & windows.is_word(frame["cache"], *promise.made)]
    unanswered = mine & windows.is_word(frame["outcome"], Ending.FAILED, Ending.UNKNOWN)
    return _Asked(
        keys=int(keys[keys != ""].nunique()), nameless=int((keys == "").sum()), unanswered=int(unanswered.sum())
    )
