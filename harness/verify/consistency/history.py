"""What every session asked for, when and where, and what it was told: the only thing that the consistency checks read.

A session is one logical process: it does one thing at a time, and after a write whose fate is unknown another session
takes its place, because that write stays concurrent with everything that follows. All instants come from one clock.

Kept in columns, as a million operations have to be judged in seconds; `operation` gives one of them back as a whole.
What was written is an *item*: writes that carry the same idempotency key wrote the same item, under whatever ids.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

UNKNOWN = -1  # code of a region, an id or an item that nobody told us


class Kind(IntEnum):
    WRITE = 0  # of one id into the set `object`
    DELETE = 1  # of one id from it
    READ = 2  # of the set, or of a counter
    INCREMENT = 3  # of the counter `object` by `amount`


class Ending(IntEnum):
    OK = 0  # it took effect between invocation and completion
    FAIL = 1  # it did not and never will
    INFO = 2  # it may have, or may at any later moment


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One operation. An empty text is "not known"; `completed_s` of an INFO is when the client gave up.

    `whole`: the answer held everything of its object. A page that was full obliges only for ids that are certainly not
    older than its oldest, where the order of ids is known, else for nothing. `amount` is what an increment added, or
    what a read of a counter showed.
    """

    session: int
    kind: Kind
    object: str
    invoked_s: float
    completed_s: float
    ending: Ending = Ending.OK
    asked: str = ""
    served: str = ""
    id: str = ""
    key: str = ""
    amount: float | None = None
    seen: tuple[str, ...] = ()
    whole: bool = True
    final: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """Operations by invocation, so that an operation's index is its place in its session too.

    Sessions, objects, regions and ids are codes into the words beside them; `row` is an operation's place in what the
    history was made of. What operation i saw is `seen[seen_start[i]:seen_start[i + 1]]`.
    """

    sessions: Ints
    objects: tuple[str, ...]
    regions: tuple[str, ...]
    ids: tuple[str, ...]
    row: Ints
    session: Ints
    kind: Ints
    object: Ints
    invoked_s: Floats
    completed_s: Floats
    ending: Ints
    asked: Ints
    served: Ints
    id: Ints
    item: Ints
    amount: Floats
    whole: Bools
    final: Bools
    seen_start: Ints
    seen: Ints
    # by id
    item_of_id: Ints
    age: Ints  # rank of the earliest that it can be in the order of ids, greater is newer; UNKNOWN if that is not known
    latest: Ints  # rank of the latest, on the same scale
    ages: int
    seeded: Bools  # there before anybody wrote
    # by item
    items: int
    name: tuple[str, ...]  # its first id, or its idempotency key where no id is known
    # by object
    initial: Floats  # of a counter

    def __len__(self) -> int:
        return len(self.session)

    @property
    def answered(self) -> Bools:
        """Reads that were answered: the only ones that show anything."""
        result: Bools = (self.kind == Kind.READ) & (self.ending == Ending.OK)
        return result

    def operation(self, index: int) -> Operation:
        amount = float(self.amount[index])
        seen = self.seen[self.seen_start[index] : self.seen_start[index + 1]]
        return Operation(
            session=int(self.sessions[self.session[index]]),
            kind=Kind(int(self.kind[index])),
            object=self.objects[self.object[index]],
            invoked_s=float(self.invoked_s[index]),
            completed_s=float(self.completed_s[index]),
            ending=Ending(int(self.ending[index])),
            asked=self.region_name(self.asked[index]),
            served=self.region_name(self.served[index]),
            id=self.ids[self.id[index]] if self.id[index] != UNKNOWN else "",
            amount=None if np.isnan(amount) else amount,
            seen=tuple(self.ids[code] for code in seen),
            whole=bool(self.whole[index]),
            final=bool(self.final[index]),
        )

    def region_name(self, code: np.int64 | int) -> str:
        return self.regions[code] if code != UNKNOWN else ""


def misfits(history: History) -> Ints:
    """Operations that began before the one before them in their session had ended, or after a write of unknown fate.

    With any of them the recorder has broken its word, and the order inside sessions means nothing.
    """
    by_session = np.argsort(history.session, kind="stable")
    earlier, later = by_session[:-1], by_session[1:]
    same = history.session[earlier] == history.session[later]
    overlaps = history.invoked_s[later] < history.completed_s[earlier]
    unknown = (history.ending[earlier] == Ending.INFO) & (history.kind[earlier] != Kind.READ)
    found: Ints = np.sort(later[same & (overlaps | unknown)])
    return found


