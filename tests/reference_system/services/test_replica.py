"""What a replica does with a request that nobody waits for any more."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import cast

import pytest
from prometheus_client import CollectorRegistry

from reference_system.data import errands
from reference_system.data.dependency import DependencyError, DependencyMetrics
from reference_system.data.errands import Errand
from reference_system.policies.degradation import Level
from reference_system.services.answers import EXPIRED, TOO_LATE, Answer
from reference_system.services.exchange import Instruction
from reference_system.services.handlers import Handlers
from reference_system.services.operations import Call
from reference_system.services.parts import ApiParts
from reference_system.services.replica import Replica
from reference_system.services.settings import api_settings
from tests.reference_system.services.calls import a_call

DONE = Answer(body={"done": True})


@dataclass
class _Handlers:
    handle: Callable[[], Awaitable[Answer]]

    async def answer(self, call: Call) -> Answer:
        del call
        return await self.handle()


class Bench:
    def __init__(self, handle: Callable[[], Awaitable[Answer]], *, slots: int = 1, service_time_s: float = 0.0) -> None:
        self.registry = CollectorRegistry()
        settings = replace(api_settings({}), slots=slots, service_time_s=service_time_s)
        self.replica = Replica(
            settings,
            parts=ApiParts(),
            handlers=cast(Handlers, _Handlers(handle)),
            placing=None,
            pool_ratio=lambda: 0.0,
            expired=DependencyMetrics(self.registry).expired,
            registry=self.registry,
        )

    async def answer(self, *, left_s: float, route: tuple[str, str] = ("GET", "/timeline/home")) -> Answer:
        return await self.replica.work(replace(a_call(*route), deadline_s=time.monotonic() + left_s))

    def expired(self, where: str) -> float | None:
        return self.registry.get_sample_value("expired_total", {"where": where})

    def at_work(self) -> bytes:
        shown = self.replica.metrics(time.monotonic()).splitlines()
        return next(line for line in shown if line.startswith(b"requests_at_work"))


async def at_once() -> Answer:
    await asyncio.sleep(0)
    return DONE


def test_what_somebody_waits_for_is_answered() -> None:
    bench = Bench(at_once)

    assert asyncio.run(bench.answer(left_s=5.0)) == DONE
    assert bench.at_work() == b"requests_at_work 0.0"


def test_what_arrives_too_late_takes_no_slot() -> None:
    bench = Bench(at_once)

    assert asyncio.run(bench.answer(left_s=-0.001)) == EXPIRED
    assert bench.expired("arrival") == 1
    assert bench.replica.slots.busy_ratio(1.0, now_s=time.monotonic()) == 0


def test_what_expires_in_the_queue_takes_no_slot_and_is_not_handled() -> None:
    bench = Bench(at_once, service_time_s=0.3)

    async def two() -> list[Answer]:
        return [*await asyncio.gather(bench.answer(left_s=5.0), bench.answer(left_s=0.05))]

    assert asyncio.run(two()) == [DONE, EXPIRED]
    assert bench.expired("slot") == 1


def test_a_handler_that_is_late_is_answered_for_and_left_to_its_end() -> None:
    ended = asyncio.Event()

    async def slow() -> Answer:
        await asyncio.sleep(0.03)
        ended.set()
        return DONE

    bench = Bench(slow)

    async def use() -> None:
        assert await bench.answer(left_s=0.01) == TOO_LATE
        assert bench.at_work() == b"requests_at_work 1.0"
        await ended.wait()

    asyncio.run(use())

    assert bench.expired("handler") == 1


def test_a_late_handler_that_crashes_is_seen_and_one_that_finds_no_store_is_not() -> None:
    seen: list[str] = []

    async def crash(error: Exception) -> None:
        async def slow() -> Answer:
            await asyncio.sleep(0.02)
            raise error

        asyncio.get_running_loop().set_exception_handler(lambda _, report: seen.append(report["message"]))
        assert await Bench(slow).answer(left_s=0.001) == TOO_LATE
        await asyncio.sleep(0.04)

    asyncio.run(crash(DependencyError("redis: gone")))
    assert seen == []

    asyncio.run(crash(ValueError("a bug")))
    assert seen == ["a handler crashed after its deadline"]


@pytest.mark.parametrize(
    ("route", "priority", "writes"),
    [(("GET", "/timeline/home"), 2, False), (("POST", "/tweets/create"), 1, True)],
)
def test_stores_are_told_for_whom_and_until_when(route: tuple[str, str], priority: int, writes: bool) -> None:
    told: list[Errand] = []

    async def look() -> Answer:
        await asyncio.sleep(0)
        told.append(errands.current())
        return DONE

    before_s = time.monotonic()
    asyncio.run(Bench(look).answer(left_s=3.0, route=route))

    assert (told[0].priority, told[0].writes) == (priority, writes)
    assert before_s + 3.0 <= told[0].deadline_s <= time.monotonic() + 3.0


@pytest.mark.parametrize(
    ("level", "off", "why"),
    [(Level.WARNING, False, "live updates are on"), (Level.CRITICAL, True, "they went off while it was being opened")],
)
def test_a_socket_that_was_being_opened_when_live_updates_went_off_is_closed(level: Level, off: bool, why: str) -> None:
    replica = Bench(at_once).replica
    replica.exchange(Instruction(level=level, window_s=1.0), time.monotonic())

    assert replica.live().is_set() is off, why


def test_sockets_that_are_open_are_closed_when_live_updates_go_off() -> None:
    replica = Bench(at_once).replica
    open_one = replica.live()
    before = open_one.is_set()
    replica.exchange(Instruction(level=Level.CRITICAL, window_s=1.0), time.monotonic())

    assert (before, open_one.is_set()) == (False, True)
