"""What was deleted for good, and what came back although every region had shown that it was gone."""

from collections.abc import Sequence

import numpy as np

from harness.verify.consistency.answers import Answers
from harness.verify.consistency.finding import Caught, Witness, caught, place_and_time, step
from harness.verify.consistency.history import UNKNOWN, Bools, Floats, Ints
from harness.verify.consistency.packing import starts


def deleted_before(answers: Answers, item: Ints, instant_s: Floats) -> Bools:
    """A delete was acknowledged by then, of something that was all written before it: nothing can bring it back."""
    items, deletion = answers.items, answers.items.deletion[item]
    done_s, began_s = answers.history.completed_s[deletion], answers.history.invoked_s[deletion]
    result: Bools = (deletion != UNKNOWN) & (done_s <= instant_s) & (items.settled_s[item] <= began_s)
    return result


def deletes_read_after(answers: Answers) -> int:
    """After how many deletes every region was asked for their objects."""
    history, items = answers.history, answers.items
    done_s = _deleted_for_good_s(answers)
    deleted = np.flatnonzero(np.isfinite(done_s))
    reads = np.flatnonzero(history.answered & (history.served != UNKNOWN))
    last_s = np.full((len(history.regions), len(history.objects)), -np.inf)
    np.maximum.at(last_s, (history.served[reads], history.object[reads]), history.invoked_s[reads])
    done_s = done_s[deleted]
    return int((last_s.min(axis=0)[items.object[deleted]] >= done_s).sum()) if len(deleted) else 0


def _deleted_for_good_s(answers: Answers) -> Floats:
    """Of each item when its delete was acknowledged; infinite if there is none, or one that proves nothing."""
    items = answers.items
    deleted = deleted_before(answers, np.arange(len(items)), np.full(len(items), np.inf))
    result = np.full(len(items), np.inf)
    result[deleted] = answers.history.completed_s[items.deletion[deleted]]
    return result


def resurrected(answers: Answers) -> Caught:
    history, items, seen = answers.history, answers.items, answers.seen
    done_s = _deleted_for_good_s(answers)
    some = np.flatnonzero(np.isfinite(done_s)[seen.item])
    late = np.zeros(len(items), dtype=bool)
    late[seen.item[some[done_s[seen.item[some]] <= history.invoked_s[seen.read[some]]]]] = True
    some = some[late[seen.item[some]]]
    sightings = _grouped(seen.item[some], seen.read[some])
    reads = np.flatnonzero(history.answered)
    of_object = _grouped(history.object[reads], reads)
    found: dict[int, tuple[list[int], int]] = {}
    for item, of_item in sightings.items():
        others = np.setdiff1d(of_object[int(items.object[item])], of_item)
        others = others[answers.covers(others, np.full(len(others), item))]
        shown_s, proof = _delete_shown(answers, float(done_s[item]), of_item, others)
        back = of_item[history.invoked_s[of_item] >= shown_s]
        if len(back):
            found[item] = (proof, int(back[0]))
    return caught(answers.items.name, found, lambda item: _tell_resurrected(answers, item, *found[item]))


def _grouped(group: Ints, read: Ints) -> dict[int, Ints]:
    """Reads by group, ascending in each."""
    line = np.lexsort((read, group))
    cuts = np.flatnonzero(starts(group[line]))
    return (
        {int(group[line[cut]]): part for cut, part in zip(cuts, np.split(read[line], cuts[1:]), strict=True)}
        if len(line)
        else {}
    )


def _delete_shown(answers: Answers, done_s: float, sightings: Ints, others: Ints) -> tuple[float, list[int]]:
    """When every region had shown the delete, and the reads that did; infinite while any had not.

    A region that never showed the item proves nothing by not showing it: it may not have come there yet.
    """
    history, proof = answers.history, list[int]()
    for region in range(len(history.regions)):
        there = sightings[history.served[sightings] == region]
        if len(there) == 0:
            return np.inf, proof
        since_s = max(done_s, float(history.completed_s[there].min()))
        reads = others[(history.served[others] == region) & (history.invoked_s[others] >= since_s)]
        if len(reads) == 0:
            return np.inf, proof
        proof.append(int(reads[np.argmin(history.completed_s[reads])]))
    return float(history.completed_s[proof].max()), proof


def _tell_resurrected(answers: Answers, item: int, proof: Sequence[int], read: int) -> Witness:
    history, name = answers.history, answers.items.name[item]
    steps = (
        step(history, f"deleted {name}", int(answers.items.deletion[item])),
        *(step(history, f"no longer saw {name}", each) for each in proof),
        step(history, f"saw {name} again", read),
    )
    saw = steps[-1].operation
    sentence = f"{name} was gone from every region and is back {place_and_time(saw)} in {saw.object}."
    return Witness(sentence=sentence, ids=(name,), steps=steps)
