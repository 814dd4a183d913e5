"""How likely a write of a certain age is seen by somebody new, for each directed pair of regions.

Known as t-visibility, the time-bound half of Bailis et al., "Probabilistically Bounded Staleness" (VLDB 2012): written
in one region, read in another one t seconds later. What counts as a probe is a read that is the first thing its session
does: nothing was promised to it, so no region waits for it or asks elsewhere on its behalf. It is a probe of every
acknowledged write that it had to show; `staleness` follows each item over time instead, through everybody's reads.

Judged by nothing: how soon the others see something is for an experiment to bound (`staleness_p99`).
"""

import math
from collections.abc import Sequence

import numpy as np

from harness.verify import statistics
from harness.verify.consistency.answers import Answers
from harness.verify.consistency.history import UNKNOWN, Bools, Floats, Ints
from harness.verify.verdict import Visibility, VisibleShare
from harness.verify.windows import Window

AGES_S = (0.0, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0)  # of a write when the read began; each up to the next one
assert AGES_S[0] == 0.0
assert list(AGES_S) == sorted(set(AGES_S))


def visibility(answers: Answers, *, disturbed: Sequence[Window]) -> tuple[Visibility, ...]:
    """By writer's and reader's region, once without and once with a disturbance at any time from the write's
    acknowledgement to the read's end. Ages and pairs that nobody probed are left out.

    A read counts once for each age: as the share of the writes of that age that it showed, since what one page shows is
    one draw. The interval is Clopper and Pearson's over reads, with a share rounded away from it on either side.
    """
    history, items = answers.history, answers.items
    read = np.concatenate([answers.met.read, answers.missed.read])
    item = np.concatenate([answers.met.item, answers.missed.item])
    shown = np.repeat([1.0, 0.0], [len(answers.met), len(answers.missed)])
    probes = _probes(answers, read, item)
    read, item, shown = read[probes], item[probes], shown[probes]
    age = np.searchsorted(AGES_S, history.invoked_s[read] - items.acked_s[item], side="right") - 1
    ill = _overlaps(disturbed, items.acked_s[item], history.completed_s[read])
    source, reader = history.served[items.author[item]], history.served[read]
    found = []
    for a, writer in enumerate(history.regions):
        for b, name in enumerate(history.regions):
            for during in (False, True):
                mine = (source == a) & (reader == b) & (ill == during)
                ages = _by_age(age[mine], read[mine], shown[mine])
                if ages:
                    found.append(Visibility(writer=writer, reader=name, disturbed=during, ages=ages))
    return tuple(found)


def _probes(answers: Answers, read: Ints, item: Ints) -> Bools:
    """Reads by nobody known, of writes that were acknowledged before and not deleted until after."""
    history, items = answers.history, answers.items
    first = np.full(len(history.sessions), len(history), dtype=np.int64)
    np.minimum.at(first, history.session, np.arange(len(history)))
    served = (history.served[read] != UNKNOWN) & (history.served[items.author[item]] != UNKNOWN)
    lasting = items.deleted_s[item] > history.completed_s[read]
    result: Bools = (
        served & lasting & (items.acked_s[item] <= history.invoked_s[read]) & (first[history.session[read]] == read)
    )
    return result


def _overlaps(windows: Sequence[Window], from_s: Floats, to_s: Floats) -> Bools:
    found = np.zeros(len(from_s), dtype=bool)
    for window in windows:
        found |= (from_s < window.end_s) & (to_s >= window.start_s)
    return found


def _by_age(age: Ints, read: Ints, shown: Floats) -> tuple[VisibleShare, ...]:
    found = []
    for number in np.unique(age):
        mine = age == number
        reads, of = np.unique(read[mine], return_inverse=True)
        seen = float((np.bincount(of, weights=shown[mine]) / np.bincount(of)).sum())
        low, _ = statistics.ends(statistics.clopper_pearson(math.floor(seen + 1e-9), len(reads)))
        _, high = statistics.ends(statistics.clopper_pearson(math.ceil(seen - 1e-9), len(reads)))
        found.append(
            VisibleShare(
                from_s=AGES_S[number],
                until_s=AGES_S[number + 1] if number + 1 < len(AGES_S) else None,
                reads=len(reads),
                share=seen / len(reads),
                low=low,
                high=high,
            )
        )
    return tuple(found)
