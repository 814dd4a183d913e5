"""Which of the things that a read had to show it did not: found without looking at what it showed.

Each read has a group of candidates (what was written to its set, or what its session has seen of it). How many of them
it had to show follows from two binary searches, how many it did show from a count; only where the two differ are the
candidates themselves looked at. So the work is what was seen plus what is missing.
"""

from dataclasses import dataclass

import numpy as np

from harness.verify.consistency.history import UNKNOWN, Bools, Ints
from harness.verify.consistency.packing import contains, packed, spread


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidates:
    """What a read of the group has to show from `birth` on and until `death`, if it reaches back to that `age`.

    Births, deaths and ages count from 0 to their sizes; a death that never comes is the size.
    """

    group: Ints
    item: Ints
    birth: Ints
    births: int
    death: Ints
    deaths: int
    age: Ints
    ages: int

    def chosen(self, which: Bools | Ints) -> "Candidates":
        return Candidates(
            group=self.group[which],
            item=self.item[which],
            birth=self.birth[which],
            births=self.births,
            death=self.death[which],
            deaths=self.deaths,
            age=self.age[which],
            ages=self.ages,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Readings:
    """Reads, each with its group, its moments on the scales of births and deaths, and the oldest thing it had to show.

    A read has to show what was born before its moment and dies at its moment of deaths or later. `oldest` is the age
    back to which it reached, UNKNOWN for one that held everything. `shown` is how many of its immortal candidates it
    showed.
    """

    read: Ints
    group: Ints
    born_before: Ints
    dies_from: Ints
    oldest: Ints
    shown: Ints

    def chosen(self, which: Bools | Ints) -> "Readings":
        return Readings(
            read=self.read[which],
            group=self.group[which],
            born_before=self.born_before[which],
            dies_from=self.dies_from[which],
            oldest=self.oldest[which],
            shown=self.shown[which],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Pairs of a read and an item that it showed, ordered; each pair once."""

    read: Ints
    item: Ints
    word: Ints  # both in one, for searching
    items: int

    def shows(self, read: Ints, item: Ints) -> Bools:
        return contains(self.word, packed(read, item, self.items))


def absences(candidates: Candidates, readings: Readings, seen: Seen) -> tuple[Ints, Ints]:
    """Pairs of a read and a candidate that it had to show and did not, by read."""
    immortal = candidates.death >= candidates.deaths
    readings = readings.chosen(np.argsort(readings.group, kind="stable"))  # what is near is found quicker
    found: list[tuple[Ints, Ints]] = []
    for every in (True, False):
        asking = readings.chosen((readings.oldest == UNKNOWN) == every)
        for lasting in (True, False):
            choice = candidates.chosen((immortal if lasting else ~immortal) & _asked_for(candidates, asking))
            if len(choice.item):
                found += _absences(choice, asking, seen, every=every, lasting=lasting)
    if not found:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    read, item = (np.concatenate(column) for column in zip(*found, strict=True))
    line = np.lexsort((item, read))
    return read[line], item[line]


def _asked_for(candidates: Candidates, readings: Readings) -> Bools:
    """Candidates of groups that any of the reads is of."""
    asked = np.zeros(int(candidates.group.max(initial=-1)) + 1, dtype=bool)
    asked[readings.group[readings.group < len(asked)]] = True
    result: Bools = asked[candidates.group]
    return result


def _absences(
    candidates: Candidates, readings: Readings, seen: Seen, *, every: bool, lasting: bool
) -> list[tuple[Ints, Ints]]:
    ordered, low, high = (_by_birth if every else _by_age)(candidates, readings)
    if lasting:
        wanting = high - low > readings.shown
        readings, low, high = readings.chosen(wanting), low[wanting], high[wanting]
    found = []
    for row, place in spread(low, high):
        due = (ordered.birth[place] < readings.born_before[row]) & (ordered.death[place] >= readings.dies_from[row])
        row, place = row[due], place[due]  # noqa: PLW2901 - the rest of them is of no use
        read, item = readings.read[row], ordered.item[place]
        missing = ~seen.shows(read, item)
        found.append((read[missing], item[missing]))
    return found


def _by_birth(candidates: Candidates, readings: Readings) -> tuple[Candidates, Ints, Ints]:
    """Candidates in order of birth, and where those of each reading begin and end, or a few more than those."""
    born = packed(candidates.group, candidates.birth, candidates.births)
    line = np.argsort(born, kind="stable")
    ordered, born = candidates.chosen(line), born[line]
    died = np.maximum.accumulate(packed(ordered.group, ordered.death, candidates.deaths))
    low = np.searchsorted(died, packed(readings.group, readings.dies_from, candidates.deaths))
    high = np.searchsorted(born, packed(readings.group, readings.born_before, candidates.births))
    return ordered, low, high


def _by_age(candidates: Candidates, readings: Readings) -> tuple[Candidates, Ints, Ints]:
    """The same for pages: candidates by age; only those whose age is known."""
    candidates = candidates.chosen(candidates.age != UNKNOWN)
    aged = packed(candidates.group, candidates.age, candidates.ages)
    line = np.argsort(aged, kind="stable")
    ordered, aged = candidates.chosen(line), aged[line]
    born = packed(ordered.group, ordered.birth, candidates.births)
    born = np.minimum.accumulate(born[::-1])[::-1]  # the earliest birth from here on
    low = np.searchsorted(aged, packed(readings.group, readings.oldest, candidates.ages))
    high = np.searchsorted(born, packed(readings.group, readings.born_before, candidates.births))
    return ordered, low, high
