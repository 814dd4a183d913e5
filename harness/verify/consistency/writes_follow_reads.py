"""Writes follow reads: who sees a write sees what its author had seen before; a reply never comes without its parent.

An obligation has four operations: the author's read that saw the first item, its write of the second, and a read that
shows the second and has to show the first. sticky: one region served all of them; remote: one served the author,
another the last read; moved: two served the author.

A read counts as judged if it shows a write whose author had seen, before it, something of the same object that this
read had to show: acknowledged and never deleted.
"""

from dataclasses import dataclass

import numpy as np

from harness.verify.consistency.answers import Answers
from harness.verify.consistency.finding import Casebook, Cohort, Finding, Witness, place_and_time, step
from harness.verify.consistency.history import UNKNOWN, Bools, Ints
from harness.verify.consistency.packing import contains, packed, spread, starts, unpacked

NOTHING = UNKNOWN - 1  # an age older than any that is known or not


def writes_follow_reads(answers: Answers) -> Finding:
    book = Casebook(answers.history)
    runs, regions = _runs(answers), range(answers.processes.at.shape[1])
    _add_judged(book, answers, _News.of(answers), regions)
    for region in regions:
        _add_broken(book, answers, runs, region)
    return book.closed(lambda read, first, second, earlier: _tell(answers, read, first, second, earlier))


def _cohorts(answers: Answers, second: Ints, region: int, read: Ints) -> Ints:
    """Position among the cohorts, where the author saw the first item at that region (the last one is "unknown")."""
    process = answers.items.process[second]
    stayed = (answers.processes.region[process] == region) & (region < len(answers.history.regions))
    here = answers.at_author(second, read)
    sticky, remote, moved = (list(Cohort).index(each) for each in (Cohort.STICKY, Cohort.REMOTE, Cohort.MOVED))
    return np.where(stayed, np.where(here, sticky, remote), moved)


# --- judged ---------------------------------------------------------------------------------------------------------


def _add_judged(book: Casebook, answers: Answers, news: "_News", regions: range) -> None:
    by_region = [news.before_each_write(answers, region) for region in regions]
    newest = np.maximum.reduce(by_region)
    some = np.flatnonzero((newest != NOTHING)[answers.seen.item])
    read, second = answers.seen.read[some], answers.seen.item[some]
    due = answers.history.object[read] == answers.items.object[second]
    due &= newest[second] >= answers.oldest[read]
    read, second = read[due], second[due]
    for region in regions:
        some = np.flatnonzero((by_region[region] != NOTHING)[second])
        some = some[by_region[region][second[some]] >= answers.oldest[read[some]]]
        where, reader = _cohorts(answers, second[some], region, read[some]), read[some]
        for number, cohort in enumerate(Cohort):
            book[cohort].met.append(reader[where == number])


@dataclass(frozen=True, slots=True, kw_only=True)
class _News:
    """The age of the newest thing of an object that a process had seen, after each of its first sightings.

    Only of objects that the session itself wrote to.
    """

    group: Ints  # of each row: process and object in one
    when: Ints  # of each row: group and read in one, ascending
    age: Ints
    groups: Ints  # process and object in one, ascending

    @classmethod
    def of(cls, answers: Answers) -> "_News":
        items, by_process = answers.items, answers.by_process
        lasting = np.isfinite(items.acked_s) & np.isposinf(items.deleted_s)
        row = np.flatnonzero(_seen_by_writers(answers) & lasting[by_process.item])
        item, objects, reads = by_process.item[row], len(answers.history.objects), len(answers.history)
        word = packed(by_process.viewer[row], items.object[item], objects)
        groups, group = np.unique(word, return_inverse=True)
        when = packed(group.astype(np.int64), by_process.read[row], reads)
        line = np.argsort(when, kind="stable")
        group = group[line].astype(np.int64)
        ages = answers.history.ages + 1  # counted from UNKNOWN on
        so_far = np.maximum.accumulate(packed(group, items.age[item[line]] - UNKNOWN, ages))
        newest = unpacked(so_far, ages)[1] + UNKNOWN
        return cls(group=group, when=when[line], age=newest, groups=groups)

    def before_each_write(self, answers: Answers, region: int) -> Ints:
        """By item: of its object, by its author at that region; NOTHING where there was no such thing."""
        items, processes = answers.items, answers.processes
        newest = np.full(len(items), NOTHING, dtype=np.int64)
        some = np.flatnonzero(items.process != UNKNOWN)
        process = processes.at[processes.session[items.process[some]], region]
        some, process = some[process != UNKNOWN], process[process != UNKNOWN]
        if len(self.when) == 0 or len(some) == 0:
            return newest
        wanted = packed(process, items.object[some], len(answers.history.objects))
        mine = np.minimum(np.searchsorted(self.groups, wanted), len(self.groups) - 1)
        place = np.searchsorted(self.when, packed(mine, items.author[some], len(answers.history))) - 1
        found = (self.groups[mine] == wanted) & (place >= 0) & (self.group[place] == mine)
        newest[some[found]] = self.age[place[found]]
        return newest


