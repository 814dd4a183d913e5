"""Who waits for a connection, and who does not: with one connection that somebody holds."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable

import pytest
from prometheus_client import CollectorRegistry

from reference_system.data import errands
from reference_system.data.connection_gate import ConnectionGate, PoolBusyError
from reference_system.data.dependency import DependencyError, DependencyMetrics, ExpiredError
from reference_system.data.errands import Errand
from reference_system.defects import for_api
from reference_system.services.parts import ApiParts

READ, WRITE, POST = Errand(priority=4), Errand(priority=3, writes=True), Errand(priority=1, writes=True)


class Bench:
    def __init__(
        self, *, longest_wait_s: float = 9.0, connections: int = 1, gate: type[ConnectionGate] = ConnectionGate
    ) -> None:
        self.registry = CollectorRegistry()
        self.gate = gate(
            connections,
            longest_wait_s=longest_wait_s,
            refuses=lambda **_: True,
            expired=DependencyMetrics(self.registry).expired,
            registry=self.registry,
        )

    async def enter(self) -> None:
        async with self.gate:
            pass

    def run(self, use: Callable[[], Awaitable[None]], then: Callable[[], Awaitable[None]] | None = None) -> None:
        """`use` while the connection is held, `then` when it is free again."""

        async def used() -> None:
            async with self.gate:
                await use()
            if then is not None:
                await then()

        asyncio.run(used())

    def shown(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(f"postgres_pool_{name}", labels)


def test_a_free_connection_is_for_everybody_at_once() -> None:
    bench = Bench()

    async def use() -> None:
        assert bench.gate.inside == 1

    bench.run(use)
    bench.run(use)

    assert bench.gate.inside == 0
    assert (bench.shown("wait_seconds_count"), bench.shown("wait_seconds_sum")) == (2, 0)


@pytest.mark.parametrize("errand", [READ, WRITE])
def test_what_has_done_nothing_yet_may_be_refused(errand: Errand) -> None:
    bench = Bench()

    async def use() -> None:
        errands.begin(errand)
        with pytest.raises(PoolBusyError):
            await bench.enter()

    bench.run(use)

    assert bench.shown("refused_total", priority=str(errand.priority)) == 1
    assert bench.shown("waiting") == 0


@pytest.mark.parametrize(
    ("errand", "why"),
    [
        (POST, "priority 1 is never refused"),
        (Errand(priority=3, writes=True, begun=True), "of a write that has begun nobody can say that nothing was done"),
        (None, "the service's own work"),
    ],
)
def test_what_may_not_be_refused_waits_for_its_turn(errand: Errand | None, why: str) -> None:
    bench, waiting = Bench(), list[asyncio.Task[None]]()

    async def use() -> None:
        if errand is not None:
            errands.begin(errand)
        waiting.append(asyncio.create_task(bench.enter()))
        await asyncio.sleep(0)
        assert not waiting[0].done(), why
        assert bench.shown("waiting") == 1

    async def then() -> None:
        await waiting[0]

    bench.run(use, then)

    assert bench.shown("wait_seconds_count") == 2


def test_a_statement_that_was_let_in_has_begun() -> None:
    bench, errand = Bench(), Errand(priority=3, writes=True)

    async def use() -> None:
        errands.begin(errand)

    async def then() -> None:
        await bench.enter()

    bench.run(use, then)

    assert not errand.may_be_refused


def test_nobody_waits_for_longer_than_somebody_waits_for_the_answer() -> None:
    bench = Bench()

    async def use() -> None:
        errands.begin(Errand(deadline_s=time.monotonic() + 0.01))
        with pytest.raises(ExpiredError):
            await bench.enter()

    bench.run(use)

    assert bench.registry.get_sample_value("expired_total", {"where": "pool"}) == 1
    assert (bench.shown("acquire_timeouts_total"), bench.shown("waiting")) == (0, 0)


def test_a_shared_errand_is_waited_for_as_long_as_the_most_patient_who_has_joined_it() -> None:
    bench, errand, waiting = Bench(), Errand(), list[asyncio.Task[None]]()

    async def use() -> None:
        errand.deadline_s = time.monotonic() + 0.02
        errands.begin(errand)
        waiting.append(asyncio.create_task(bench.enter()))
        await asyncio.sleep(0)
        errand.deadline_s += 9.0  # as who joins a flight does
        await asyncio.wait(waiting, timeout=0.05)

    async def then() -> None:
        await waiting[0]

    bench.run(use, then)

    assert bench.registry.get_sample_value("expired_total", {"where": "pool"}) == 0
    assert bench.shown("acquire_timeouts_total") == 0
    assert bench.shown("wait_seconds_count") == 2


def test_who_has_waited_in_vain_is_no_more_than_that() -> None:
    bench = Bench(longest_wait_s=0.01)

    async def use() -> None:
        errands.begin(POST)
        with pytest.raises(DependencyError, match=r"no connection was free within 0\.01 s") as failed:
            await bench.enter()
        assert not isinstance(failed.value, ExpiredError | PoolBusyError)

    bench.run(use)

    assert (bench.shown("acquire_timeouts_total"), bench.shown("waiting")) == (1, 0)


def test_a_call_that_fails_gives_its_connection_back_and_with_the_planted_leak_does_not() -> None:
    def lost(gate: type[ConnectionGate]) -> int:
        bench = Bench(connections=9, gate=gate)

        async def fail() -> None:
            for _ in range(3):
                with contextlib.suppress(DependencyError):
                    async with bench.gate:
                        raise DependencyError from OSError()
            with contextlib.suppress(DependencyError):
                async with bench.gate:
                    raise DependencyError("the circuit breaker is open")

        asyncio.run(fail())
        return bench.gate.inside

    assert lost(ConnectionGate) == 0
    assert lost(for_api("leaks_connections", ApiParts()).gate) == 3
