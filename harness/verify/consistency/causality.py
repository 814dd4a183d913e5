"""Causal consistency: a read shows every write to its object that happened before it.

Before: earlier in the same session, or seen by a read, and so on from one to the next. For sets that only grow and
whose ids are unique this is the complete test, apart from cycles: a read that shows what was written only after, and
because of, it.

sticky: the reader was never moved and the write was served by its region; remote: by another; moved: the reader's
session had been served by two regions.

Each session carries the set of writes that happened before its next operation, as the bits of one integer, along a line
of all events; a write stamps what it wrote with that set, and who sees it takes the stamp over. Only writes that
somebody missed need a bit, and only while somebody may still miss them, so the work is about one step an event however
many sessions there are. If some event stands before its cause in the line, which no sane clock shows, the line is gone
through again until nothing changes.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from harness.verify.consistency.answers import Answers, Pairs
from harness.verify.consistency.causal_line import SIGHTING, WRITE, Line, line_of
from harness.verify.consistency.finding import (
    WITNESSES,
    Casebook,
    Cohort,
    Finding,
    Step,
    Witness,
    place_and_time,
    step,
)
from harness.verify.consistency.history import UNKNOWN, Bools, Ints

BITS = 16_384  # missed writes that are followed at once: two kilobytes for each session and each write that is seen


@dataclass(frozen=True, slots=True, kw_only=True)
class Causality:
    """`cycles` are writes that happened before themselves; with any of them time did not run forwards."""

    finding: Finding
    cycles: tuple[Witness, ...]


def causal(answers: Answers, *, at_once: int = BITS) -> Causality:
    """`at_once` is how many missed writes are followed at a time."""
    missed = _certain(answers, answers.missed)
    line = line_of(answers, missed)
    broken, cyclic = _happened_before(line, missed, at_once)
    book = Casebook(answers.history)
    _sort_into(book, answers, _certain(answers, answers.met), met=True)
    _sort_into(book, answers, missed.chosen(broken), met=False)
    finding = book.closed(lambda read, item: _tell(answers, line, read, item))
    return Causality(finding=finding, cycles=tuple(_tell_cycle(answers, line, item) for item in cyclic[:WITNESSES]))


def _certain(answers: Answers, pairs: Pairs) -> Pairs:
    return pairs.chosen((answers.items.process != UNKNOWN)[pairs.item])


def _sort_into(book: Casebook, answers: Answers, pairs: Pairs, *, met: bool) -> None:
    moved = _moved(answers)[pairs.read]
    here = answers.at_author(pairs.item, pairs.read)
    chosen = {Cohort.STICKY: ~moved & here, Cohort.REMOTE: ~moved & ~here, Cohort.MOVED: moved}
    for cohort, which in chosen.items():
        if met:
            book[cohort].met.append(pairs.read[which])
        else:
            book[cohort].add_broken(pairs.read[which], pairs.item[which])


def _moved(answers: Answers) -> Bools:
    """Operations by which their session had been served by more than one region."""
    history = answers.history
    known = np.flatnonzero(history.served != UNKNOWN)
    home = np.full(len(history.sessions), UNKNOWN, dtype=np.int64)
    home[history.session[known[::-1]]] = history.served[known[::-1]]
    away = known[history.served[known] != home[history.session[known]]]
    since = np.full(len(history.sessions), len(history), dtype=np.int64)
    np.minimum.at(since, history.session[away], away)
    result: Bools = np.arange(len(history)) >= since[history.session]
    return result


# --- who knew what --------------------------------------------------------------------------------------------------


def _happened_before(line: Line, missed: Pairs, at_once: int) -> tuple[Bools, list[int]]:
    """Which of the missed items happened before the read that missed them, and which items before themselves."""
    broken = np.zeros(len(missed), dtype=bool)
    items = np.unique(missed.item)
    items = items[np.argsort([line.written_at[item] for item in items.tolist()], kind="stable")].tolist()
    if line.backward:
        bits = {item: 1 << number for number, item in enumerate(sorted({*items, *line.backward}))}
        hits, cyclic = _to_the_end(line, bits)
        broken[hits] = True
        return broken, cyclic
    for first in range(0, len(items), at_once):
        block = items[first : first + at_once]
        bits = {item: 1 << number for number, item in enumerate(block)}
        reads = np.unique(missed.read[np.isin(missed.item, block)])
        until = max(line.tested_at[read] for read in reads.tolist()) + 1
        hits, _ = _once(line, bits, [0] * line.items, line.written_at[block[0]], until)
        broken[hits] = True
    return broken, []


def _to_the_end(line: Line, bits: dict[int, int]) -> tuple[list[int], list[int]]:
    stamps = [0] * line.items
    while True:
        before = list(stamps)
        hits, cyclic = _once(line, bits, stamps, 0, len(line))
        if stamps == before:
            return hits, cyclic


def _once(line: Line, bits: dict[int, int], stamps: list[int], first: int, until: int) -> tuple[list[int], list[int]]:
    """Along the line once: rows of missed items that had happened before, and items that happened before themselves."""
    past = [0] * line.sessions
    hits: list[int] = []
    cyclic: list[int] = []
    for kind, session, thing in _events(line, first, until):
        if kind == SIGHTING:
            stamp = stamps[thing]
            if stamp:
                past[session] |= stamp
        elif kind == WRITE:
            known, bit = past[session], bits.get(thing, 0)
            if known & bit:
                cyclic.append(thing)
            past[session] = stamps[thing] = known | bit
        elif past[session]:
            known = past[session]
            rows = range(thing, line.rows_end[thing])
            hits.extend(row for row in rows if known & bits.get(line.missed[row], 0))
    return hits, cyclic


def _events(line: Line, first: int, until: int) -> Iterator[tuple[int, int, int]]:
    part = slice(first, until)
    return zip(line.kind[part].tolist(), line.session[part].tolist(), line.thing[part].tolist(), strict=True)


# --- witnesses ------------------------------------------------------------------------------------------------------


def _tell(answers: Answers, line: Line, read: int, item: int) -> Witness:
    history, name = answers.history, answers.items.name[item]
    path = _path(answers, line, item, read)
    steps = (
        step(history, f"wrote {name}", int(answers.items.author[item])),
        *path,
        step(history, f"missed {name}", read, missed=name),
    )
    wrote, missed = steps[0].operation, steps[-1].operation
    sentence = (
        f"Session {wrote.session} wrote {name} {place_and_time(wrote)}, and that happened before session "
        f"{missed.session} read {missed.object} {place_and_time(missed)} without it."
    )
    return Witness(sentence=sentence, ids=(name,), steps=steps)


def _path(answers: Answers, line: Line, item: int, read: int) -> list[Step]:
    """The sightings and writes by which news of the item came to the reader, by as few sessions as there are."""
    history, author = answers.history, answers.items.author
    reader, writer = int(history.session[read]), int(history.session[author[item]])
    part = slice(None) if line.backward else slice(line.written_at[item], line.tested_at[read])
    events = _Events(kind=line.kind[part], session=line.session[part], thing=line.thing[part])
    came: dict[int, int] = {writer: int(np.argmax((events.kind == WRITE) & (events.thing == item)))}  # session → place
    carried: set[int] = set()
    new = [item, *events.written_after(came)]
    while new and reader not in came:
        carried.update(new)
        reached = {session: place for session, place in events.seeing(new).items() if session not in came}
        came |= reached
        new = [each for each in events.written_after(reached) if each not in carried]
    path, session = list[Step](), reader
    while session in came and session != writer:
        thing, operation = int(events.thing[came[session]]), int(line.operation[part][came[session]])
        path.append(step(history, f"saw {answers.items.name[thing]}", operation))
        if thing != item:
            path.append(step(history, f"wrote {answers.items.name[thing]}", int(author[thing])))
        session = int(history.session[author[thing]])
    return path[::-1]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Events:
    """A part of the line, for looking up who saw and wrote what in it."""

    kind: Ints
    session: Ints
    thing: Ints

    def seeing(self, items: list[int]) -> dict[int, int]:
        """Sessions that saw any of the items, and where they first did."""
        places = np.flatnonzero(self.kind == SIGHTING)
        places = places[np.isin(self.thing[places], items)]
        sessions, first = np.unique(self.session[places], return_index=True)
        return dict(zip(sessions.tolist(), places[first].tolist(), strict=True))

    def written_after(self, reached: dict[int, int]) -> list[int]:
        """What sessions wrote after those places."""
        places = np.flatnonzero(self.kind == WRITE)
        places = places[np.isin(self.session[places], list(reached))]
        return [int(self.thing[place]) for place in places.tolist() if place > reached[int(self.session[place])]]


def _tell_cycle(answers: Answers, line: Line, item: int) -> Witness:
    """The write, and the earliest read that shows what was not yet written."""
    history, name = answers.history, answers.items.name[item]
    early = np.argmax((line.kind == SIGHTING) & (line.thing == item))
    steps = (
        step(history, f"saw {name}", int(line.operation[early])),
        step(history, f"wrote {name}", int(answers.items.author[item])),
    )
    saw, wrote = (each.operation for each in steps)
    sentence = (
        f"Session {saw.session} saw {name} {place_and_time(saw)}, "
        f"and that happened before session {wrote.session} wrote it {place_and_time(wrote)}."
    )
    return Witness(sentence=sentence, ids=(name,), steps=steps)
