"""Monotonic reads: what a session has seen in an object, its later reads of that object show, unless it was deleted.

sticky: the same region served an earlier read that saw it; moved: another region did. Ids that nobody is known to have
written count too: once shown they may not vanish.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from harness.verify.consistency.absences import Candidates, Readings, absences
from harness.verify.consistency.answers import Answers, Pairs
from harness.verify.consistency.finding import Casebook, Cohort, Finding, Witness, place_and_time, step
from harness.verify.consistency.history import UNKNOWN, Bools, Ints
from harness.verify.consistency.packing import contains, packed, starts, unpacked


def monotonic_reads(answers: Answers) -> Finding:
    book = Casebook(answers.history)
    groups = _groups_of(answers)
    shown = np.bincount(answers.seen.read[answers.reached], minlength=len(answers.history))
    new = answers.covers(answers.by_view.read, answers.by_view.item)
    book[Cohort.STICKY].met.append(_settled(answers, shown, new))
    for cohort, read, _, _ in _by_cohort(answers, _seen_from_several_places(answers, groups), elsewhere=True):
        book[cohort].met.append(read)
    for cohort, read, item, earlier in _by_cohort(answers, _gone(answers, groups, shown, new)):
        book[cohort].add_broken(read, item, earlier)
    return book.closed(lambda read, item, earlier: _tell(answers, read, item, earlier))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Groups:
    """Views by session and object, whatever the region. `several`: more than one region, or one that is not known."""

    of_view: Ints
    of_operation: Ints
    several: Bools

    def __len__(self) -> int:
        return len(self.several)


def _groups_of(answers: Answers) -> _Groups:
    processes, views = answers.processes, answers.views
    word = packed(processes.session[views.process], views.object, views.objects)
    words, of_view = np.unique(word, return_inverse=True)
    several = np.bincount(of_view, minlength=len(words)) > 1
    several[of_view[processes.region[views.process] == UNKNOWN]] = True
    of_operation = np.full(len(answers.history), UNKNOWN, dtype=np.int64)
    reads = np.flatnonzero(answers.history.answered)
    of_operation[reads] = of_view[views.of_operation[reads]]
    return _Groups(of_view=of_view.astype(np.int64), of_operation=of_operation, several=several)


# --- judged ---------------------------------------------------------------------------------------------------------


def _settled(answers: Answers, shown: Ints, new: Bools) -> Ints:
    """Reads that showed again what their session had seen in the same place."""
    again = shown - np.bincount(answers.by_view.read[new], minlength=len(answers.history))
    result: Ints = np.flatnonzero((again > 0) & (answers.history.served != UNKNOWN))
    return result


def _seen_from_several_places(answers: Answers, groups: _Groups) -> Pairs:
    """Of what was shown and reached, that which its session saw in this object at more than one place."""
    items, by_view = len(answers.items), answers.by_view
    rows = np.flatnonzero(groups.several[groups.of_view][by_view.viewer])
    word = packed(groups.of_view[by_view.viewer[rows]], by_view.item[rows], items)
    nowhere = answers.processes.region[answers.views.process[by_view.viewer[rows]]] == UNKNOWN
    several = _several(word, nowhere)
    known = np.zeros(items, dtype=bool)
    known[unpacked(several, items)[1]] = True
    some = np.flatnonzero(groups.several[groups.of_operation][answers.seen.read] & answers.reached)
    some = some[known[answers.seen.item[some]]]
    read, item = answers.seen.read[some], answers.seen.item[some]
    there = contains(several, packed(groups.of_operation[read], item, items))
    return Pairs(read=read[there], item=item[there])


def _several(word: Ints, nowhere: Bools) -> Ints:
    """The words that come more than once, or from nowhere that is known; in order."""
    ordered = np.sort(word)
    return np.union1d(ordered[~starts(ordered)], word[nowhere])


# --- broken ---------------------------------------------------------------------------------------------------------


def _gone(answers: Answers, groups: _Groups, shown: Ints, new: Bools) -> Pairs:
    """What the session had seen in this object, wherever it was, and this read had to show and did not."""
    history, items, clock, by_view = answers.history, answers.items, answers.clock, answers.by_view
    first = _first_in_group(answers, groups)
    again = shown - np.bincount(by_view.read[new & first], minlength=len(history))
    again -= _mortal_again(answers, new & first)
    reads, suspect = _suspects(answers, groups, first, again)
    rows = np.flatnonzero(first & suspect[groups.of_view][by_view.viewer])
    item, read = by_view.item[rows], by_view.read[rows]
    candidates = Candidates(
        group=groups.of_view[by_view.viewer[rows]],
        item=item,
        birth=read,
        births=len(history),
        death=clock.at(items.deleted_s[item]),
        deaths=len(clock),
        age=items.age[item],
        ages=history.ages,
    )
    readings = Readings(
        read=reads,
        group=groups.of_operation[reads],
        born_before=reads,
        dies_from=clock.completed[reads] + 1,
        oldest=answers.oldest[reads],
        shown=again[reads],
    )
    return Pairs.of(absences(candidates, readings, answers.seen))


def _first_in_group(answers: Answers, groups: _Groups) -> Bools:
    """Of the first sightings by view those that are the first by group: all, where a group has only one view."""
    by_view = answers.by_view
    first = ~groups.several[groups.of_view][by_view.viewer]
    shared = np.flatnonzero(~first)
    group = groups.of_view[by_view.viewer[shared]]
    line = np.lexsort((by_view.read[shared], by_view.item[shared], group))
    first[shared[line[starts(group[line], by_view.item[shared][line])]]] = True
    return first


def _mortal_again(answers: Answers, new: Bools) -> Ints:
    """By operation: how many items that are deleted at some time it had to show, and had been seen before."""
    mortal, size = np.isfinite(answers.items.deleted_s), len(answers.history)
    if not mortal.any():
        return np.zeros(size, dtype=np.int64)
    shown = np.bincount(answers.seen.read[answers.reached & mortal[answers.seen.item]], minlength=size)
    return shown - np.bincount(answers.by_view.read[new & mortal[answers.by_view.item]], minlength=size)


def _suspects(answers: Answers, groups: _Groups, first: Bools, again: Ints) -> tuple[Ints, Bools]:
    """Reads that did not show as much again as their group had seen before, and the groups of such reads."""
    new = np.bincount(answers.by_view.read[first], minlength=len(answers.history))
    reads = np.flatnonzero(answers.history.answered)
    reads = reads[np.argsort(groups.of_operation[reads], kind="stable")]
    group = groups.of_operation[reads]
    so_far = np.cumsum(new[reads]) - new[reads]
    begin = np.searchsorted(group, group)
    wanting = so_far - so_far[begin] > again[reads]
    wanting &= answers.oldest[reads] < answers.history.ages
    suspect = np.zeros(len(groups), dtype=bool)
    suspect[group[wanting]] = True
    return reads[wanting], suspect


# --- where it was seen before ---------------------------------------------------------------------------------------


def _by_cohort(answers: Answers, pairs: Pairs, *, elsewhere: bool = False) -> Iterator[tuple[Cohort, Ints, Ints, Ints]]:
    """Read, item and the first earlier read that saw it, for every region at which the session had seen it before.

    `elsewhere`: but for the region that served this read.
    """
    views, processes = answers.views, answers.processes
    mine = views.of_operation[pairs.read]
    session, object_ = processes.session[views.process[mine]], views.object[mine]
    for region in range(processes.at.shape[1]):
        process = processes.at[session, region]
        some = np.flatnonzero((process != UNKNOWN) & ~(elsewhere & (answers.history.served[pairs.read] == region)))
        view = views.at(process[some], object_[some])
        some, view = some[view != UNKNOWN], view[view != UNKNOWN]
        earlier = answers.by_view.first(view, pairs.item[some])
        before = earlier < pairs.read[some]
        some, earlier = some[before], earlier[before]
        here = answers.same_region(earlier, pairs.read[some])
        for cohort, chosen in ((Cohort.STICKY, here), (Cohort.MOVED, ~here)):
            yield cohort, pairs.read[some[chosen]], pairs.item[some[chosen]], earlier[chosen]


def _tell(answers: Answers, read: int, item: int, earlier: int) -> Witness:
    history, name = answers.history, answers.items.name[item]
    steps = (step(history, f"saw {name}", earlier), step(history, f"missed {name}", read, missed=name))
    saw, missed = (each.operation for each in steps)
    sentence = (
        f"Session {missed.session} saw {name} {place_and_time(saw)} "
        f"and no longer {place_and_time(missed)} in {missed.object}."
    )
    return Witness(sentence=sentence, ids=(name,), steps=steps)
