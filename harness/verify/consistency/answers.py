"""What every answered read showed, and what it had to show and did not: worked out once, used by all checks.

A read has to show an item of its object if it reached back as far as that item, the item's write had begun before the
read was over, and no delete that may have taken effect had. Whether it *owes* it to somebody (its session, the order of
writes, everybody after convergence) is for each check to say. A write of unknown fate is owed only by reads that began
after somebody had seen it.
"""

from dataclasses import dataclass

import numpy as np

from harness.verify.consistency.absences import Candidates, Readings, Seen, absences
from harness.verify.consistency.history import UNKNOWN, Bools, Floats, History, Ints
from harness.verify.consistency.items import Items, Processes, items_of, processes_of
from harness.verify.consistency.packing import find, first_rows, packed, starts, unpacked


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """Reads beside items."""

    read: Ints
    item: Ints

    @classmethod
    def of(cls, columns: tuple[Ints, Ints]) -> "Pairs":
        return cls(read=columns[0], item=columns[1])

    def __len__(self) -> int:
        return len(self.read)

    def chosen(self, which: Bools) -> "Pairs":
        return Pairs(read=self.read[which], item=self.item[which])


@dataclass(frozen=True, slots=True, kw_only=True)
class Sightings:
    """For each viewer (a process, a view: what `viewer` counts) and item the first read that saw it, ordered."""

    viewer: Ints
    item: Ints
    read: Ints
    word: Ints
    items: int
    never: int  # stands for "no such read": later than any

    def first(self, viewer: Ints, item: Ints) -> Ints:
        """The first read by which the viewer saw the item, or `never`."""
        if len(self.word) == 0:
            return np.full(len(viewer), self.never, dtype=np.int64)
        place, there = find(self.word, packed(viewer, item, self.items))
        result: Ints = np.where(there & (viewer != UNKNOWN), self.read[place], self.never)
        return result