# --- made of operations or of columns -------------------------------------------------------------------------------


def history_of(
    operations: Iterable[Operation],
    *,
    regions: Sequence[str],
    seeded: Iterable[str] = (),
    order: Mapping[str, float] | None = None,
    keys: Mapping[str, str] | None = None,
    initial: Mapping[str, float] | None = None,
) -> History:
    """From operations in any order; see `from_columns` for the rest. `order` is exact here, no two ids alike."""
    all_of_them = tuple(operations)
    names = [name for name in Operation.__slots__ if name != "seen"]
    frame = pd.DataFrame({name: [getattr(each, name) for each in all_of_them] for name in names}, columns=names)
    return from_columns(
        frame,
        seen_counts=np.array([len(each.seen) for each in all_of_them], dtype=np.int64),
        seen=[name for each in all_of_them for name in each.seen],
        regions=regions,
        seeded=seeded,
        order={name: (place, place) for name, place in (order or {}).items()},
        keys=keys,
        initial=initial,
    )


def from_columns(
    frame: pd.DataFrame,
    *,
    seen_counts: Ints,
    seen: "Sequence[str] | pd.Categorical[str]",
    regions: Sequence[str],
    seeded: Iterable[str] = (),
    order: Mapping[str, tuple[float, float]] | None = None,
    keys: Mapping[str, str] | None = None,
    initial: Mapping[str, float] | None = None,
) -> History:
    """From a frame with a column for each field of `Operation`, and all seen ids in one line with their counts by row.

    Millions of seen ids are best given as a categorical, which they may be on disk already.
    `regions` are all that the system has, served from or not. `order` says between which places an id is in the order
    of ids, greater is newer: of two whose places overlap nobody knows which is newer, so a full page that shows one may
    leave out the other. `keys` is what answers told of the idempotency keys of ids, `initial` what counters stood at.
    """
    line = np.lexsort((frame["completed_s"].to_numpy(float), frame["invoked_s"].to_numpy(float)))
    frame = frame.iloc[line]
    session, sessions = pd.factorize(frame["session"])
    object_, objects = pd.factorize(frame["object"])
    shown = seen if isinstance(seen, pd.Categorical) else pd.Categorical(list(seen))
    seeds = tuple(seeded) if len(frame) else ()  # where nobody did anything, there is nothing to tell of any item
    keys = keys if keys and len(frame) else {}
    names = [
        frame["id"].to_numpy(object),
        np.asarray(shown.categories, dtype=object),
        _words(seeds),
        _words(keys),
    ]
    codes, ids = pd.factorize(np.concatenate(names))
    codes, ids = _without_nothing(codes.astype(np.int64), ids)
    id_, categories, seeds_at, _ = np.split(codes, np.cumsum([len(each) for each in names])[:-1])
    seen_codes = categories[shown.codes] if len(shown) else np.empty(0, dtype=np.int64)
    is_seeded = np.zeros(len(ids), dtype=bool)
    is_seeded[seeds_at] = True
    item_of_id, item, name = _items(ids, id_, frame["key"].to_numpy(object), keys)
    age, latest, ages = _ages(ids, order or {})
    start, seen_codes = _reordered(seen_counts, seen_codes, line)
    return History(
        sessions=np.asarray(sessions, dtype=np.int64),
        objects=tuple(objects),
        regions=tuple(regions),
        ids=tuple(ids),
        row=line.astype(np.int64),
        session=session.astype(np.int64),
        kind=frame["kind"].to_numpy(np.int64),
        object=object_.astype(np.int64),
        invoked_s=frame["invoked_s"].to_numpy(float),
        completed_s=frame["completed_s"].to_numpy(float),
        ending=frame["ending"].to_numpy(np.int64),
        asked=_region_codes(frame["asked"], regions),
        served=_region_codes(frame["served"], regions),
        id=id_,
        item=item,
        amount=frame["amount"].to_numpy(float, na_value=np.nan),
        whole=frame["whole"].to_numpy(bool),
        final=frame["final"].to_numpy(bool),
        seen_start=start,
        seen=seen_codes,
        item_of_id=item_of_id,
        age=age,
        latest=latest,
        ages=ages,
        seeded=is_seeded,
        items=len(name),
        name=name,
        initial=np.array([(initial or {}).get(each, 0.0) for each in objects], dtype=float),
    )


