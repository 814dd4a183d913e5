"""What nobody wrote, or only in vain, and a read shows all the same."""

import numpy as np

from harness.verify.consistency.answers import Answers
from harness.verify.consistency.finding import Caught, Step, Witness, caught, place_and_time, step
from harness.verify.consistency.history import UNKNOWN, Ending, Kind


def unexpected(answers: Answers) -> Caught:
    """As many unexplained items are excused as there were writes of unknown id begun before they were shown."""
    history, items = answers.history, answers.items
    strange = np.zeros(len(items), dtype=bool)
    strange[answers.seen.item] = True
    strange &= (items.author == UNKNOWN) & ~items.seeded
    nameless = (history.kind == Kind.WRITE) & (history.ending != Ending.FAIL) & (history.item == UNKNOWN)
    begun_s = history.invoked_s[nameless]
    found, explained = [], 0
    suspects = np.flatnonzero(strange)
    for item in suspects[np.argsort(items.first_seen_s[suspects], kind="stable")]:
        begun = int(np.searchsorted(begun_s, items.first_seen_s[item], side="right"))
        if not items.failed[item] and explained < begun:
            explained += 1
        else:
            found.append(int(item))
    return caught(answers.items.name, found, lambda item: _tell_unexpected(answers, item))


def _tell_unexpected(answers: Answers, item: int) -> Witness:
    history, name = answers.history, answers.items.name[item]
    reads = answers.by_process.read[answers.by_process.item == item]
    read = int(reads[np.argmin(history.completed_s[reads])])
    attempts = np.flatnonzero((history.kind == Kind.WRITE) & (answers.items.of_operation == item))
    steps: tuple[Step, ...] = tuple(step(history, f"wrote {name} in vain", int(each)) for each in attempts)
    steps = (*steps, step(history, f"saw {name}", read))
    saw = steps[-1].operation
    why = "though its write was refused" if len(attempts) else "which nobody wrote"
    sentence = f"Session {saw.session} saw {name} {place_and_time(saw)} in {saw.object}, {why}."
    return Witness(sentence=sentence, ids=(name,), steps=steps)
