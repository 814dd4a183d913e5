"""How long what one region took is missing in another: by item, and for each directed pair of regions.

An item is *known* from its acknowledgement on, or from when the first read that saw it was over. By the reads of its
object at the reader's region that had to show it, it is

    stable   the last of them saw it; *stale* if one that began after it was known had missed it
    lost     a read that began after it was known and after the last sighting missed it
    never read, otherwise

The staleness of a stable item is the time from when it was known to when the last read that missed it began. It was
surely there only when the first read was over that began after that one and showed it; between the two nobody looked.
Its visibility delay lies between that of the last miss before the first sighting and the end of that sighting. A page
that had no room for the item neither shows nor misses it.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from harness.verify import statistics
from harness.verify.consistency.answers import Answers, Pairs
from harness.verify.consistency.finding import WITNESSES, Witness, place_and_time, step
from harness.verify.consistency.history import UNKNOWN, Floats, Ints
from harness.verify.verdict import Interval

QUANTILES = (0.5, 0.95, 0.99)


@dataclass(frozen=True, slots=True, kw_only=True)
class Staleness:
    """From one region (the writer's) to another (the reader's). All times are sorted, in seconds.

    `staleness_s` has one value for each stable item, 0 if no read missed it after it was known, and `at_most_s` the
    longest that it can have been missing. `shown_within_s` has one for each item that was ever shown there, an upper
    bound of its delay, and `missed_until_s` the lower bounds; `unshown` items were missed by reads after they were
    known and never shown.
    """

    stable: int
    stale: int
    lost: int
    never_read: int
    unshown: int
    staleness_s: Floats
    at_most_s: Floats
    shown_within_s: Floats
    missed_until_s: Floats
    lost_items: tuple[str, ...]
    witnesses: tuple[Witness, ...]  # of the lost
    stalest: tuple[Witness, ...]  # of the stale, the worst first

    @property
    def judged(self) -> int:
        return self.stable + self.lost

    def with_lost(self, ordered_s: Floats) -> Floats:
        """The same of all that was judged, sorted; lost items are staler than any."""
        return np.concatenate([ordered_s, np.full(self.lost, np.inf)])

    @property
    def staleness(self) -> tuple["Quantile", ...]:
        return quantiles(self.staleness_s, never=self.lost)

    @property
    def delay(self) -> tuple["Quantile", ...]:
        """t-staleness: how long until reads show an item, by the upper bounds; the unshown are later than any."""
        return quantiles(self.shown_within_s, never=self.unshown)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantile:
    """`value_s` is None where there are too few samples, infinite where it never came to that."""

    share: float
    value_s: float | None
    interval: Interval
    samples: int


def quantiles(ordered_s: Floats, *, never: int) -> tuple[Quantile, ...]:
    """With intervals from order statistics; `never` are samples greater than all."""
    samples = np.concatenate([ordered_s, np.full(never, np.inf)])
    return tuple(
        Quantile(
            share=share,
            value_s=statistics.empirical_quantile(samples, share),
            interval=statistics.quantile_interval(samples, share),
            samples=len(samples),
        )
        for share in QUANTILES
    )


def staleness(answers: Answers) -> Mapping[tuple[str, str], Staleness]:
    """By writer's and reader's region; a region paired with itself is how fast it shows its own."""
    names = range(len(answers.history.regions))
    shown = _shown_items(answers)
    return {
        (answers.history.regions[source], answers.history.regions[reader]): _between(answers, shown, source, reader)
        for reader in names
        for source in names
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Last:
    """[region, item] → operations; UNKNOWN where there is none."""

    shown: Ints
    shown_first_s: Floats  # end of the first sighting
    shown_since_s: Floats  # of the first one after the last miss
    missed: Ints
    missed_known: Ints  # of those that began after the item was known
    missed_before: Ints  # and before the first sighting began


def _shown_items(answers: Answers) -> _Last:
    history, items = answers.history, answers.items
    shape = (len(history.regions), len(items))
    own = (items.object[answers.seen.item] == history.object[answers.seen.read]) & (
        history.served[answers.seen.read] != UNKNOWN
    )
    seen = Pairs(read=answers.seen.read[own], item=answers.seen.item[own])
    absent = answers.absent.chosen(history.served[answers.absent.read] != UNKNOWN)
    known = absent.chosen(history.invoked_s[absent.read] >= items.known_s[absent.item])
    place, missed = _places(answers, seen), _latest(answers, absent, shape)
    since = seen.chosen(seen.read > missed.reshape(-1)[place])
    first = np.full(shape, len(history), dtype=np.int64)
    first.reshape(-1)[place[::-1]] = seen.read[::-1]  # they are in order, and the last one stays
    before = known.chosen(known.read < first.reshape(-1)[_places(answers, known)])
    return _Last(
        shown=_latest(answers, seen, shape),
        shown_first_s=_first_over_s(answers, seen, shape),
        shown_since_s=_first_over_s(answers, since, shape),
        missed=missed,
        missed_known=_latest(answers, known, shape),
        missed_before=_latest(answers, before, shape),
    )


def _latest(answers: Answers, pairs: Pairs, shape: tuple[int, int]) -> Ints:
    latest = np.full(shape, UNKNOWN, dtype=np.int64)
    latest.reshape(-1)[_places(answers, pairs)] = pairs.read  # they are in order, and the last one stays
    return latest


def _first_over_s(answers: Answers, pairs: Pairs, shape: tuple[int, int]) -> Floats:
    """The end of the read that was over first; infinite where there is none."""
    over_s = np.full(shape, np.inf)
    np.minimum.at(over_s.reshape(-1), _places(answers, pairs), answers.history.completed_s[pairs.read])
    return over_s


def _places(answers: Answers, pairs: Pairs) -> Ints:
    """By region and item, in one."""
    return answers.history.served[pairs.read] * len(answers.items) + pairs.item


def _between(answers: Answers, last: _Last, source: int, reader: int) -> Staleness:
    items, history = answers.items, answers.history
    some = np.flatnonzero((items.author != UNKNOWN) & np.isfinite(items.known_s))
    some = some[history.served[items.author[some]] == source]
    shown, missed = last.shown[reader, some], last.missed[reader, some]
    missed_known = last.missed_known[reader, some]
    stable = shown > missed
    stale = stable & (missed_known != UNKNOWN)
    lost = missed_known > shown
    stale_s = _since_known_s(answers, some, missed_known)
    at_most_s = np.maximum(last.shown_since_s[reader, some] - items.known_s[some], stale_s)
    ever = shown != UNKNOWN
    shown_s = np.maximum(last.shown_first_s[reader, some[ever]] - items.known_s[some[ever]], 0.0)
    missed_s = _since_known_s(answers, some[ever], last.missed_before[reader, some[ever]])
    worst = np.flatnonzero(stale)[np.argsort(-stale_s[stale], kind="stable")][:WITNESSES]
    return Staleness(
        stable=int(stable.sum()),
        stale=int(stale.sum()),
        lost=int(lost.sum()),
        never_read=int((~stable & ~lost).sum()),
        unshown=int((~ever & (missed_known != UNKNOWN)).sum()),
        staleness_s=np.sort(stale_s[stable]),
        at_most_s=np.sort(at_most_s[stable]),
        shown_within_s=np.sort(shown_s),
        missed_until_s=np.sort(missed_s),
        lost_items=tuple(items.name[item] for item in some[lost]),
        witnesses=tuple(_tell(answers, int(some[i]), int(missed_known[i])) for i in np.flatnonzero(lost)[:WITNESSES]),
        stalest=tuple(_tell(answers, int(some[i]), int(missed_known[i])) for i in worst),
    )


def _since_known_s(answers: Answers, item: Ints, read: Ints) -> Floats:
    """From when the item was known to the beginning of the read; 0 where there is none."""
    since_s = answers.history.invoked_s[read] - answers.items.known_s[item]
    result: Floats = np.where(read == UNKNOWN, 0.0, since_s)
    return result


def _tell(answers: Answers, item: int, read: int) -> Witness:
    history, name = answers.history, answers.items.name[item]
    steps = (
        step(history, f"wrote {name}", int(answers.items.author[item])),
        step(history, f"missed {name}", read, missed=name),
    )
    wrote, missed = (each.operation for each in steps)
    late_s = history.invoked_s[read] - answers.items.known_s[item]
    sentence = (
        f"{name}, written {place_and_time(wrote)}, is missing {place_and_time(missed)}, "
        f"{late_s:.3f} s after it was known."
    )
    return Witness(sentence=sentence, ids=(name,), steps=steps)
