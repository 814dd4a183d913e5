"""How old answers from each layer were, by what they say themselves (`Age`), against what the layer promises.

An age is in whole seconds, cut off or rounded up by who writes it, so a second more than promised proves nothing.
"""

from collections.abc import Iterator

import numpy as np

from harness.record.reader import Run
from harness.record.rows import NO_AGE, Outcome
from harness.target.target import CacheLayer
from harness.verify import figures, windows
from harness.verify.figures import say
from harness.verify.statistics import empirical_quantile
from harness.verify.verdict import Evidence, Figure

ROUNDING_S = 1.0
SHOWN = 2


def figures_of(run: Run, layer: CacheLayer, *, asked: bool, evidence: list[Evidence]) -> Iterator[Figure]:
    """Too old answers and the p99 of ages. That none of its answers has an age is a doubt if it was `asked` for."""
    frame = run.requests
    mine = windows.is_word(frame["cache"], layer.layer) & windows.is_word(frame["outcome"], Outcome.OK)
    aged = frame.loc[mine & (frame["age_s"].to_numpy() != NO_AGE)]
    oldest_s = float(layer.ttl + layer.stale_for)
    name = f"answers from {layer.layer} older than {say(oldest_s, 's')}"
    if aged.empty:
        if asked:
            yield figures.unknown(name, unit="", accept="0", reason="no answer from it said how old it was")
        return
    ages_s = np.sort(aged["age_s"].to_numpy(dtype=np.float64))
    old = aged.loc[aged["age_s"].to_numpy() > oldest_s + ROUNDING_S]
    for at_s, operation, age_s in old[["finished_s", "operation", "age_s"]].head(SHOWN).itertuples(index=False):
        sentence = f"{operation} was answered from {layer.layer} with what was {age_s} s old."
        evidence.append(Evidence(at_s=float(at_s), sentence=sentence, source="requests"))
    reason = f"the oldest was {ages_s[-1]:.0f} s old"
    yield figures.never(name, len(old), len(aged), reason=reason)
    p99_s = empirical_quantile(ages_s, 0.99)
    if p99_s is not None:
        yield figures.reported(f"p99 of the ages of answers from {layer.layer}", p99_s, unit="s", samples=len(aged))
