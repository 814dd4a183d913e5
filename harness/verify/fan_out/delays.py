"""How long each post is missed after it was acknowledged, by whoever reads what it was written to.

A read misses a post that had room on its page: one that is newer than something that the page shows. A post's delay
is the time from its acknowledgement to the beginning of the last read that missed it, 0 if none did, and infinite if no
later read showed it: then it came when its place was gone, or never. Posts that no read could tell of have none.
"""

from dataclasses import dataclass

import numpy as np

from harness.verify.consistency.answers import Answers
from harness.verify.consistency.history import UNKNOWN, Bools, Floats, Ints

NEVER = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Delays:
    """Of acknowledged posts that some read could tell of; `missed_in_the_end` by a final read."""

    post: tuple[str, ...]
    acked_s: Floats
    delay_s: Floats
    missed_in_the_end: Bools


def delays(answers: Answers) -> Delays:
    history, items = answers.history, answers.items
    acked = np.flatnonzero((items.author != UNKNOWN) & np.isfinite(items.acked_s) & ~np.isfinite(items.deleted_s))
    after = answers.absent.chosen(history.invoked_s[answers.absent.read] >= items.acked_s[answers.absent.item])
    own = items.object[answers.seen.item] == history.object[answers.seen.read]
    shown = _latest(answers, answers.seen.read[own], answers.seen.item[own])
    missed = _latest(answers, after.read, after.item)
    in_the_end = np.zeros(len(items), dtype=bool)
    in_the_end[after.item[history.final[after.read]]] = True
    delay_s = np.where(missed == NEVER, 0.0, history.invoked_s[missed] - items.acked_s)
    delay_s = np.where(missed > shown, np.inf, delay_s)
    told = acked[(shown[acked] != NEVER) | (missed[acked] != NEVER)]
    return Delays(
        post=tuple(items.name[item] for item in told),
        acked_s=items.acked_s[told],
        delay_s=delay_s[told],
        missed_in_the_end=in_the_end[told],
    )


def _latest(answers: Answers, read: Ints, item: Ints) -> Ints:
    """By item: the last of the reads to begin."""
    latest = np.full(len(answers.items), NEVER, dtype=np.int64)
    np.maximum.at(latest, item, read)
    return latest
