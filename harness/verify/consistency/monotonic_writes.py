"""Monotonic writes: a read that shows a session's later write shows its earlier one to the read's object too.

sticky: writes and read were served by one region; remote: both writes by one, the read by another; moved: the writer
was served by two regions. Each link applies what one region wrote in its order, so all but *moved* is promised.
"""

from collections.abc import Iterator

import numpy as np

from harness.verify.consistency.answers import Answers, Pairs
from harness.verify.consistency.finding import Casebook, Cohort, Finding, Witness, place_and_time, step
from harness.verify.consistency.history import UNKNOWN, Bools, Ints
from harness.verify.consistency.packing import packed


def monotonic_writes(answers: Answers) -> Finding:
    book = Casebook(answers.history)
    for cohort, read, _, _ in _followed(answers, answers.met, answers.met_place + 1):
        book[cohort].met.append(read)
    for cohort, read, earlier, later in _followed(answers, answers.missed, _place_of_missed(answers)):
        book[cohort].add_broken(read, earlier, later)
    return book.closed(lambda read, earlier, later: _tell(answers, read, earlier, later))


def _place_of_missed(answers: Answers) -> Ints:
    """Where among the seen the items begin that are greater than the missed ones."""
    word = packed(answers.missed.read, answers.missed.item, len(answers.items))
    return np.searchsorted(answers.seen.word, word).astype(np.int64)


def _followed(answers: Answers, pairs: Pairs, place: Ints) -> Iterator[tuple[Cohort, Ints, Ints, Ints]]:
    """Read, earlier item and the next later one of the same session that the read shows, for each region of the later.

    `place` is where among the seen the later ones of the same process would be.
    """
    items, processes = answers.items, answers.processes
    certain = (items.process != UNKNOWN)[pairs.item]
    pairs, place = pairs.chosen(certain), place[certain]
    process = items.process[pairs.item]
    yield from _same_process(answers, pairs, place)
    places = np.bincount(processes.session, minlength=len(answers.history.sessions))
    roaming = (places > 1)[processes.session][process]
    pairs, process = pairs.chosen(roaming), process[roaming]
    for region in range(processes.at.shape[1]):
        other = processes.at[processes.session[process], region]
        some = np.flatnonzero((other != UNKNOWN) & (other != process))
        read, earlier = pairs.read[some], pairs.item[some]
        least = packed(read, _first_after(answers, other[some], items.author[earlier]), len(items))
        shows, later = _shown(answers, read, other[some], np.searchsorted(answers.seen.word, least))
        yield Cohort.MOVED, read[shows], earlier[shows], later[shows]


def _same_process(answers: Answers, pairs: Pairs, place: Ints) -> Iterator[tuple[Cohort, Ints, Ints, Ints]]:
    items = answers.items
    shows, later = _shown(answers, pairs.read, items.process[pairs.item], place)
    read, earlier, later = pairs.read[shows], pairs.item[shows], later[shows]
    known = (answers.processes.region != UNKNOWN)[items.process[earlier]]
    here = answers.at_author(earlier, read)
    yield Cohort.STICKY, read[known & here], earlier[known & here], later[known & here]
    yield Cohort.REMOTE, read[known & ~here], earlier[known & ~here], later[known & ~here]
    yield Cohort.MOVED, read[~known], earlier[~known], later[~known]  # two unknown regions are not known to be one


def _shown(answers: Answers, read: Ints, process: Ints, place: Ints) -> tuple[Bools, Ints]:
    """Whether what was seen at that place was by this read and from this process; and what it was."""
    seen = answers.seen
    if len(seen.word) == 0:
        return np.zeros(len(read), dtype=bool), np.zeros(len(read), dtype=np.int64)
    inside = place < len(seen.word)
    place = np.where(inside, place, 0)
    shown = seen.item[place]
    shows: Bools = inside & (seen.read[place] == read) & (answers.items.process[shown] == process)
    return shows, shown


def _first_after(answers: Answers, process: Ints, operation: Ints) -> Ints:
    """The first item that the process wrote after an operation (items ascend by process, then by author)."""
    items, size = answers.items, len(answers.history)
    certain = items.process != UNKNOWN
    ordered = packed(items.process[certain], items.author[certain], size)
    return np.searchsorted(ordered, packed(process, operation, size), side="right").astype(np.int64)


def _tell(answers: Answers, read: int, earlier: int, later: int) -> Witness:
    history, items = answers.history, answers.items
    first, second = items.name[earlier], items.name[later]
    steps = (
        step(history, f"wrote {first}", int(items.author[earlier])),
        step(history, f"wrote {second}", int(items.author[later])),
        step(history, f"saw {second}, missed {first}", read, missed=first),
    )
    wrote, then, saw = (each.operation for each in steps)
    sentence = (
        f"Session {wrote.session} wrote {first} {place_and_time(wrote)}, then {second} {place_and_time(then)}; "
        f"a read {place_and_time(saw)} shows only the later one."
    )
    return Witness(sentence=sentence, ids=(first, second), steps=steps)