@dataclass(frozen=True, slots=True, kw_only=True)
class Views:
    """What one session saw of one object at one region. `of_operation` is UNKNOWN for all but answered reads."""

    of_operation: Ints
    process: Ints
    object: Ints
    objects: int

    def at(self, process: Ints, object_: Ints) -> Ints:
        """The view of that process and object, UNKNOWN if there is none."""
        if len(self.process) == 0:
            return np.full(len(process), UNKNOWN, dtype=np.int64)
        word = packed(self.process, self.object, self.objects)
        place, there = find(word, packed(process, object_, self.objects))
        return np.where(there & (process != UNKNOWN), place, UNKNOWN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    history: History
    clock: "Clock"
    items: Items
    processes: Processes
    views: Views
    seen: Seen
    twice: Pairs  # shown more than once in one answer
    reached: Bools  # of the seen: the answer reached back as far as that
    oldest: Ints  # the age back to which an answer reached: UNKNOWN if it was whole, beyond all if that is not known
    by_view: Sightings
    by_process: Sightings
    absent: Pairs  # of the read's object, begun, reached, not deleted, and not shown
    met: Pairs  # owed and shown
    met_place: Ints  # where the met ones are among the seen
    missed: Pairs  # owed and not shown

    def covers(self, read: Ints, item: Ints) -> Bools:
        """The answer reached back as far as the item."""
        return _covers(self.oldest, self.items, read, item)

    def same_region(self, one: Ints, other: Ints) -> Bools:
        """Both operations were served by the same region, and it is known which."""
        served = self.history.served
        result: Bools = (served[one] == served[other]) & (served[one] != UNKNOWN)
        return result

    def at_author(self, item: Ints, read: Ints) -> Bools:
        """The read was served by the same region as the item's author, and it is known which."""
        place = np.where(self.items.author == UNKNOWN, UNKNOWN, self.history.served[self.items.author])
        place[place == UNKNOWN] -= 1  # unlike any
        result: Bools = place[item] == self.history.served[read]
        return result


def answers_of(history: History) -> Answers:
    clock = Clock.of(history)
    processes = processes_of(history)
    items = items_of(history, processes)
    oldest = _oldest(history)
    seen, twice = _seen(history, items)
    views = _views(history, processes)
    by_view = first_sightings(
        views.of_operation[seen.read], seen.item, seen.read, sizes=(len(views.process), len(items), len(history))
    )
    by_process = first_sightings(
        views.process[by_view.viewer], by_view.item, by_view.read, sizes=(len(processes), len(items), len(history))
    )
    reached = _covers(oldest, items, seen.read, seen.item)
    due = np.flatnonzero(reached & _due(history, items, seen))
    shown = Pairs(read=seen.read[due], item=seen.item[due])
    readings = _readings(history, clock, items, oldest, shown)
    absent = Pairs.of(absences(_candidates(history, clock, items), readings, seen))
    owed = _owed(history, items, shown)
    return Answers(
        history=history,
        clock=clock,
        items=items,
        processes=processes,
        views=views,
        seen=seen,
        twice=twice,
        reached=reached,
        oldest=oldest,
        by_view=by_view,
        by_process=by_process,
        absent=absent,
        met=shown.chosen(owed),
        met_place=due[owed],
        missed=absent.chosen(_owed(history, items, absent)),
    )


def _oldest(history: History) -> Ints:
    """The oldest known age on each full page, at the latest that it can be: whatever is newer than that had room.

    An age is never less than that of a whole answer, known or not.
    """
    oldest = np.full(len(history), history.ages, dtype=np.int64)
    some = np.flatnonzero(np.diff(history.seen_start))
    if len(some):
        age = history.latest[history.seen]
        age[age == UNKNOWN] = history.ages
        oldest[some] = np.minimum.reduceat(age, history.seen_start[some])
    oldest[history.whole] = UNKNOWN
    return oldest


def _seen(history: History, items: Items) -> tuple[Seen, Pairs]:
    """Each pair of an answered read and an item once, and the pairs that came more than once."""
    reads = np.repeat(np.arange(len(history)), np.diff(history.seen_start))
    from_answers = history.answered[reads]
    word = packed(reads[from_answers], items.of_id[history.seen[from_answers]], len(items))
    word.sort(kind="stable")  # in runs already, of which this kind takes advantage
    first = starts(word)
    again = np.unique(word[~first])
    word = word[first]
    read, item = unpacked(word, len(items))
    read_again, item_again = unpacked(again, len(items))
    return Seen(read=read, item=item, word=word, items=len(items)), Pairs(read=read_again, item=item_again)


def _views(history: History, processes: Processes) -> Views:
    reads = np.flatnonzero(history.answered)
    size = len(history.objects)
    words, codes = np.unique(packed(processes.of_operation[reads], history.object[reads], size), return_inverse=True)
    of_operation = np.full(len(history), UNKNOWN, dtype=np.int64)
    of_operation[reads] = codes
    process, object_ = unpacked(words, size)
    return Views(of_operation=of_operation, process=process, object=object_, objects=size)


def first_sightings(viewer: Ints, item: Ints, read: Ints, *, sizes: tuple[int, int, int]) -> Sightings:
    """From all of them; `sizes` are those of the three codes."""
    viewers, items, reads = sizes
    viewer, item, read = first_rows((viewer, viewers), (item, items), (read, reads))
    return Sightings(viewer=viewer, item=item, read=read, word=packed(viewer, item, items), items=items, never=reads)


# --- what was due ---------------------------------------------------------------------------------------------------


def _covers(oldest: Ints, items: Items, read: Ints, item: Ints) -> Bools:
    result: Bools = items.age[item] >= oldest[read]
    return result


def _due(history: History, items: Items, seen: Seen) -> Bools:
    """Of what was shown, that which was written to the object, and begun."""
    due = items.object[seen.item] == history.object[seen.read]
    result: Bools = due & (items.begun_s[seen.item] <= history.completed_s[seen.read])
    return result


def _candidates(history: History, clock: "Clock", items: Items) -> Candidates:
    some = np.flatnonzero(items.object != UNKNOWN)
    return Candidates(
        group=items.object[some],
        item=some,
        birth=clock.at(items.begun_s[some]),
        births=len(clock),
        death=clock.at(items.deleted_s[some]),
        deaths=len(clock),
        age=items.age[some],
        ages=history.ages,
    )


def _readings(history: History, clock: "Clock", items: Items, oldest: Ints, shown: Pairs) -> Readings:
    reads = np.flatnonzero(history.answered & (oldest < history.ages))
    now = clock.completed[reads] + 1
    lasting = shown.read[np.isposinf(items.deleted_s)[shown.item]]
    return Readings(
        read=reads,
        group=history.object[reads],
        born_before=now,
        dies_from=now,
        oldest=oldest[reads],
        shown=np.bincount(lasting, minlength=len(history))[reads],
    )


def _owed(history: History, items: Items, pairs: Pairs) -> Bools:
    owed_s = np.where(np.isposinf(items.acked_s), items.known_s, -np.inf)
    result: Bools = owed_s[pairs.item] <= history.invoked_s[pairs.read]
    return result


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """The instants of a history, numbered; what never happens is one later than all."""

    instants: Floats
    invoked: Ints  # numbers of each operation's
    completed: Ints

    @classmethod
    def of(cls, history: History) -> "Clock":
        both = np.concatenate([history.invoked_s, history.completed_s])
        instants, number = np.unique(both, return_inverse=True)
        instants = instants[np.isfinite(instants)]  # what is not comes last
        invoked, completed = np.split(np.minimum(number, len(instants)), 2)
        return cls(instants=instants, invoked=invoked, completed=completed)

    def __len__(self) -> int:
        return len(self.instants)

    def at(self, instants_s: Floats) -> Ints:
        return np.searchsorted(self.instants, instants_s).astype(np.int64)
