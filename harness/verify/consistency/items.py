"""What was written: by whom, when it began, was acknowledged, was known, was deleted.

The *author* of an item is the write whose acknowledgement came first, else the first whose fate is unknown. An item
that was written more than once (a retry with the same idempotency key) does not tell which write made it: it has to be
there like any other, but its place in a session proves nothing about the order of things.
"""

from dataclasses import dataclass

import numpy as np

from harness.verify.consistency.history import UNKNOWN, Bools, Ending, Floats, History, Ints, Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Processes:
    """A session at one region that served it. Codes ascend by session, then by region; unknown regions come last."""

    of_operation: Ints
    session: Ints
    region: Ints
    at: Ints  # [session, region] → process, UNKNOWN where that region never served that session; last column: unknown

    def __len__(self) -> int:
        return len(self.session)


def processes_of(history: History) -> Processes:
    regions = len(history.regions) + 1
    served = np.where(history.served == UNKNOWN, regions - 1, history.served)
    codes, of_operation = np.unique(history.session * regions + served, return_inverse=True)
    session, region = codes // regions, codes % regions
    at = np.full((len(history.sessions), regions), UNKNOWN, dtype=np.int64)
    at[session, region] = np.arange(len(codes))
    return Processes(
        of_operation=of_operation.astype(np.int64),
        session=session,
        region=np.where(region == regions - 1, UNKNOWN, region),
        at=at,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Items:
    """One row an item. Codes ascend by the author's process, then by the author; items without a certain one come last.

    Instants are infinite where the thing never happened.
    """

    of_operation: Ints
    of_id: Ints
    name: tuple[str, ...]
    author: Ints  # operation; UNKNOWN: never attempted, or only in vain
    process: Ints  # the author's, where there was only one attempt; else UNKNOWN
    object: Ints
    begun_s: Floats  # first attempt's invocation
    settled_s: Floats  # when the last attempt was acknowledged; infinite if any was not
    acked_s: Floats
    first_seen_s: Floats  # completion of the first read that saw it
    deleted_s: Floats  # invocation of the first delete that may have taken effect
    deletion: Ints  # the first acknowledged delete; UNKNOWN if none
    failed: Bools  # attempted in vain only
    seeded: Bools
    age: Ints  # of its oldest id; UNKNOWN if that of any is

    def __len__(self) -> int:
        return len(self.author)

    @property
    def known_s(self) -> Floats:
        """From then on it counts as written: acknowledged, or shown by a read that has completed."""
        return np.minimum(self.acked_s, self.first_seen_s)


def items_of(history: History, processes: Processes) -> Items:
    count, attempted = history.items, (history.kind == Kind.WRITE) & (history.item != UNKNOWN)
    attempts = np.flatnonzero(attempted & (history.ending != Ending.FAIL))
    acked = attempts[history.ending[attempts] == Ending.OK]
    item = history.item[attempts]
    author = _authors(history, attempts, acked)
    number = np.bincount(item, minlength=count)
    alone = (number == 1) & (author != UNKNOWN)
    process = np.where(alone, processes.of_operation[author], UNKNOWN)
    line = np.lexsort((author, np.where(process == UNKNOWN, len(processes), process)))
    acked_s = _least(history.item[acked], history.completed_s[acked], count)
    settled = (number > 0) & (np.bincount(history.item[acked], minlength=count) == number)
    last_s = np.full(count, -np.inf)
    np.maximum.at(last_s, item, history.completed_s[attempts])
    failed = np.bincount(history.item[attempted], minlength=count) > 0
    deletes = np.flatnonzero((history.kind == Kind.DELETE) & (history.item != UNKNOWN))
    deletes = deletes[history.ending[deletes] != Ending.FAIL]
    seeded = np.zeros(count, dtype=bool)
    seeded[history.item_of_id[history.seeded]] = True
    moved = np.empty(count, dtype=np.int64)
    moved[line] = np.arange(count)
    return Items(
        of_operation=np.where(history.item == UNKNOWN, UNKNOWN, moved[history.item]) if count else history.item,
        of_id=moved[history.item_of_id],
        name=tuple(np.array(history.name, dtype=object)[line]),
        author=author[line],
        process=process[line],
        object=np.where(author == UNKNOWN, UNKNOWN, history.object[author])[line],
        begun_s=_least(item, history.invoked_s[attempts], count)[line],
        settled_s=np.where(settled, last_s, np.inf)[line],
        acked_s=acked_s[line],
        first_seen_s=_first_seen_s(history)[line],
        deleted_s=_least(history.item[deletes], history.invoked_s[deletes], count)[line],
        deletion=_deletion(history, deletes, count)[line],
        failed=(failed & (number == 0))[line],
        seeded=seeded[line],
        age=_age(history)[line],
    )


def _authors(history: History, attempts: Ints, acked: Ints) -> Ints:
    author = np.full(history.items, UNKNOWN, dtype=np.int64)
    unsure = attempts[history.ending[attempts] != Ending.OK][::-1]
    author[history.item[unsure]] = unsure
    first_last = acked[np.argsort(history.completed_s[acked], kind="stable")[::-1]]
    author[history.item[first_last]] = first_last
    return author


def _deletion(history: History, deletes: Ints, count: int) -> Ints:
    deletion = np.full(count, UNKNOWN, dtype=np.int64)
    acked = deletes[history.ending[deletes] == Ending.OK]
    first_last = acked[np.argsort(history.completed_s[acked], kind="stable")[::-1]]
    deletion[history.item[first_last]] = first_last
    return deletion


def _first_seen_s(history: History) -> Floats:
    counts = np.diff(history.seen_start)
    done_s = np.repeat(np.where(history.answered, history.completed_s, np.inf), counts)
    return _least(history.item_of_id[history.seen], done_s, history.items)


def _age(history: History) -> Ints:
    age = np.full(history.items, history.ages, dtype=np.int64)
    np.minimum.at(age, history.item_of_id, history.age)
    return np.where(age == history.ages, UNKNOWN, age)


def _least(item: Ints, value: Floats, count: int) -> Floats:
    result = np.full(count, np.inf)
    np.minimum.at(result, item, value)
    return result
