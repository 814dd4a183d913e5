"""How often keys were made anew after a cache had been emptied: on average, by the target's counter.

Once in each replica if it takes care, and once for each request that meets the empty cache if it does not. Keys are the
pages that users asked for and got from no cache, as the profile names them. What was asked for and never answered may
have been made as well, each a key of its own.
"""

from collections.abc import Iterator

from harness.experiment.expectations.caching import CachingCheck
from harness.record.rows import Outcome as Ending
from harness.verify import figures, windows
from harness.verify.caching.counters import counted, growth
from harness.verify.caching.emptied import Emptied
from harness.verify.figures import say
from harness.verify.verdict import Evidence, Figure

FEWEST_KEYS = 10


def figures_of(emptied: Emptied, check: CachingCheck, evidence: list[Evidence]) -> Iterator[Figure]:
    run, window = emptied.run, emptied.window
    builds = growth(run, run.plan.target.metrics.cache_builds, "kind")
    for kind, most in check.builds_per_key.items():
        name, accept = f"builds of one key ({kind}) after the cache was emptied", f"at most {say(most, '')}"
        objects = emptied.missed(kind)["object"]
        nameless, keys = int((objects == "").sum()), int(objects[objects != ""].nunique())
        why_not = emptied.doubt or _why_not(keys, nameless, is_counted=kind in set(builds["word"]))
        if window is None or why_not:
            yield figures.unknown(name, unit="", accept=accept, reason=why_not)
            continue
        made, unanswered = counted(builds, window, kind), _unanswered(emptied, kind)
        sentence = f"{made:,} builds of {keys:,} keys ({kind}) in {window.length_s:.1f} s."
        evidence.append(Evidence(at_s=window.start_s, until_s=window.end_s, sentence=sentence, source="metrics"))
        if made > most * keys and made <= most * (keys + unanswered):
            why_not = f"{made:,} were made, and {unanswered:,} that were asked for were never answered"
            yield figures.unknown(name, unit="", accept=accept, reason=why_not)
        else:
            yield figures.bounded(name, made / keys, most, unit="", samples=keys, reason=f"{made:,} were made")


def _why_not(keys: int, nameless: int, *, is_counted: bool) -> str:
    if nameless:
        return f"the load profile does not name {nameless:,} of the pages that no cache had"
    if keys < FEWEST_KEYS:
        return f"{keys} keys were asked for that no cache had, {FEWEST_KEYS} are needed"
    return "" if is_counted else "nobody counts what is made"


def _unanswered(emptied: Emptied, kind: str) -> int:
    outcomes = emptied.run.requests["outcome"][emptied.asked(kind)]
    return int(windows.is_word(outcomes, Ending.FAILED, Ending.UNKNOWN).sum())
