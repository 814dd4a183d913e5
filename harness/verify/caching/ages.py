"""How long ago answers from each layer had been made, by what they say themselves (`Age`), against what it promises.

An age is in whole seconds, cut off or rounded up by who writes it, so a second more than promised proves nothing. Only
answers that came so late in the run that they could be too old are an occasion; without any, ages are only reported.
"""

import math
from collections.abc import Iterator

import numpy as np

from harness.record.reader import Run
from harness.record.rows import NO_AGE, Outcome
from harness.target.promises import CacheLayer
from harness.verify import figures, windows
from harness.verify.figures import say
from harness.verify.statistics import empirical_quantile
from harness.verify.verdict import Evidence, Figure

ROUNDING_S = 1.0
SHOWN = 2


def figures_of(run: Run, layer: CacheLayer, *, asked: bool, evidence: list[Evidence]) -> Iterator[Figure]:
    """Answers that are too old, and all ages. That none has an age is a doubt if the layer was `asked` for.

    That there are no answers from it is none in a run so short that they could not be too old: what it has may all go
    to the layer above, which asks behind everybody's back.
    """
    if layer.oldest is None:
        return
    frame = run.requests
    mine = windows.is_word(frame["cache"], layer.layer) & windows.is_word(frame["outcome"], Outcome.OK)
    aged = frame.loc[mine & (frame["age_s"].to_numpy() != NO_AGE)]
    name = f"answers from {layer.layer} older than {say(layer.oldest, 's')}"
    if aged.empty:
        longest_s = math.inf if frame.empty else windows.column(frame, "finished_s").max()
        if asked and (mine.any() or longest_s > layer.oldest + ROUNDING_S):
            yield figures.unknown(name, unit="", accept="0", reason="no answer from it said how old it was")
        return
    ages_s = np.sort(aged["age_s"].to_numpy(dtype=np.float64))
    old = aged.loc[aged["age_s"].to_numpy() > layer.oldest + ROUNDING_S]
    could_be = int((windows.column(aged, "finished_s") > layer.oldest + ROUNDING_S).sum())
    if could_be or len(old):
        told = zip(*(old[column].head(SHOWN) for column in _TOLD), strict=True)
        evidence += [_too_old(layer.layer, *values) for values in told]
        yield figures.never(name, len(old), could_be or len(old), reason=f"the oldest was {ages_s[-1]:.0f} s old")
    yield figures.reported(f"oldest answer from {layer.layer}", ages_s[-1], unit="s", samples=len(aged))
    p99_s = empirical_quantile(ages_s, 0.99)
    if p99_s is not None:
        yield figures.reported(f"p99 of the ages of answers from {layer.layer}", p99_s, unit="s", samples=len(aged))


_TOLD = ("finished_s", "operation", "object", "age_s")


def _too_old(layer: str, at_s: float, operation: str, what: str, age_s: int) -> Evidence:
    sentence = f"{operation}{f' ({what})' if what else ''} was answered from {layer} with what was {age_s} s old."
    return Evidence(at_s=float(at_s), sentence=sentence, source="requests")
