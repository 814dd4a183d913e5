"""Small histories by chance, mostly right and often enough wrong, and many of them side by side as one."""

import random
from collections.abc import Sequence
from dataclasses import replace

from harness.verify.consistency.history import Ending, Kind, Operation
from tests.harness.verify.consistency.by_definition import World

REGIONS = ("a", "b")


def a_world(seed: int, *, sane: bool = True) -> World:
    """`sane`: no read shows what began only after it was over."""
    return _World(random.Random(seed), sane=sane).drawn()


def side_by_side(worlds: Sequence[World]) -> World:
    """As one world whose parts share nothing: names are told apart by a number in front, sessions too."""
    operations: list[Operation] = []
    for number, world in enumerate(worlds):
        operations += [_renamed(each, number) for each in world.operations]
    return World(
        operations=operations,
        regions=REGIONS,
        seeded=[f"{number}.{name}" for number, world in enumerate(worlds) for name in world.seeded],
        order={f"{number}.{name}": age for number, world in enumerate(worlds) for name, age in world.order.items()},
        keys={
            f"{number}.{name}": f"{number}.{key}"
            for number, world in enumerate(worlds)
            for name, key in world.keys.items()
        },
        initial={f"{n}.{name}": value for n, world in enumerate(worlds) for name, value in world.initial.items()},
    )


def _renamed(operation: Operation, number: int) -> Operation:
    def renamed(name: str) -> str:
        return f"{number}.{name}" if name else ""

    return replace(
        operation,
        session=operation.session + 1000 * number,
        object=renamed(operation.object),
        id=renamed(operation.id),
        key=renamed(operation.key),
        seen=tuple(renamed(name) for name in operation.seen),
    )


