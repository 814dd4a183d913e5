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
        if not asked.any():
            continue
        others = [one.layer for one in promise.layers if one.layer not in keepers]
        hits = frame.loc[asked & windows.is_word(frame["cache"], *others)]
        for at_s, operation, cache in zip(hits["finished_s"], hits["operation"], hits["cache"], strict=True):
            if len(evidence) < SHOWN:
                evidence.append(_witness(float(at_s), operation, cache, kind))
        reason = f"first at {at(float(hits['finished_s'].min()))}" if len(hits) else ""
        name = f"{kind} answered from {', '.join(others)}"
        yield figures.never(name, len(hits), int(asked.sum()), reason=reason)


def _witness(at_s: float, operation: str, cache: str, kind: str) -> Evidence:
    sentence = f"{operation} was answered from {cache}, which must not hold {kind}."
    return Evidence(at_s=at_s, sentence=sentence, source="requests")
