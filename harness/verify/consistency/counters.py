"""Counters: what a read shows lies between what must and what may have been counted by then, and is exact in the end.

A counter's region counts what it took itself at once and what others took later. So a read shows at least all that its
own region had acknowledged before it began, and at most all that had begun anywhere before it was over: outside of that
nothing can explain it. Less than what all regions had acknowledged is *behind*, which is no error while links lag.

In the end a region shows exactly what was acknowledged, plus some of what is of unknown fate: 10 acknowledged and one
unknown 5 make 10 or 15, and 12 is wrong. Where those are too many and too different to tell, it is undecided.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from harness.verify.consistency.answers import Answers
from harness.verify.consistency.finding import WITNESSES, Witness, place_and_time, step
from harness.verify.consistency.history import Bools, Ending, Floats, History, Ints, Kind
from harness.verify.consistency.packing import packed
from harness.verify.consistency.subset_sums import is_sum_of_some

NONE: Ints = np.empty(0, dtype=np.int64)


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedAtRegion:
    """Reads `judged` while the run went on, of which `behind` saw less than was acknowledged anywhere; final ones.

    `above`, `below` and `wrong` are indices of operations. `unread` are counters without a final read there,
    `undecided` those of whose final read nobody can tell whether it is right: not among the `finally_judged`.
    """

    judged: int
    behind: int
    above: Ints
    below: Ints
    finally_judged: int
    wrong: Ints
    unread: tuple[str, ...]
    undecided: tuple[str, ...]
    witnesses: tuple[Witness, ...]


def counters(answers: Answers) -> Mapping[str, CountedAtRegion]:
    """By region."""
    history, bounds = answers.history, _bounds(answers)
    increments = _increments(history)
    return {name: _at_region(history, bounds, increments, region) for region, name in enumerate(history.regions)}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bounds:
    """Of each read of a counter the least it has to show by its own region, by all, and the most it may."""

    read: Ints
    least: Floats
    least_of_all: Floats
    most: Floats


def _bounds(answers: Answers) -> _Bounds:
    history = answers.history
    read = np.flatnonzero(history.answered & ~np.isnan(history.amount))
    sums = _Sums(answers, read)
    surely = (history.kind == Kind.INCREMENT) & (history.ending == Ending.OK)
    maybe = (history.kind == Kind.INCREMENT) & (history.ending != Ending.FAIL)
    up, down = history.amount > 0, history.amount < 0
    at_most_down, at_most_up = sums.begun(maybe & down), sums.begun(maybe & up)
    own_up, own_down = np.zeros(len(read)), np.zeros(len(read))
    for region in range(len(history.regions)):
        here = history.served[read] == region
        by_region = surely & (history.served == region)
        own_up[here] = sums.done(by_region & up)[here]
        own_down[here] = sums.done(by_region & down)[here]
    start = history.initial[history.object[read]]
    return _Bounds(
        read=read,
        least=start + own_up + at_most_down,
        least_of_all=start + sums.done(surely & up) + at_most_down,
        most=start + at_most_up + own_down,
    )


class _Sums:
    """Sums of amounts by counter, up to each read."""

    def __init__(self, answers: Answers, read: Ints) -> None:
        self._history = answers.history
        self._read = read
        self._clock = answers.clock

    def done(self, which: Bools) -> Floats:
        """Of those that were completed before the read began."""
        return self._sum(which, self._clock.completed, self._clock.invoked[self._read])

    def begun(self, which: Bools) -> Floats:
        """Of those that began before the read was over."""
        return self._sum(which, self._clock.invoked, self._clock.completed[self._read] + 1)

    def _sum(self, which: Bools, instant: Ints, before: Ints) -> Floats:
        some, size = np.flatnonzero(which), len(self._clock)
        word = packed(self._history.object[some], instant[some], size)
        line = np.argsort(word, kind="stable")
        so_far = np.concatenate([[0.0], np.cumsum(self._history.amount[some[line]])])
        counter = self._history.object[self._read]
        first = np.searchsorted(word[line], packed(counter, np.zeros_like(counter), size))
        last = np.searchsorted(word[line], packed(counter, before, size))
        result: Floats = so_far[last] - so_far[first]
        return result


def _at_region(history: History, bounds: _Bounds, increments: Mapping[int, Ints], region: int) -> CountedAtRegion:
    here = history.served[bounds.read] == region
    read, shown = bounds.read[here], history.amount[bounds.read[here]]
    least, most = bounds.least[here], bounds.most[here]
    above, below = shown > most, shown < least
    final = _final_reads(history, region)
    possible = {counter: _is_possible(history, increments.get(counter, NONE), each) for counter, each in final.items()}
    wrong = [final[counter] for counter, fits in possible.items() if fits is False]
    undecided = [counter for counter, fits in possible.items() if fits is None]
    on_the_way = ~np.isin(read, wrong)  # a final read that is wrong is told once
    outside = [
        *((int(read[i]), f"at most {most[i]:g} was possible") for i in np.flatnonzero(above & on_the_way)[:WITNESSES]),
        *((int(read[i]), f"at least {least[i]:g} was due") for i in np.flatnonzero(below & on_the_way)[:WITNESSES]),
        *((each, "no choice of the unknown ones comes to that") for each in wrong[:WITNESSES]),
    ]
    return CountedAtRegion(
        judged=len(read),
        behind=int((shown < bounds.least_of_all[here]).sum()),
        above=read[above],
        below=read[below],
        finally_judged=len(final) - len(undecided),
        wrong=np.array(sorted(wrong), dtype=np.int64),
        unread=tuple(history.objects[counter] for counter in increments if counter not in final),
        undecided=tuple(history.objects[counter] for counter in undecided),
        witnesses=tuple(_tell(history, increments, each, why) for each, why in outside),
    )


def _increments(history: History) -> dict[int, Ints]:
    """Those that may have taken effect, by counter."""
    some = np.flatnonzero((history.kind == Kind.INCREMENT) & (history.ending != Ending.FAIL))
    some = some[np.argsort(history.object[some], kind="stable")]
    counters_, begin = np.unique(history.object[some], return_index=True)
    return dict(zip(counters_.tolist(), np.split(some, begin[1:]), strict=True)) if len(some) else {}


def _final_reads(history: History, region: int) -> dict[int, int]:
    """The last final read of each counter."""
    some = history.answered & history.final & ~np.isnan(history.amount) & (history.served == region)
    reads = np.flatnonzero(some)
    return dict(zip(history.object[reads].tolist(), reads.tolist(), strict=True))


def _is_possible(history: History, increments: Ints, read: int) -> bool | None:
    """Whether it is the sum of all that was acknowledged before, and of some choice of the rest; None: not known."""
    begun = increments[history.invoked_s[increments] <= history.completed_s[read]]
    surely = (history.ending[begun] == Ending.OK) & (history.completed_s[begun] < history.invoked_s[read])
    certain = history.initial[history.object[read]] + history.amount[begun[surely]].sum()
    return is_sum_of_some(history.amount[begun[~surely]].tolist(), float(history.amount[read] - certain))


def _tell(history: History, increments: Mapping[int, Ints], read: int, why: str) -> Witness:
    """With the increments of unknown fate, and the last acknowledged ones before the read."""
    mine = increments.get(int(history.object[read]), NONE)
    before = mine[history.invoked_s[mine] <= history.completed_s[read]]
    acked = history.ending[before] == Ending.OK
    told = sorted([*before[~acked][-WITNESSES:].tolist(), *before[acked][-WITNESSES:].tolist()])
    steps = (*(step(history, f"added {history.amount[each]:g}", each) for each in told), step(history, "read", read))
    saw = steps[-1].operation
    sentence = f"{saw.object} shows {saw.amount:g} {place_and_time(saw)}: {why}."
    return Witness(sentence=sentence, ids=(saw.object,), steps=steps)