def _words(words: Iterable[str]) -> NDArray[np.object_]:
    return np.array(list(words), dtype=object)


def _without_nothing(codes: Ints, ids: NDArray[np.object_]) -> tuple[Ints, NDArray[np.object_]]:
    """The same codes with the empty text as UNKNOWN and not among the ids."""
    empty = np.flatnonzero(ids == "")
    if len(empty) == 0:
        return codes, ids
    nothing = int(empty[0])
    moved = np.arange(len(ids), dtype=np.int64)
    moved[nothing + 1 :] -= 1
    moved[nothing] = UNKNOWN
    return np.where(codes >= 0, moved[codes], UNKNOWN), np.delete(ids, nothing)


def _items(
    ids: NDArray[np.object_], written: Ints, key: NDArray[np.object_], told: Mapping[str, str]
) -> tuple[Ints, Ints, tuple[str, ...]]:
    """Item of each id, item of each operation, and the items' names: one key, one item."""
    key_codes, key_names = pd.factorize(np.concatenate([key, _words(told.values())]))
    key_codes, key_names = _without_nothing(key_codes.astype(np.int64), key_names)
    of_operation, of_told = key_codes[: len(key)], key_codes[len(key) :]
    label = np.arange(len(ids), dtype=np.int64)  # an id without a key is an item of its own
    place = {name: code for code, name in enumerate(ids)} if told else {}
    for name, code in zip(told, of_told, strict=True):
        label[place[name]] = len(ids) + code
    both = np.flatnonzero((written != UNKNOWN) & (of_operation != UNKNOWN))[::-1]  # the first one's key stays
    label[written[both]] = len(ids) + of_operation[both]
    operation = np.where(of_operation != UNKNOWN, len(ids) + of_operation, UNKNOWN)
    known = written != UNKNOWN
    operation[known] = label[written[known]]
    labels, codes = np.unique(np.concatenate([label, operation[operation != UNKNOWN]]), return_inverse=True)
    items = np.full(len(operation), UNKNOWN, dtype=np.int64)
    items[operation != UNKNOWN] = codes[len(ids) :]
    names = np.empty(len(labels), dtype=object)
    names[:] = [key_names[each - len(ids)] if each >= len(ids) else "" for each in labels]
    names[codes[: len(ids)][::-1]] = ids[::-1]
    return codes[: len(ids)].astype(np.int64), items, tuple(names)


def _ages(ids: NDArray[np.object_], order: Mapping[str, tuple[float, float]]) -> tuple[Ints, Ints, int]:
    """Rank of the earliest and of the latest place of each id, and how many ranks there are."""
    nowhere = (np.nan, np.nan)
    places = np.array([order.get(each, nowhere) for each in ids], dtype=float).reshape(len(ids), 2)
    known = ~np.isnan(places).any(axis=1)
    ages, ranks = np.unique(places[known].ravel(), return_inverse=True)
    age, latest = np.full((2, len(ids)), UNKNOWN, dtype=np.int64)
    age[known], latest[known] = ranks[0::2], ranks[1::2]
    return age, latest, len(ages)


def _reordered(counts: Ints, seen: Ints, line: Ints) -> tuple[Ints, Ints]:
    """What was seen, in the order of the operations."""
    before = np.concatenate([[0], np.cumsum(counts)])
    start = np.concatenate([[0], np.cumsum(counts[line])])
    moved = pa.LargeListArray.from_arrays(pa.array(before), pa.array(seen)).take(pa.array(line)).flatten()
    return start.astype(np.int64), moved.to_numpy()


def _region_codes(names: pd.Series, regions: Sequence[str]) -> Ints:
    codes, words = pd.factorize(names)
    place = {name: code for code, name in enumerate(regions)}
    unknown = [word for word in words if word and word not in place]
    assert not unknown, f"regions that the system does not have: {unknown}"
    by_word = np.array([place.get(word, UNKNOWN) for word in words], dtype=np.int64)
    result: Ints = np.where(codes >= 0, by_word[codes], UNKNOWN) if len(words) else np.full(len(codes), UNKNOWN)
    return result
