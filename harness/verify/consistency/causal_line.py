"""All events that can tell somebody of what was missed, in one line: what causality is followed along.

A write stands where it began, a read where it was over, and a session's events in the session's order.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.verify.consistency.answers import Answers, Pairs
from harness.verify.consistency.history import UNKNOWN, Bools, Ints
from harness.verify.consistency.packing import packed, sorted_rows, starts

# Kinds of events: a write, a session's first sighting of an item, a test of a read that missed something.
WRITE, SIGHTING, TEST = range(3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Events in an order that keeps that of each session and, if clocks are sane, puts every write before its readers.

    `thing` is the item written or seen, or, for a test, where the read's rows among the missed begin.
    """

    kind: Ints
    session: Ints
    thing: Ints
    operation: Ints
    written_at: dict[int, int]  # item → place of its write
    tested_at: dict[int, int]  # read → place of its test
    missed: Sequence[int]  # items, by the read that missed them
    rows_end: dict[int, int]  # where a read's rows begin → where they end
    backward: Sequence[int]  # items that some event before their write shows
    items: int
    sessions: int

    def __len__(self) -> int:
        return len(self.kind)


def line_of(answers: Answers, missed: Pairs) -> Line:
    history, items = answers.history, answers.items
    when, size = _when(answers)
    sightings = _telling(answers)
    early = _backward(items.author[sightings.item], sightings.read, when)
    if not early.any():
        sightings = sightings.chosen(_in_time(answers, missed, sightings, when))
    relevant = np.zeros(len(items), dtype=bool)
    relevant[sightings.item] = True
    relevant[missed.item] = True
    written = np.flatnonzero(relevant)
    first = np.flatnonzero(starts(missed.read))
    kind = np.repeat(np.array([WRITE, SIGHTING, TEST]), (len(written), len(sightings), len(first)))
    operation = np.concatenate([items.author[written], sightings.read, missed.read[first]])
    thing = np.concatenate([written, sightings.item, first])
    row = sorted_rows(
        (when[operation], size), (operation, len(history)), (kind, TEST + 1), (np.arange(len(kind)), len(kind))
    )[-1]
    kind, thing, operation = kind[row], thing[row], operation[row]
    writes, tests = np.flatnonzero(kind == WRITE), np.flatnonzero(kind == TEST)
    return Line(
        kind=kind,
        session=history.session[operation],
        thing=thing,
        operation=operation,
        written_at=dict(zip(thing[writes].tolist(), writes.tolist(), strict=True)),
        tested_at=dict(zip(operation[tests].tolist(), tests.tolist(), strict=True)),
        missed=missed.item.tolist(),
        rows_end=dict(zip(first.tolist(), [*first[1:].tolist(), len(missed)], strict=False)),
        backward=np.unique(sightings.item[early]).tolist() if early.any() else (),
        items=len(items),
        sessions=len(history.sessions),
    )


def _backward(author: Ints, read: Ints, when: Ints) -> Bools:
    result: Bools = (when[read] < when[author]) | ((when[read] == when[author]) & (read < author))
    return result


def _in_time(answers: Answers, missed: Pairs, sightings: Pairs, when: Ints) -> Bools:
    """Sightings before the last test of anything that was written before what they show: others tell nothing."""
    author = answers.items.author
    last = np.full(len(answers.items), -1, dtype=np.int64)
    np.maximum.at(last, missed.item, when[missed.read])
    some = np.flatnonzero(last >= 0)
    some = some[np.argsort(when[author[some]], kind="stable")]
    until = np.concatenate([[-1], np.maximum.accumulate(last[some])])
    until_of_item = until[np.searchsorted(when[author[some]], when[author], side="right")]
    result: Bools = when[sightings.read] <= until_of_item[sightings.item]
    return result


def _telling(answers: Answers) -> Pairs:
    """First sightings that can tell a session something new, of items whose maker is certain.

    Not what it wrote itself before; and not what it sees no earlier than a later write by the same maker, because
    whatever happened before the one happened before the other.
    """
    by_process, items, processes = answers.by_process, answers.items, answers.processes
    maker = items.process[by_process.item]
    viewer, item, read = by_process.viewer, by_process.item, by_process.read
    certain = maker != UNKNOWN
    if not certain.all():  # there are millions
        viewer, maker, item, read = viewer[certain], maker[certain], item[certain], read[certain]
    # Sightings ascend by viewer, maker and author, so those of one viewer and one maker are together.
    run = np.cumsum(starts(viewer, maker).astype(np.int64))
    word = packed(run, read, len(answers.history))
    soonest = np.minimum.accumulate(word[::-1])[::-1]
    newest = np.ones(len(word), dtype=bool)
    newest[:-1] = word[:-1] < soonest[1:]
    some = np.flatnonzero(newest)
    viewer, maker, item, read = viewer[some], maker[some], item[some], read[some]
    own = (processes.session[viewer] == processes.session[maker]) & (items.author[item] < read)
    return Pairs(read=read, item=item).chosen(~own)


def _when(answers: Answers) -> tuple[Ints, int]:
    """A write's beginning, a read's end; never earlier than what their session did before. And how many there are."""
    history, clock = answers.history, answers.clock
    instant = np.where(history.answered, clock.completed, clock.invoked)
    line = np.argsort(history.session, kind="stable")
    size = len(clock) + 1
    when = np.empty(len(history), dtype=np.int64)
    when[line] = np.maximum.accumulate(history.session[line] * size + instant[line]) % size
    return when, size