class _World:
    def __init__(self, chance: random.Random, *, sane: bool) -> None:
        self.sane = sane
        self.chance = chance
        self.now = dict.fromkeys(range(1, chance.randint(2, 5)), 0.0)
        self.home = {session: chance.choice(REGIONS) for session in self.now}
        self.objects = ["x", "y"][: chance.randint(1, 2)]
        self.operations: list[Operation] = []
        self.ids = [f"p{number}" for number in range(chance.randint(2, 5))]
        self.moving = chance.random() < 0.4
        self.deleting = chance.random() < 0.5
        self.paging = chance.random() < 0.5
        self.counting = chance.random() < 0.3
        self.retrying = chance.random() < 0.3
        self.order = {name: float(age) for age, name in enumerate(self.ids) if chance.random() < 0.85}

    def drawn(self) -> World:
        chance = self.chance
        for _ in range(chance.randint(1, 45 if self.deleting and chance.random() < 0.3 else 16)):
            session = chance.choice(sorted(self.now))
            draw = chance.random()
            if draw < 0.3:
                self._write(session)
            elif draw < 0.4 and self.deleting:
                self._delete(session)
            elif draw < 0.55 and self.counting:
                self._count(session)
            else:
                self._read(session)
        for region in REGIONS:
            if chance.random() < 0.8:
                self._final_read(region)
            if chance.random() < 0.8 and self.counting:
                until_s = max((each.completed_s for each in self.operations), default=0.0)
                self._read_counter(max(self.home) + 1, region, (until_s, until_s + 1.0), final=True)
                self.home[max(self.home) + 1] = region
        chance.shuffle(self.operations)
        seeded = ["p0"] if chance.random() < 0.2 else []
        keys = {"p1": "k"} if self.retrying and chance.random() < 0.3 else {}
        return World(
            operations=self.operations,
            regions=REGIONS,
            seeded=seeded,
            order=self.order,
            keys=keys,
            initial={"likes": 3.0},
        )

    def _span(self, session: int) -> tuple[float, float]:
        """From when the session was done, or a little later; coarse, so that instants coincide."""
        invoked_s = self.now[session] + self.chance.choice([0.0, 1.0, 1.0, 2.0])
        completed_s = invoked_s + self.chance.choice([0.0, 1.0, 1.0, 3.0])
        self.now[session] = completed_s
        return invoked_s, completed_s

    def _served(self, session: int) -> str:
        if self.moving and self.chance.random() < 0.3:
            self.home[session] = self.chance.choice(REGIONS)
        return self.home[session] if self.chance.random() < 0.97 else ""

    def _ending(self) -> Ending:
        return self.chance.choices([Ending.OK, Ending.INFO, Ending.FAIL], [0.8, 0.12, 0.08])[0]

    def _replaced(self, session: int) -> None:
        """After a write of unknown fate another session takes the place."""
        successor = max(self.home) + 1
        self.now[successor] = self.now.pop(session)
        self.home[successor] = self.home[session]

    def _write(self, session: int) -> None:
        invoked_s, completed_s = self._span(session)
        key = self.chance.choice(["k", "l", ""]) if self.retrying else ""
        id_ = self._id()
        ending = self._ending()
        if ending != Ending.OK and key and self.chance.random() < 0.5:
            id_ = ""
        self.operations.append(
            Operation(
                session=session,
                kind=Kind.WRITE,
                object=self.chance.choice(self.objects),
                invoked_s=invoked_s,
                completed_s=completed_s,
                ending=ending,
                served=self._served(session),
                id=id_,
                key=key,
            )
        )
        if ending == Ending.INFO:
            self._replaced(session)

    def _id(self) -> str:
        """Mostly a new one; never again one whose write failed."""
        writes = [each for each in self.operations if each.kind == Kind.WRITE]
        written = {each.id for each in writes}
        vain = {each.id for each in writes if each.ending == Ending.FAIL}
        fresh = [name for name in self.ids if name not in written]
        again = [name for name in self.ids if name not in vain]
        if fresh and self.chance.random() < 0.9:
            return self.chance.choice(fresh)
        return self.chance.choice(again or ["p9"])

    def _delete(self, session: int) -> None:
        mine = [each for each in self.operations if each.kind == Kind.WRITE and each.id]
        if not mine:
            return
        write = self.chance.choice(mine)
        invoked_s, completed_s = self._span(session)
        ending = self._ending()
        self.operations.append(
            Operation(
                session=session,
                kind=Kind.DELETE,
                object=write.object,
                invoked_s=invoked_s,
                completed_s=completed_s,
                ending=ending,
                served=self._served(session),
                id=write.id,
            )
        )
        if ending == Ending.INFO:
            self._replaced(session)

    def _count(self, session: int) -> None:
        span_s, served = self._span(session), self._served(session)
        if self.chance.random() < 0.5:
            self._read_counter(session, served, span_s, final=False)
            return
        ending = self._ending()
        self.operations.append(
            Operation(
                session=session,
                kind=Kind.INCREMENT,
                object="likes",
                invoked_s=span_s[0],
                completed_s=span_s[1],
                ending=ending,
                served=served,
                amount=self.chance.choice([1.0, 1.0, 5.0, -1.0]),
            )
        )
        if ending == Ending.INFO:
            self._replaced(session)

    def _read_counter(self, session: int, served: str, span_s: tuple[float, float], *, final: bool) -> None:
        """About what it should be."""
        added = [each for each in self.operations if each.kind == Kind.INCREMENT and each.ending == Ending.OK]
        sure = sum(each.amount or 0.0 for each in added if each.completed_s < span_s[0])
        self.operations.append(
            Operation(
                session=session,
                kind=Kind.READ,
                object="likes",
                invoked_s=span_s[0],
                completed_s=span_s[1],
                served=served,
                amount=3.0 + sure + self.chance.choice([0.0, 0.0, 0.0, 1.0, 5.0, -1.0, -2.0]),
                final=final,
            )
        )

    def _read(self, session: int) -> None:
        invoked_s, completed_s = self._span(session)
        self._append_read(session, self._served(session), invoked_s, completed_s, final=False)

    def _final_read(self, region: str) -> None:
        at_s = max(each.completed_s for each in self.operations) if self.operations else 0.0
        for object_ in self.objects:
            session = max(self.home) + 1
            self.home[session] = region
            self._append_read(session, region, at_s + 1.0, at_s + 2.0, final=True, object_=object_)

    def _append_read(
        self, session: int, region: str, invoked_s: float, completed_s: float, *, final: bool, object_: str = ""
    ) -> None:
        object_ = object_ or self.chance.choice(self.objects)
        seen = self._seen(object_, completed_s)
        whole = not (self.paging and self.chance.random() < 0.5)
        if not whole:
            seen = sorted(seen, key=lambda name: self.order.get(name, -1.0))[-2:]
        if self.chance.random() < 0.03 and seen:
            seen.append(self.chance.choice(seen))
        self.operations.append(
            Operation(
                session=session,
                kind=Kind.READ,
                object=object_,
                invoked_s=invoked_s,
                completed_s=completed_s,
                ending=Ending.OK if self.chance.random() < 0.95 else Ending.FAIL,
                served=region,
                seen=tuple(seen),
                whole=whole,
                final=final,
            )
        )

    def _seen(self, object_: str, until_s: float) -> list[str]:
        chance = self.chance
        there = {
            each.id
            for each in self.operations
            if each.kind == Kind.WRITE and each.object == object_ and each.id and each.invoked_s <= until_s
        }
        seen = [name for name in sorted(there) if chance.random() < 0.75]
        if chance.random() < 0.05:
            seen.append("q")
        if not self.sane:  # some that will be written only later
            seen += [name for name in self.ids if name not in there and chance.random() < 0.2]
        chance.shuffle(seen)
        return list(dict.fromkeys(seen))
