"""Values in Redis, against one that is a dictionary: who gets what, what is stored, and what is counted."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, cast

import pytest
from prometheus_client import CollectorRegistry, Counter

from reference_system.data.backends import Backends
from reference_system.data.background import Background
from reference_system.data.dependency import DependencyError, ExpiredError
from reference_system.data.flights import Flights
from reference_system.data.generations import forget_value
from reference_system.data.resp import Command
from reference_system.data.values import Value, ValueKind, Values

WORDS = ValueKind(name="words", of=list[str], fresh_s=30.0)


class Stores:
    """What `Values` needs of the backends; `fails` is what the next call of Redis raises."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.cache_requests = Counter("cache_requests", "", ["layer", "result"], registry=self.registry)
        self.builds = Counter("cache_builds", "", ["kind"], registry=self.registry)
        self.background = Background()
        self.known: dict[str, bytes] = {}
        self.fails: DependencyError | None = None

    async def redis(self, *commands: Command) -> list[Any]:
        await asyncio.sleep(0)
        if self.fails is not None:
            error, self.fails = self.fails, None
            raise error
        return [self._done(*command) for command in commands]

    def _done(self, name: str | bytes | int, *words: Any) -> Any:
        match name, words:
            case "GET", (key,):
                return self.known.get(key)
            case "PTTL", (key,):
                return 30_000 if key in self.known else -2
            case "SET", (key, value, "NX", "EX", _):
                return self.known.setdefault(key, b"%d" % value)
            case "INCR", (key,):
                self.known[key] = b"%d" % (int(self.known.get(key, 0)) + 1)
            case "DEL", (key,):
                self.known.pop(key, None)
            case "EVAL", (_, 2, generation, key, seen, _, value):
                if self.known.get(generation, b"") == seen:
                    self.known[key] = value
        return None


class Bench:
    """Builds `["1"]`, then `["2"]` and so on; waits before that for as long as `may_build` is cleared."""

    def __init__(self) -> None:
        self.stores = Stores()
        self.lost: list[DependencyError] = []
        self.built = 0

    def run(self, use: Callable[[], Awaitable[None]]) -> None:
        async def used() -> None:
            self.may_build = asyncio.Event()
            self.may_build.set()
            self._flights = Flights()
            self._values = Values(cast(Backends, self.stores), self._flights, on_cache_loss=self.lost.append)
            try:
                await use()
            finally:
                await self._flights.close()
                await self.stores.background.close()

        asyncio.run(used())

    async def get(self) -> Value[list[str]]:
        return await self._values.get(WORDS, "words", self._build)

    async def settle(self) -> None:
        for _ in range(5):
            await asyncio.sleep(0)

    def counted(self, result: str) -> float | None:
        return self.stores.registry.get_sample_value("cache_requests_total", {"layer": "redis", "result": result})

    async def _build(self) -> list[str]:
        self.built += 1
        number = self.built
        await self.may_build.wait()
        return [f"{number}"]


def test_what_is_built_is_stored_and_found() -> None:
    bench = Bench()

    async def use() -> None:
        built = await bench.get()
        await bench.settle()
        found = await bench.get()

        assert (built.value, built.cache, found.value, found.cache) == (["1"], "built", ["1"], "redis")

    bench.run(use)
    assert (bench.counted("miss"), bench.counted("hit")) == (1, 1)


def test_who_asks_meanwhile_is_told_to_have_joined() -> None:
    bench = Bench()

    async def use() -> None:
        bench.may_build.clear()
        asking = [asyncio.create_task(bench.get()) for _ in range(3)]
        await bench.settle()
        bench.may_build.set()
        got = await asyncio.gather(*asking)

        assert [(value.value, value.cache) for value in got] == [(["1"], "built"), (["1"], "joined"), (["1"], "joined")]

    bench.run(use)


def test_what_is_forgotten_while_it_is_built_is_not_stored() -> None:
    bench = Bench()

    async def use() -> None:
        bench.may_build.clear()
        first = asyncio.create_task(bench.get())
        await bench.settle()
        await bench.stores.redis(*forget_value("words"))
        bench.may_build.set()
        await first
        await bench.settle()

        assert "words" not in bench.stores.known
        assert (await bench.get()).value == ["2"]

    bench.run(use)


def test_what_was_built_before_redis_forgot_everything_is_neither_shared_nor_stored_afterwards() -> None:
    bench = Bench()

    async def use() -> None:
        bench.may_build.clear()
        first = asyncio.create_task(bench.get())
        await bench.settle()
        await bench.stores.redis(*forget_value("words"))  # what is being built lacks a change
        bench.stores.known.clear()
        second = asyncio.create_task(bench.get())
        await bench.settle()
        bench.may_build.set()
        await first
        await bench.settle()

        assert (await second).value == ["2"]
        assert bench.stores.known.get("words") == b'["2"]'

    bench.run(use)


def test_a_redis_that_is_lost_is_a_reason_to_build() -> None:
    bench = Bench()

    async def use() -> None:
        bench.stores.fails = DependencyError("redis: gone")

        assert (await bench.get()).cache == "fallback"

    bench.run(use)
    assert (bench.counted("unavailable"), len(bench.lost)) == (1, 1)


def test_an_expired_request_is_no_loss_of_redis_and_builds_nothing() -> None:
    bench = Bench()

    async def use() -> None:
        bench.stores.fails = ExpiredError("redis: nobody waits for the answer any more")
        with pytest.raises(ExpiredError):
            await bench.get()

    bench.run(use)
    assert (bench.counted("unavailable"), bench.lost, bench.built) == (0, [], 0)
