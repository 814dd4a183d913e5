"""Whether content that only some layers may hold was answered from another one, by what answers say themselves."""

from collections.abc import Iterator

from harness.record.reader import Run
from harness.record.rows import Outcome
from harness.target.promises import CachingPromise
from harness.verify import figures, windows
from harness.verify.figures import at
from harness.verify.verdict import Evidence, Figure

SHOWN = 2


def figures_of(run: Run, promise: CachingPromise, evidence: list[Evidence]) -> Iterator[Figure]:
    """Nothing of a kind that nobody asked for."""
    frame = run.requests
    for kind, keepers in promise.kept_only_by.items():
        asked = windows.is_word(frame["route"], promise.kinds[kind]) & windows.is_word(frame["outcome"], Outcome.OK)
        others = [one.layer for one in promise.layers if one.layer not in keepers]
        if not others or not asked.any():
            continue
        hits = frame.loc[asked & windows.is_word(frame["cache"], *others)]
        told = zip(*(hits[column].head(SHOWN) for column in _TOLD), strict=True)
        evidence += [_witness(kind, *values) for values in told]
        reason = f"first at {at(float(hits['finished_s'].min()))}" if len(hits) else ""
        name = f"{kind} answered from {', '.join(others)}"
        yield figures.invariant(figures.never(name, len(hits), int(asked.sum()), reason=reason))


_TOLD = ("finished_s", "operation", "cache")


def _witness(kind: str, at_s: float, operation: str, cache: str) -> Evidence:
    sentence = f"{operation} was answered from {cache}, which must not hold {kind}."
    return Evidence(at_s=float(at_s), sentence=sentence, source="requests")
