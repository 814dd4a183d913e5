"""Whether a cache was given a command that it must never be given, as one for which everybody else has to wait, by the
cache's own counts.
"""

from collections.abc import Iterator

from harness.record.reader import Run
from harness.target.promises import CachingPromise
from harness.verify import figures
from harness.verify.caching.counters import growth
from harness.verify.figures import at
from harness.verify.verdict import Evidence, Figure

SHOWN = 2


def figures_of(run: Run, promise: CachingPromise, evidence: list[Evidence]) -> Iterator[Figure]:
    """Nothing where nothing is promised of commands."""
    if not promise.never_asks:
        return
    counted = growth(run, run.plan.target.metrics.cache_commands, "command")
    for command in promise.never_asks:
        name = f"{command.upper()} asked of a cache"
        if counted.empty:
            yield figures.unknown(name, unit="", accept="0", reason="no cache counts what it is asked")
            continue
        asked = counted.loc[(counted["word"] == command) & (counted["count"] > 0)].sort_values("at_s", kind="stable")
        told = zip(*(asked[column].head(SHOWN) for column in ("at_s", "service", "count")), strict=True)
        evidence += [_witness(command, *values) for values in told]
        reason = f"first seen at {at(float(asked['at_s'].iloc[0]))}" if len(asked) else ""
        yield figures.invariant(
            figures.never(name, int(asked["count"].sum()), int(counted["count"].sum()), reason=reason)
        )


def _witness(command: str, at_s: float, service: str, count: int) -> Evidence:
    sentence = f"{service} counts {count:,} more {command.upper()} than before."
    return Evidence(at_s=float(at_s), sentence=sentence, source="metrics")
