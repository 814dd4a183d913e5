import asyncio

import pytest

from reference_system.data import errands
from reference_system.data.flights import Flights


class Building:
    """Counts how often it is built; ends when it is told to."""

    def __init__(self) -> None:
        self.begun = 0
        self.may_end = asyncio.Event()
        self.fails = False

    async def build(self) -> int:
        self.begun += 1
        number = self.begun
        await self.may_end.wait()
        if self.fails:
            raise LookupError(number)
        return number


async def _asked(flights: Flights, building: Building, *keys: str) -> list[asyncio.Task[int]]:
    asking = [asyncio.create_task(flights.shared(key, building.build)) for key in keys]
    await asyncio.sleep(0)  # all of them ask
    await asyncio.sleep(0)
    return asking


def test_who_asks_for_the_same_at_once_gets_the_same_and_it_is_built_once() -> None:
    async def play() -> None:
        flights, building = Flights(linger_s=0.0), Building()
        asking = await _asked(flights, building, "a", "a", "a", "b")
        building.may_end.set()

        assert await asyncio.gather(*asking) == [1, 1, 1, 2]
        assert await flights.shared("a", building.build) == 3, "what has ended is not given again"

    asyncio.run(play())


def test_what_has_just_ended_well_is_given_to_who_comes_late_until_the_keys_lose_their_meaning() -> None:
    async def play() -> None:
        flights, building = Flights(), Building()
        building.may_end.set()
        asked = [await flights.shared("a", building.build) for _ in range(2)]
        flights.forget()

        assert asked == [1, 1]
        assert await flights.shared("a", building.build) == 2

    asyncio.run(play())


def test_what_is_too_personal_is_given_only_to_those_who_waited_for_it() -> None:
    async def play() -> None:
        flights, building = Flights(), Building()
        building.may_end.set()

        assert [await flights.shared("a", building.build, lingers=False) for _ in range(2)] == [1, 2]

    asyncio.run(play())


def test_a_failure_is_everybodys_and_the_next_one_tries_again() -> None:
    async def play() -> None:
        flights, building = Flights(linger_s=0.0), Building()
        building.fails = True
        asking = await _asked(flights, building, "a", "a")
        building.may_end.set()
        outcomes = await asyncio.gather(*asking, return_exceptions=True)
        building.fails = False

        assert [type(outcome) for outcome in outcomes] == [LookupError, LookupError]
        assert await flights.shared("a", building.build) == 2

    asyncio.run(play())


def test_who_gives_up_leaves_it_to_those_who_still_wait() -> None:
    async def play() -> None:
        flights, building = Flights(linger_s=0.0), Building()
        first, second = await _asked(flights, building, "a", "a")
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        building.may_end.set()

        assert await second == 1

    asyncio.run(play())


def test_what_is_under_way_ends_with_its_owner() -> None:
    async def play() -> None:
        flights, building = Flights(linger_s=0.0), Building()
        (asking,) = await _asked(flights, building, "a")
        await flights.close()

        with pytest.raises(asyncio.CancelledError):
            await asking

    asyncio.run(play())


def test_a_flight_is_as_patient_and_important_as_any_of_them_and_outlives_the_first_ones_errand() -> None:
    async def play() -> None:
        flights, building, seen = Flights(linger_s=0.0), Building(), list[errands.Errand]()

        async def build() -> int:
            seen.append(errands.current())
            return await building.build()

        async def ask(priority: int, deadline_s: float) -> int:
            errands.begin(errands.Errand(priority=priority, deadline_s=deadline_s))
            return await flights.shared("a", build)

        asking = [asyncio.create_task(ask(*errand)) for errand in ((3, 10.0), (4, 30.0), (2, 20.0))]
        for _ in range(3):
            await asyncio.sleep(0)  # all of them ask
        building.may_end.set()
        await asyncio.gather(*asking)

        assert [(errand.priority, errand.deadline_s) for errand in seen] == [(2, 30.0)]

    asyncio.run(play())
