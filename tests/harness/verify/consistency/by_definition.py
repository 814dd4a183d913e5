"""The consistency checks once more, straight from their definitions: every pair and triple is tried, nothing is clever.

Works on operations alone and shares no code with the checks, so that the two can be compared on any small history. What
a check counts per read comes as positions in the list of operations.
"""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product

from harness.verify.consistency.history import Ending, Kind, Operation

Reads = dict[str, set[int]]  # cohort → positions
Item = tuple[str, str]


def _reads() -> Reads:
    return defaultdict(set)


@dataclass(frozen=True)
class World:
    operations: Sequence[Operation]
    regions: Sequence[str]
    seeded: Sequence[str] = ()
    order: Mapping[str, float] = field(default_factory=dict)
    keys: Mapping[str, str] = field(default_factory=dict)
    initial: Mapping[str, float] = field(default_factory=dict)

    # --- who and what -------------------------------------------------------------------------------------------------

    @cached_property
    def line(self) -> list[int]:
        """Positions in the order of invocation, which is that of each session too."""
        return sorted(range(len(self.operations)), key=lambda i: (self[i].invoked_s, self[i].completed_s, i))

    @cached_property
    def place(self) -> dict[int, int]:
        return {position: place for place, position in enumerate(self.line)}

    def __getitem__(self, position: int) -> Operation:
        return self.operations[position]

    @cached_property
    def key_of_id(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for position in self.line:
            operation = self[position]
            if operation.id and operation.key:
                found.setdefault(operation.id, operation.key)
        for id_, key in self.keys.items():
            found.setdefault(id_, key)
        return found

    def item_of_id(self, id_: str) -> Item:
        return ("key", self.key_of_id[id_]) if id_ in self.key_of_id else ("id", id_)

    def item(self, position: int) -> Item | None:
        operation = self[position]
        if operation.id:
            return self.item_of_id(operation.id)
        return ("key", operation.key) if operation.key else None

    @cached_property
    def ids(self) -> set[str]:
        shown = {id_ for operation in self.operations for id_ in operation.seen}
        return shown | {operation.id for operation in self.operations if operation.id} | {*self.seeded, *self.keys}

    @cached_property
    def items(self) -> list[Item]:
        mine = {self.item(position) for position in self.line} - {None}
        return sorted({item for item in mine if item is not None} | {self.item_of_id(id_) for id_ in self.ids})

    @cached_property
    def reads(self) -> list[int]:
        return [i for i in self.line if self[i].kind == Kind.READ and self[i].ending == Ending.OK]

    @cached_property
    def shown(self) -> dict[int, set[Item]]:
        return {read: {self.item_of_id(id_) for id_ in self[read].seen} for read in self.reads}

    @cached_property
    def attempts(self) -> dict[Item, list[int]]:
        found = defaultdict(list)
        for position in self.line:
            item = self.item(position)
            if self[position].kind == Kind.WRITE and self[position].ending != Ending.FAIL and item:
                found[item].append(position)
        return found

    @cached_property
    def author(self) -> dict[Item, int]:
        found = {}
        for item, attempts in self.attempts.items():
            acked = [each for each in attempts if self[each].ending == Ending.OK]
            by_ack = sorted(acked, key=lambda each: (self[each].completed_s, self.place[each]))
            found[item] = by_ack[0] if by_ack else attempts[0]
        return found

    @cached_property
    def certain(self) -> set[Item]:
        return {item for item, attempts in self.attempts.items() if len(attempts) == 1}

    def acked_s(self, item: Item) -> float:
        acked = [each for each in self.attempts.get(item, ()) if self[each].ending == Ending.OK]
        return min((self[each].completed_s for each in acked), default=math.inf)

    @cached_property
    def known_s(self) -> dict[Item, float]:
        return {
            item: min([self.acked_s(item), *(self[r].completed_s for r in self.reads if item in self.shown[r])])
            for item in self.items
        }

    def deletes(self, item: Item) -> list[int]:
        mine = [i for i in self.line if self[i].kind == Kind.DELETE and self.item(i) == item]
        return [i for i in mine if self[i].ending != Ending.FAIL]

    @cached_property
    def deleted_s(self) -> dict[Item, float]:
        return {i: min((self[d].invoked_s for d in self.deletes(i)), default=math.inf) for i in self.items}

    @cached_property
    def age(self) -> dict[Item, float | None]:
        found: dict[Item, float | None] = {}
        for item in self.items:
            ages = [self.order.get(id_) for id_ in self.ids if self.item_of_id(id_) == item]
            known = [age for age in ages if age is not None]
            found[item] = min(known) if known and len(known) == len(ages) else None
        return found

    # --- what is owed -------------------------------------------------------------------------------------------------

    def covers(self, read: int, item: Item) -> bool:
        if self[read].whole:
            return True
        ages = [self.order[id_] for id_ in self[read].seen if id_ in self.order]
        age = self.age[item]
        return bool(ages) and age is not None and age >= min(ages)

    def excused(self, read: int, item: Item) -> bool:
        return self.deleted_s[item] <= self[read].completed_s

    def owed(self, read: int, item: Item) -> bool:
        """Written to the read's object, begun, within its reach; and certain, or known before the read."""
        if item not in self.author or self[self.author[item]].object != self[read].object:
            return False
        begun = any(self[each].invoked_s <= self[read].completed_s for each in self.attempts[item])
        sure = self.acked_s(item) < math.inf or self.known_s[item] <= self[read].invoked_s
        return begun and sure and self.covers(read, item)

    def met(self, read: int, item: Item) -> bool:
        return item in self.shown[read] and self.owed(read, item)

    def missed(self, read: int, item: Item) -> bool:
        return item not in self.shown[read] and self.owed(read, item) and not self.excused(read, item)

    def same_region(self, *positions: int) -> bool:
        served = {self[each].served for each in positions}
        return len(served) == 1 and "" not in served

    def before(self, one: int, other: int) -> bool:
        return self[one].session == self[other].session and self.place[one] < self.place[other]

    # --- the session guarantees ---------------------------------------------------------------------------------------

    def read_your_writes(self) -> tuple[Reads, Reads]:
        judged, broken = _reads(), _reads()
        for read, item in product(self.reads, self.author):
            if self.before(self.author[item], read):
                cohort = "sticky" if self.same_region(self.author[item], read) else "moved"
                self._sort(read, item, cohort, judged, broken)
        return judged, broken

    def monotonic_reads(self) -> tuple[Reads, Reads]:
        judged, broken = _reads(), _reads()
        for earlier, read in product(self.reads, self.reads):
            if not self.before(earlier, read) or self[earlier].object != self[read].object:
                continue
            cohort = "sticky" if self.same_region(earlier, read) else "moved"
            for item in self.shown[earlier]:
                if self.covers(read, item) and item in self.shown[read]:
                    judged[cohort].add(read)
                elif self.covers(read, item) and not self.excused(read, item):
                    judged[cohort].add(read)
                    broken[cohort].add(read)
        return judged, broken

    def monotonic_writes(self) -> tuple[Reads, Reads]:
        judged, broken = _reads(), _reads()
        for first, second in product(self.certain, self.certain):
            if self.before(self.author[first], self.author[second]):
                stayed = self.same_region(self.author[first], self.author[second])
                for read in self.reads:
                    if second in self.shown[read]:
                        here = self.same_region(self.author[second], read)
                        cohort = ("sticky" if here else "remote") if stayed else "moved"
                        self._sort(read, first, cohort, judged, broken)
        return judged, broken

    def writes_follow_reads(self) -> tuple[Reads, Reads]:
        judged, broken = _reads(), _reads()
        for second, earlier, read in product(self.certain, self.reads, self.reads):
            writer = self.author[second]
            if not self.before(earlier, writer) or second not in self.shown[read]:
                continue
            here = self.same_region(writer, read)
            cohort = ("sticky" if here else "remote") if self.same_region(earlier, writer) else "moved"
            for first in self.shown[earlier]:
                if self.missed(read, first):
                    broken[cohort].add(read)
                if self.missed(read, first) or self._proves_something(first, second, read):
                    judged[cohort].add(read)
        return judged, broken

    def _proves_something(self, first: Item, second: Item, read: int) -> bool:
        mine = [self[self.author[item]].object for item in (first, second) if item in self.author]
        acked = self.acked_s(first) < math.inf and self.deleted_s[first] == math.inf
        return acked and mine == [self[read].object] * 2 and self.covers(read, first)

    def _sort(self, read: int, item: Item, cohort: str, judged: Reads, broken: Reads) -> None:
        if self.missed(read, item):
            broken[cohort].add(read)
        if self.missed(read, item) or self.met(read, item):
            judged[cohort].add(read)

    # --- causality ----------------------------------------------------------------------------------------------------

    @cached_property
    def happened_before(self) -> set[tuple[int, int]]:
        """The transitive closure of session order and of "shown by", by squaring until nothing is added."""
        edges = {(a, b) for a, b in product(self.line, self.line) if self.before(a, b)}
        edges |= {(self.author[item], r) for r in self.reads for item in self.shown[r] if item in self.certain}
        while True:
            after = defaultdict(set)
            for a, b in edges:
                after[a].add(b)
            more = edges | {(a, c) for a, b in edges for c in after[b]}
            if more == edges:
                return edges
            edges = more

    def causal(self) -> tuple[Reads, Reads]:
        judged, broken = _reads(), _reads()
        for read, item in product(self.reads, self.certain):
            if (self.author[item], read) in self.happened_before:
                here = self.same_region(self.author[item], read)
                cohort = "moved" if self._moved(read) else "sticky" if here else "remote"
                self._sort(read, item, cohort, judged, broken)
        return judged, broken

    def _moved(self, read: int) -> bool:
        mine = [i for i in self.line if self[i].session == self[read].session and self.place[i] <= self.place[read]]
        return len({self[i].served for i in mine} - {""}) > 1

    def cyclic(self) -> set[Item]:
        return {item for item in self.certain if (self.author[item], self.author[item]) in self.happened_before}

    # --- durability ---------------------------------------------------------------------------------------------------

    def final_read(self, region: str, object_: str) -> int | None:
        mine = [r for r in self.reads if self[r].final and self[r].served == region and self[r].object == object_]
        return mine[-1] if mine else None

    def at_region(self, region: str) -> dict[str, set[Item]]:
        found: dict[str, set[Item]] = {name: set() for name in ("lost", "unread", "recovered", "undeleted")}
        for item in self.author:
            read = self.final_read(region, self[self.author[item]].object)
            shown = read is not None and item in self.shown[read]
            if self.acked_s(item) == math.inf:
                if shown:
                    found["recovered"].add(item)
            elif not shown:
                due = read is not None and self.covers(read, item) and self.acked_s(item) <= self[read].invoked_s
                if not due:
                    found["unread"].add(item)
                elif read is not None and not self.excused(read, item):
                    found["lost"].add(item)
            if shown and read is not None and self.gone_s(item) <= self[read].invoked_s:
                found["undeleted"].add(item)
        return found

    def gone_s(self, item: Item) -> float:
        """When a delete was acknowledged that began after all that wrote the item had been."""
        acked = [each for each in self.deletes(item) if self[each].ending == Ending.OK]
        attempts = self.attempts.get(item, [])
        if not acked or not attempts or any(self[each].ending != Ending.OK for each in attempts):
            return math.inf
        first = min(acked, key=lambda each: (self[each].completed_s, self.place[each]))
        settled = all(self[each].completed_s <= self[first].invoked_s for each in attempts)
        return self[first].completed_s if settled else math.inf

    def unexpected(self) -> set[Item]:
        """Only right where every write has an id or a key."""
        shown = {item for read in self.reads for item in self.shown[read]}
        return {i for i in shown if i not in self.author and i not in {self.item_of_id(s) for s in self.seeded}}

    def duplicated(self) -> set[Item]:
        found = set()
        for read in self.reads:
            items = [self.item_of_id(id_) for id_ in self[read].seen]
            found |= {item for item in items if items.count(item) > 1}
        finals = [self.final_read(r, o) for r in self.regions for o in {each.object for each in self.operations}]
        shown = {id_ for read in finals if read is not None for id_ in self[read].seen}
        for one, other in product(shown, shown):
            if one != other and self.item_of_id(one) == self.item_of_id(other):
                found.add(self.item_of_id(one))
        return found

    def resurrected(self) -> set[Item]:
        return {item for item in self.items if any(self._comes_back(item))}

    def _comes_back(self, item: Item) -> Iterator[bool]:
        gone_s = self.gone_s(item)
        if gone_s == math.inf:
            return
        for read in self.reads:
            if item in self.shown[read]:
                yield all(self._had_shown_its_delete(item, region, read, gone_s) for region in self.regions)

    def _had_shown_its_delete(self, item: Item, region: str, by: int, gone_s: float) -> bool:
        there = [r for r in self.reads if self[r].served == region]
        saw = [r for r in there if item in self.shown[r]]
        for read in there:
            mine = self[read].object == self[self.author[item]].object
            after = [r for r in saw if self[r].completed_s <= self[read].invoked_s]
            misses = mine and item not in self.shown[read] and self.covers(read, item)
            in_time = gone_s <= self[read].invoked_s and self[read].completed_s <= self[by].invoked_s
            if misses and in_time and after:
                return True
        return False

    # --- staleness ----------------------------------------------------------------------------------------------------

    def staleness(self, source: str, reader: str) -> dict[str, list[float]]:
        """Sorted staleness, delays and their lower bounds, and counts as lists of one number."""
        found: dict[str, list[float]] = {
            n: [] for n in ("stable", "lost", "never", "unshown", "until", "within", "stale")
        }
        for item, author in self.author.items():
            if self[author].served != source or self.known_s[item] == math.inf:
                continue
            known_s = self.known_s[item]
            there = [r for r in self.reads if self[r].served == reader and self[r].object == self[author].object]
            saw = [r for r in there if item in self.shown[r]]
            missed = [r for r in there if self._misses(r, item)]
            late = [r for r in missed if self[r].invoked_s >= known_s]
            stale_s = self[late[-1]].invoked_s - known_s if late else 0.0
            if saw and (not missed or self.place[saw[-1]] > self.place[missed[-1]]):
                found["stable"].append(stale_s)
                found["stale"] += [stale_s] if late else []
            elif late and (not saw or self.place[late[-1]] > self.place[saw[-1]]):
                found["lost"].append(stale_s)
            else:
                found["never"].append(0.0)
            if saw:
                early = [r for r in late if self.place[r] < self.place[saw[0]]]
                found["until"].append(self[early[-1]].invoked_s - known_s if early else 0.0)
                found["within"].append(max(0.0, min(self[r].completed_s for r in saw) - known_s))
            elif late:
                found["unshown"].append(stale_s)
        return {name: sorted(values) for name, values in found.items()}

    def _misses(self, read: int, item: Item) -> bool:
        begun = any(self[each].invoked_s <= self[read].completed_s for each in self.attempts[item])
        return begun and self.covers(read, item) and item not in self.shown[read] and not self.excused(read, item)

    # --- counters -----------------------------------------------------------------------------------------------------

    def counter_reads(self, region: str) -> list[int]:
        return [r for r in self.reads if self[r].amount is not None and self[r].served == region]

    def counted(self, read: int) -> float:
        amount = self[read].amount
        assert amount is not None
        return amount

    def bounds(self, read: int, *, of_all: bool = False) -> tuple[float, float]:
        low = high = self.initial.get(self[read].object, 0.0)
        for each in self.operations:
            if each.kind != Kind.INCREMENT or each.object != self[read].object or each.amount is None:
                continue
            here = of_all or (each.served == self[read].served)
            surely = each.ending == Ending.OK and here and each.completed_s < self[read].invoked_s
            maybe = each.ending != Ending.FAIL and each.invoked_s <= self[read].completed_s
            low += each.amount if (surely and each.amount > 0) or (maybe and each.amount < 0) else 0.0
            high += each.amount if (maybe and each.amount > 0) or (surely and each.amount < 0) else 0.0
        return low, high

    def possible(self, read: int) -> set[float]:
        """Every sum that some choice of the doubtful increments gives, all choices tried."""
        certain, doubtful = self.initial.get(self[read].object, 0.0), []
        for each in self.operations:
            if each.kind != Kind.INCREMENT or each.object != self[read].object or each.amount is None:
                continue
            if each.ending == Ending.OK and each.completed_s < self[read].invoked_s:
                certain += each.amount
            elif each.ending != Ending.FAIL and each.invoked_s <= self[read].completed_s:
                doubtful.append(each.amount)
        choices = product((0, 1), repeat=len(doubtful))
        return {certain + sum(a for a, taken in zip(doubtful, choice, strict=True) if taken) for choice in choices}
