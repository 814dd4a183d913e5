"""What was acknowledged is there in every region in the end, once, and nothing else.

The final reads decide, the last one of each region and object. By region:

    lost        acknowledged, and its final read does not show it
    unread      acknowledged, and no final read of that region had to show it: nothing is known
    recovered   of unknown fate, and there
    undeleted   its delete was acknowledged before the final read began, and there

and whatever region it is:

    unexpected  shown by any read, and nobody wrote it, or only in vain
    duplicated  shown twice in one answer, or by final reads under two ids of one idempotency key
    resurrected shown by a read that began after every region had shown its delete: had shown it, then did not
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from harness.verify.consistency.answers import Answers
from harness.verify.consistency.deletes import deleted_before, deletes_read_after, resurrected
from harness.verify.consistency.duplicates import duplicated
from harness.verify.consistency.finding import Caught, Witness, caught, place_and_time, step
from harness.verify.consistency.history import UNKNOWN, Ending, Ints, Kind
from harness.verify.consistency.unexpected import unexpected


@dataclass(frozen=True, slots=True, kw_only=True)
class AtRegion:
    """`acked` and `unsure` are how many items there were to look for, `unread` how many acknowledged ones were not.

    `deleted` is how many the final reads would show if their deletes had not come.
    """

    acked: int
    unsure: int
    unread: int
    unread_objects: tuple[str, ...]
    lost: Caught
    recovered: tuple[str, ...]
    deleted: int
    undeleted: Caught

    @property
    def judged(self) -> int:
        return self.acked - self.unread


@dataclass(frozen=True, slots=True, kw_only=True)
class Durability:
    """`answers` is how many answers were looked through, `deletes` after how many every region was read again.

    `untraceable` is how many acknowledged writes said neither an id nor a key, so that nobody can look for them.
    """

    by_region: Mapping[str, AtRegion]
    untraceable: int
    answers: int
    deletes: int
    unexpected: Caught
    duplicated: Caught
    resurrected: Caught

    @property
    def unread_regions(self) -> tuple[str, ...]:
        """Regions of which something acknowledged was not read in the end."""
        return tuple(region for region, found in self.by_region.items() if found.unread)


def durability(answers: Answers) -> Durability:
    final = _final_reads(answers)
    return Durability(
        by_region={name: _at_region(answers, final[region]) for region, name in enumerate(answers.history.regions)},
        untraceable=_untraceable(answers),
        answers=int(answers.history.answered.sum()),
        deletes=deletes_read_after(answers),
        unexpected=unexpected(answers),
        duplicated=duplicated(answers, final),
        resurrected=resurrected(answers),
    )


def _untraceable(answers: Answers) -> int:
    history = answers.history
    acked = (history.kind == Kind.WRITE) & (history.ending == Ending.OK)
    return int((acked & (history.item == UNKNOWN)).sum())


def _final_reads(answers: Answers) -> Ints:
    """[region, object] → the last final read that was answered, UNKNOWN if none."""
    history = answers.history
    final = np.full((len(history.regions), len(history.objects)), UNKNOWN, dtype=np.int64)
    reads = np.flatnonzero(history.answered & history.final & (history.served != UNKNOWN))
    final[history.served[reads], history.object[reads]] = reads
    return final


# --- region by region -----------------------------------------------------------------------------------------------


def _at_region(answers: Answers, final: Ints) -> AtRegion:
    history, items = answers.history, answers.items
    attempted = np.flatnonzero(items.author != UNKNOWN)
    read = final[items.object[attempted]]
    reached = (read != UNKNOWN) & answers.covers(read, attempted)
    acked = np.isfinite(items.acked_s[attempted])
    in_time = items.acked_s[attempted] <= history.invoked_s[read]
    shown = answers.seen.shows(read, attempted) & (read != UNKNOWN)
    excused = items.deleted_s[attempted] <= history.completed_s[read]
    unread = acked & ~(shown | (reached & in_time))
    lost = acked & ~unread & ~shown & ~excused
    deleted = (reached | shown) & deleted_before(answers, attempted, history.invoked_s[read])
    undeleted = shown & deleted
    last = dict(zip(attempted.tolist(), read.tolist(), strict=True))
    return AtRegion(
        acked=int(acked.sum()),
        unsure=int((~acked).sum()),
        unread=int(unread.sum()),
        unread_objects=tuple(history.objects[code] for code in np.unique(items.object[attempted[unread]])),
        lost=caught(answers.items.name, attempted[lost].tolist(), lambda item: _tell_lost(answers, item, last[item])),
        recovered=tuple(items.name[item] for item in attempted[~acked & shown]),
        deleted=int(deleted.sum()),
        undeleted=caught(
            answers.items.name, attempted[undeleted].tolist(), lambda item: _tell_undeleted(answers, item, last[item])
        ),
    )


def _tell_lost(answers: Answers, item: int, read: int) -> Witness:
    history, name = answers.history, answers.items.name[item]
    seen = _last_sighting(answers, item, read)
    steps = (
        step(history, f"wrote {name}", int(answers.items.author[item])),
        *((step(history, f"saw {name}", seen),) if seen != UNKNOWN else ()),
        step(history, f"missed {name}", read, missed=name),
    )
    wrote, missed = steps[0].operation, steps[-1].operation
    sentence = (
        f"{name} was acknowledged to session {wrote.session} {place_and_time(wrote)} "
        f"and is not in {missed.object} {place_and_time(missed)}, the final read."
    )
    return Witness(sentence=sentence, ids=(name,), steps=steps)


def _last_sighting(answers: Answers, item: int, before: int) -> int:
    reads = answers.by_process.read[answers.by_process.item == item]
    reads = reads[reads < before]
    return int(reads.max()) if len(reads) else UNKNOWN


def _tell_undeleted(answers: Answers, item: int, read: int) -> Witness:
    history, name = answers.history, answers.items.name[item]
    steps = (
        step(history, f"wrote {name}", int(answers.items.author[item])),
        step(history, f"deleted {name}", int(answers.items.deletion[item])),
        step(history, f"saw {name}", read),
    )
    deleted, saw = steps[-2].operation, steps[-1].operation
    sentence = (
        f"{name} was deleted {place_and_time(deleted)} "
        f"and is still in {saw.object} {place_and_time(saw)}, the final read."
    )
    return Witness(sentence=sentence, ids=(name,), steps=steps)
