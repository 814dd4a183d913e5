"""The share of what a layer was asked for that it had, by its own counters.

Why counters and not answers: an answer names the one layer that it came from. Which of the layers above were asked for
it is not said, and differs by route (a home timeline is never in a process), so from answers only the outermost layer's
ratio could be told. Whether the counters are true is not asked here.

A layer that had something too old to be fresh and showed it while it was made anew (`stale`) had it. One that could not
be reached (`unavailable`) was not asked.
"""

from collections.abc import Iterable

import numpy as np

from harness.record.reader import Run
from harness.target.promises import CacheLayer
from harness.verify import figures, statistics
from harness.verify.caching.counters import growth
from harness.verify.figures import Tested, say
from harness.verify.verdict import Figure
from harness.verify.windows import Window

HITS = ("hit", "stale")
ASKED = (*HITS, "miss")
FEWEST = 200  # lookups: with fewer, a few cold keys are all that there is to see


def figures_of(run: Run, layers: Iterable[CacheLayer], window: Window) -> list[Figure]:
    tests = [_tested(run, layer, window) for layer in layers]
    enough = [test for test in tests if test.estimate.samples >= FEWEST]
    return [
        *figures.decided(enough, figures.alpha_of(run.plan)),
        *(_too_few(test) for test in tests if test.estimate.samples < FEWEST),
    ]


def _tested(run: Run, layer: CacheLayer, window: Window) -> Tested:
    """Requests for one key follow each other and are hits together, so the interval is over blocks of time."""
    found = growth(run, run.plan.target.metrics.cache_requests, "result", where=f'layer="{layer.layer}"')
    found = found[window.holds(found["at_s"].to_numpy(dtype=np.float64)) & found["word"].isin(ASKED)]
    count = found["count"].to_numpy(dtype=np.int64)
    return Tested(
        name=f"hit ratio of {layer.layer} in {window.name}",
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


def _too_few(test: Tested) -> Figure:
    reason = f"it was asked {test.estimate.samples:,} times, {FEWEST} are needed"
    return figures.unknown(test.name, unit="ratio", accept=test.accept, reason=reason)
