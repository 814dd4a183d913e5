"""Ways to break a history so that one check, and no other, has to notice: the negative controls of the checks.

Each takes a history as the checks see it and offers changed copies of it, the most promising first; where the history
has nothing that could be broken in this way, it offers none.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from harness.verify.consistency.answers import Answers
from harness.verify.consistency.history import UNKNOWN, Ending, History, Ints, Kind

Candidates = Iterator[History]
WITH_SESSIONS = frozenset({"causal"})  # causality holds all session guarantees in itself


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutation:
    """`flips` is the check that has to notice; those of `along` may, since they hold it in themselves."""

    name: str
    flips: str
    made: Callable[[Answers], Candidates]
    along: frozenset[str] = frozenset()


# --- changed copies -------------------------------------------------------------------------------------------------


def shown(history: History, read: int) -> Ints:
    """Codes of the ids that a read showed."""
    return history.seen[history.seen_start[read] : history.seen_start[read + 1]]


def items_shown(answers: Answers, read: int) -> Ints:
    """Those that a read showed and of which it is certain who wrote them."""
    items = np.unique(answers.items.of_id[shown(answers.history, read)])
    certain: Ints = items[answers.items.process[items] != UNKNOWN]
    return certain


def showing(history: History, read: int, codes: Ints) -> History:
    """The read shows these instead."""
    first, last = int(history.seen_start[read]), int(history.seen_start[read + 1])
    start = history.seen_start.copy()
    start[read + 1 :] += len(codes) - (last - first)
    return replace(history, seen=np.concatenate([history.seen[:first], codes, history.seen[last:]]), seen_start=start)


def ending(history: History, operations: Ints, as_: Ending) -> History:
    changed = history.ending.copy()
    changed[operations] = as_
    return replace(history, ending=changed)


def amounting(history: History, read: int, to: float) -> History:
    changed = history.amount.copy()
    changed[read] = to
    return replace(history, amount=changed)


def _without(answers: Answers, read: int, item: int) -> History:
    codes = shown(answers.history, read)
    return showing(answers.history, read, codes[answers.items.of_id[codes] != item])


def _with(answers: Answers, read: int, item: int) -> History:
    code = np.flatnonzero(answers.items.of_id == item)[:1]
    return showing(answers.history, read, np.concatenate([shown(answers.history, read), code]))


# --- what to look for -----------------------------------------------------------------------------------------------


def _final_reads(history: History, *, of_counters: bool = False) -> Ints:
    """Of sets or of counters, the latest first."""
    counting = ~np.isnan(history.amount)
    result: Ints = np.flatnonzero(history.answered & history.final & (counting == of_counters))[::-1]
    return result


def _pairs(answers: Answers) -> Iterator[tuple[int, int]]:
    """Reads beside what they had to show and did, the latest writes first: those have the fewest after them."""
    line = np.argsort(answers.items.author[answers.met.item], kind="stable")[::-1]
    yield from zip(answers.met.read[line].tolist(), answers.met.item[line].tolist(), strict=True)


# --- durability -----------------------------------------------------------------------------------------------------


def _drop_acknowledged(answers: Answers) -> Candidates:
    final = {*_final_reads(answers.history).tolist()}
    for read, item in _pairs(answers):
        if read in final and np.isfinite(answers.items.acked_s[item]):
            yield _without(answers, read, item)


def _call_unknown_acknowledged(answers: Answers) -> Candidates:
    history, items = answers.history, answers.items
    for write in np.flatnonzero((history.kind == Kind.WRITE) & (history.ending == Ending.INFO)).tolist():
        item = items.of_operation[write]
        if item != UNKNOWN and np.isinf(items.known_s[item]):
            yield ending(history, np.array([write]), Ending.OK)


def _leave_a_region_unread(answers: Answers) -> Candidates:
    history, final = answers.history, _final_reads(answers.history)
    for region in np.unique(history.served[final]).tolist():
        yield ending(history, final[history.served[final] == region], Ending.FAIL)


def _show_twice(answers: Answers) -> Candidates:
    for read in _final_reads(answers.history).tolist():
        codes = shown(answers.history, read)
        if len(codes):
            yield showing(answers.history, read, np.concatenate([codes, codes[:1]]))


def _show_what_nobody_wrote(answers: Answers) -> Candidates:
    history = answers.history
    for read in _final_reads(history).tolist():
        haunted = replace(
            history,
            ids=(*history.ids, "ghost"),
            item_of_id=np.append(history.item_of_id, history.items),
            age=np.append(history.age, UNKNOWN),
            latest=np.append(history.latest, UNKNOWN),
            seeded=np.append(history.seeded, False),
            items=history.items + 1,
            name=(*history.name, "ghost"),
        )
        yield showing(haunted, read, np.append(shown(history, read), len(history.ids)))


def _call_shown_refused(answers: Answers) -> Candidates:
    history, items = answers.history, answers.items
    seen = np.unique(answers.seen.item)
    for item in seen[np.argsort(items.author[seen], kind="stable")][::-1].tolist():
        if items.process[item] != UNKNOWN and items.deletion[item] == UNKNOWN:
            yield ending(history, items.author[[item]], Ending.FAIL)


# --- deletes --------------------------------------------------------------------------------------------------------


def _bring_back(answers: Answers, *, final: bool) -> Candidates:
    """To the latest reads after its delete that do not show it."""
    history, items = answers.history, answers.items
    for item in np.flatnonzero(items.deletion != UNKNOWN).tolist():
        late = history.answered & (history.object == items.object[item]) & (history.final == final)
        late &= history.invoked_s >= history.completed_s[items.deletion[item]]
        for read in np.flatnonzero(late)[::-1].tolist():
            if item not in items.of_id[shown(history, read)]:
                yield _with(answers, read, item)


# --- sessions -------------------------------------------------------------------------------------------------------


def _hide_from_its_author(answers: Answers) -> Candidates:
    history, author = answers.history, answers.items.author
    for read, item in _pairs(answers):
        if history.session[author[item]] == history.session[read] and author[item] < read:
            yield _without(answers, read, item)


def _swap_reads(answers: Answers) -> Candidates:
    """Two of one session and region, one after the other, of which the second shows more."""
    history, views = answers.history, answers.views.of_operation
    reads = np.flatnonzero(history.answered & ~history.final)
    reads = reads[np.argsort(views[reads], kind="stable")]
    many = np.diff(history.seen_start)
    for one, other in zip(reads[:-1].tolist(), reads[1:].tolist(), strict=True):
        if views[one] == views[other] and many[other] > many[one] > 0:
            first, second = shown(history, one), shown(history, other)
            yield showing(showing(history, one, second), other, first)


def _hide_the_first_of_two(answers: Answers) -> Candidates:
    """From strangers who are shown a later write of the same author, and none by whoever had seen the first."""
    for read, item in _pairs(answers):
        if _is_strange(answers, read, item):
            others = items_shown(answers, read)
            if _writes_after(answers, item, others) and not _replies_to(answers, item, others):
                yield _without(answers, read, item)


def _hide_what_was_replied_to(answers: Answers) -> Candidates:
    """From strangers who are shown what somebody wrote after having seen it, and nothing later by its own author."""
    for read, item in _pairs(answers):
        if _is_strange(answers, read, item):
            others = items_shown(answers, read)
            if _replies_to(answers, item, others) and not _writes_after(answers, item, others):
                yield _without(answers, read, item)


def _is_strange(answers: Answers, read: int, item: int) -> bool:
    """The reader neither wrote the item nor had seen it before, and this is no final read."""
    history, items = answers.history, answers.items
    if history.final[read] or items.process[item] == UNKNOWN:
        return False
    places = answers.processes.at[history.session[read]]
    first = answers.by_process.first(places, np.full(len(places), item))
    return bool(history.session[items.author[item]] != history.session[read] and first.min() == read)


def _writes_after(answers: Answers, item: int, others: Ints) -> bool:
    """Among the others is a later write of the session that wrote the item."""
    history, author = answers.history, answers.items.author
    mine = history.session[author[others]] == history.session[author[item]]
    return bool(np.any(mine & (author[others] > author[item])))


def _replies_to(answers: Answers, item: int, others: Ints) -> bool:
    """Among the others is a write of somebody who had seen the item."""
    items = answers.items
    earlier = answers.by_process.first(items.process[others], np.full(len(others), item))
    return bool(np.any(earlier < items.author[others]))


# --- counters -------------------------------------------------------------------------------------------------------


def _count_too_much(answers: Answers) -> Candidates:
    history = answers.history
    for read in _final_reads(history, of_counters=True).tolist():
        mine = (history.kind == Kind.INCREMENT) & (history.object == history.object[read])
        doubtful = float(history.amount[mine & (history.ending == Ending.INFO)].sum())
        yield amounting(history, read, float(history.amount[read]) + doubtful + 1.0)


def _leave_a_counter_unread(answers: Answers) -> Candidates:
    for read in _final_reads(answers.history, of_counters=True).tolist():
        yield ending(answers.history, np.array([read]), Ending.FAIL)


MUTATIONS = (
    Mutation(name="drop an acknowledged write from a final read", flips="lost", made=_drop_acknowledged),
    Mutation(name="call a write of unknown fate acknowledged", flips="lost", made=_call_unknown_acknowledged),
    Mutation(name="leave out a region's final reads", flips="unread", made=_leave_a_region_unread),
    Mutation(name="show something twice in one answer", flips="duplicated", made=_show_twice),
    Mutation(name="show what nobody wrote", flips="unexpected", made=_show_what_nobody_wrote),
    Mutation(name="call a write that is shown refused", flips="unexpected", made=_call_shown_refused),
    Mutation(
        name="show again what every region had shown gone",
        flips="resurrected",
        made=lambda answers: _bring_back(answers, final=False),
    ),
    Mutation(
        name="show something deleted in a final read",
        flips="undeleted",
        made=lambda answers: _bring_back(answers, final=True),
        along=frozenset({"resurrected"}),  # where every region had shown it gone before
    ),
    Mutation(
        name="hide a write from its author",
        flips="read your writes",
        made=_hide_from_its_author,
        along=WITH_SESSIONS,
    ),
    Mutation(name="swap two reads of a session", flips="monotonic reads", made=_swap_reads, along=WITH_SESSIONS),
    Mutation(
        name="hide the first of two writes of one author",
        flips="monotonic writes",
        made=_hide_the_first_of_two,
        along=WITH_SESSIONS,
    ),
    Mutation(
        name="hide what a reply replies to",
        flips="writes follow reads",
        made=_hide_what_was_replied_to,
        along=WITH_SESSIONS,
    ),
    Mutation(name="count one too many", flips="counters", made=_count_too_much),
    Mutation(name="leave out a counter's final read", flips="counters unread", made=_leave_a_counter_unread),
)