def _seen_by_writers(answers: Answers) -> Bools:
    """First sightings by a session that wrote something to the item's object."""
    items, session, by_process = answers.items, answers.history.session, answers.by_process
    certain = np.flatnonzero(items.process != UNKNOWN)
    objects = len(answers.history.objects)
    wrote = np.unique(packed(session[items.author[certain]], items.object[certain], objects))
    writer, object_ = unpacked(wrote, objects)
    only = np.full(objects + 1, UNKNOWN, dtype=np.int64)  # the last place is for items that nobody wrote
    only[object_] = writer
    several = np.bincount(object_, minlength=objects + 1) > 1
    viewer = answers.processes.session[by_process.viewer]
    seen_object = items.object[by_process.item]
    result: Bools = only[seen_object] == viewer
    open_ = np.flatnonzero(several[seen_object])
    result[open_] = contains(wrote, packed(viewer[open_], seen_object[open_], objects))
    return result


# --- broken ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Runs:
    """The newest item of each process that a read shows, for the reads that missed anything; by read."""

    read: Ints
    newest: Ints


def _add_broken(book: Casebook, answers: Answers, runs: "_Runs", region: int) -> None:
    items, processes, missed = answers.items, answers.processes, answers.missed
    low, high = np.searchsorted(runs.read, missed.read), np.searchsorted(runs.read, missed.read, side="right")
    for row, place in spread(low, high):
        read, first, second = missed.read[row], missed.item[row], runs.newest[place]
        process = processes.at[processes.session[items.process[second]], region]
        earlier = answers.by_process.first(process, first)
        broken = earlier < items.author[second]
        read, first, second, earlier = read[broken], first[broken], second[broken], earlier[broken]
        where = _cohorts(answers, second, region, read)
        for number, cohort in enumerate(Cohort):
            chosen = where == number
            book[cohort].add_broken(read[chosen], first[chosen], second[chosen], earlier[chosen])


def _runs(answers: Answers) -> _Runs:
    wanting = np.zeros(len(answers.history), dtype=bool)
    wanting[answers.missed.read] = True
    some = np.flatnonzero(wanting[answers.seen.read])
    some = some[answers.items.process[answers.seen.item[some]] != UNKNOWN]
    read, item = answers.seen.read[some], answers.seen.item[some]
    last = np.append(starts(read, answers.items.process[item])[1:], True)[: len(some)]
    return _Runs(read=read[last], newest=item[last])


def _tell(answers: Answers, read: int, first: int, second: int, earlier: int) -> Witness:
    history, items = answers.history, answers.items
    parent, reply = items.name[first], items.name[second]
    steps = (
        step(history, f"wrote {parent}", int(items.author[first])),
        step(history, f"saw {parent}", earlier),
        step(history, f"wrote {reply}", int(items.author[second])),
        step(history, f"saw {reply}, missed {parent}", read, missed=parent),
    )
    saw, then, missed = (each.operation for each in steps[-3:])
    sentence = (
        f"Session {saw.session} saw {parent} {place_and_time(saw)} and wrote {reply} {place_and_time(then)}; "
        f"a read {place_and_time(missed)} shows {reply} without {parent}."
    )
    return Witness(sentence=sentence, ids=(parent, reply), steps=steps)
