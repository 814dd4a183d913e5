"""How long each post is missed after it was acknowledged, by whoever reads what it was written to.

A read misses a post that had room on its page: one that is newer than something that the page shows. A post was surely
missed from its acknowledgement to the beginning of the last read that missed it, 0 if none did; it was surely there
when the first read was over that began after that one and showed it. Between the two nobody looked. Where no later read
showed it both are infinite: then it came when its place was gone, or never. Posts that no read could tell of have none.
"""

from dataclasses import dataclass

import numpy as np

from harness.verify.consistency.answers import Answers, Pairs
from harness.verify.consistency.history import UNKNOWN, Bools, Floats, Ints

NEVER = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Delays:
    """Of acknowledged posts that some read could tell of, by time: how long each was missed at least and at most.

    `in_the_end`: a final read, long enough after the acknowledgement, could tell of it; `missed_in_the_end`: one did
    not show it.
    """

    post: tuple[str, ...]
    acked_s: Floats
    least_s: Floats
    most_s: Floats
    in_the_end: Bools
    missed_in_the_end: Bools


def delays(answers: Answers, *, settled_s: float) -> Delays:
    """Final reads count for posts that were acknowledged `settled_s` before them."""
    history, items = answers.history, answers.items
    acked = np.flatnonzero((items.author != UNKNOWN) & np.isfinite(items.acked_s) & ~np.isfinite(items.deleted_s))
    after = answers.absent.chosen(history.invoked_s[answers.absent.read] >= items.acked_s[answers.absent.item])
    own = items.object[answers.seen.item] == history.object[answers.seen.read]
    seen = Pairs(read=answers.seen.read[own], item=answers.seen.item[own])
    shown, missed, over_s = _latest(answers, seen), _latest(answers, after), np.full(len(items), np.inf)
    first_shown = seen.chosen(seen.read > missed[seen.item])
    np.minimum.at(over_s, first_shown.item, history.completed_s[first_shown.read])
    in_the_end, missed_in_the_end = (_in_final(answers, pairs, settled_s) for pairs in (seen, after))
    told = acked[(shown[acked] != NEVER) | (missed[acked] != NEVER)]
    told = told[np.argsort(items.acked_s[told], kind="stable")]
    acked_s, missed, gone = items.acked_s[told], missed[told], (missed > shown)[told]
    least_s = np.where(missed == NEVER, 0.0, history.invoked_s[missed] - acked_s)
    return Delays(
        post=tuple(items.name[item] for item in told),
        acked_s=acked_s,
        least_s=np.where(gone, np.inf, least_s),
        most_s=np.where(gone, np.inf, np.maximum(over_s[told] - acked_s, least_s)),
        in_the_end=(in_the_end | missed_in_the_end)[told],
        missed_in_the_end=missed_in_the_end[told],
    )


def _latest(answers: Answers, pairs: Pairs) -> Ints:
    """By item: the last of the reads to begin."""
    latest = np.full(len(answers.items), NEVER, dtype=np.int64)
    np.maximum.at(latest, pairs.item, pairs.read)
    return latest


def _in_final(answers: Answers, pairs: Pairs, settled_s: float) -> Bools:
    """By item: whether it is among these, with a final read that began so long after its acknowledgement."""
    history, items = answers.history, answers.items
    counts = history.final[pairs.read] & (history.invoked_s[pairs.read] >= items.acked_s[pairs.item] + settled_s)
    found = np.zeros(len(items), dtype=bool)
    found[pairs.item[counts]] = True
    return found
