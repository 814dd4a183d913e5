"""The share of what a layer was asked for that it had, by its own counters.

Why counters and not answers: an answer names the one layer that it came from. Which of the layers above were asked for
it is not said, and differs by route (a home timeline is never in a process), so from answers only the outermost layer's
ratio could be told. Whether the counters are true is not asked here.

A layer that had something too old to be fresh and showed it while it was made anew (`stale`) had it. One that could not
be reached (`unavailable`) was not asked. Where misses are not counted, or something is that is none of these, the ratio
is not known. Each region's is a cache of its own, which those of the others must not hide: it is judged beside all of
them where it was asked often enough.
"""

from collections.abc import Iterable

import numpy as np

from harness.record.reader import Run
from harness.target.promises import CacheLayer
from harness.verify import figures, statistics
from harness.verify.caching.counters import Growth, growth
from harness.verify.figures import Tested, say
from harness.verify.verdict import Figure
from harness.verify.windows import Window

HITS = ("hit", "stale")
MISS = "miss"
ASKED = (*HITS, MISS)
KNOWN = (*ASKED, "unavailable")
FEWEST = 200  # lookups: with fewer, a few cold keys are all that there is to see


def figures_of(run: Run, layers: Iterable[CacheLayer], window: Window) -> list[Figure]:
    tests, doubts = [], []
    for layer in layers:
        found = growth(run, run.plan.target.metrics.cache_requests, "result", where=f'layer="{layer.layer}"')
        test = _tested(layer, window, found)
        if why := _why_not(test, set(found["word"])):
            doubts.append(figures.unknown(test.name, unit="ratio", accept=test.accept, reason=why))
        else:
            tests += [test, *_by_region(run, layer, window, found)]
    return [*figures.decided(tests, figures.alpha_of(run.plan)), *doubts]


def _by_region(run: Run, layer: CacheLayer, window: Window, found: Growth) -> list[Tested]:
    services = run.plan.target.services
    region = np.array([services[service].region or "" for service in found["service"]], dtype=object)
    regions = sorted(set(region))
    apart = [_tested(layer, window, found[region == name], of=name) for name in regions] if regions[1:] else []
    return [test for test in apart if test.estimate.samples >= FEWEST]


def _why_not(test: Tested, words: set[str]) -> str:
    if test.estimate.samples < FEWEST:
        return f"it was asked {test.estimate.samples:,} times, {FEWEST} are needed"
    others = sorted(words - set(KNOWN))
    if others:
        return f"{', '.join(others)} is neither a hit nor a miss"
    return "" if MISS in words else "nobody counts what it did not have"


def _tested(layer: CacheLayer, window: Window, found: Growth, *, of: str = "") -> Tested:
    """Requests for one key follow each other and are hits together, so the interval is over blocks of time."""
    found = found[window.holds(found["at_s"].to_numpy(dtype=np.float64)) & found["word"].isin(ASKED)]
    count = found["count"].to_numpy(dtype=np.int64)
    return Tested(
        name=f"hit ratio of {layer.layer}{f' of {of}' if of else ''} in {window.name}",
        unit="ratio",
        estimate=statistics.block_share(
            np.repeat(found["at_s"].to_numpy(dtype=np.float64), count),
            np.repeat(found["word"].isin(HITS).to_numpy(dtype=bool), count),
            start_s=window.start_s,
            end_s=window.end_s,
        ),
        low=float(layer.hit_ratio),
        accept=f"at least {say(layer.hit_ratio, 'ratio')}",
    )
