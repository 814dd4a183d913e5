"""What is done with a statement whose answer is lost or a refusal, on connections that do as they are told."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import pytest
from prometheus_client import CollectorRegistry

from reference_system.data.backends import Backends
from reference_system.data.dependency import DependencyError, DependencyPolicies, RefusedCallError
from reference_system.data.postgres import Postgres
from reference_system.data.redis_client import RedisClient
from reference_system.policies.circuit_breaker import OPENS_AFTER

LOST = ConnectionResetError("after it was sent")


class Connection:
    def __init__(self, pool: "Pool") -> None:
        self._pool = pool

    async def fetch(self, sql: str, *arguments: Any) -> list[Any]:
        del sql, arguments
        await asyncio.sleep(0)
        self._pool.sent += 1
        raise self._pool.error

    def terminate(self) -> None:
        self._pool.terminated += 1


class Pool(Postgres):
    """Its connections answer everything with `error`; as many of them as `refused` cannot even be made."""

    def __init__(self, *, refused: int, error: Exception = LOST) -> None:
        super().__init__("nowhere")
        self._pool = self
        self._left = refused
        self.error = error
        self.sent = 0
        self.terminated = 0

    async def acquire(self, *, timeout: float) -> Connection:  # noqa: ASYNC109 - asyncpg's name for it
        del timeout
        await asyncio.sleep(0)
        self._left -= 1
        if self._left >= 0:
            raise ConnectionRefusedError("before anything was sent")
        return Connection(self)

    async def release(self, connection: Connection) -> None:
        """Nothing is kept."""

    async def close(self) -> None:
        """Nothing is open."""


@pytest.mark.parametrize(
    ("statement", "refused", "sent", "why"),
    [
        ("profile", 0, 2, "may be done again"),
        ("like", 0, 1, "would be counted twice"),
        ("retweet", 0, 1, "would be counted twice"),
        ("like", 1, 1, "was never sent at first"),
    ],
)
def test_what_counts_is_not_sent_again_once_it_may_have_been_done(
    statement: str, refused: int, sent: int, why: str
) -> None:
    pool = Pool(refused=refused)

    async def use(backends: Backends) -> None:
        with pytest.raises(DependencyError):
            await backends.postgres(statement, "us-east-1", "us-east")

    _run(pool, use)
    assert pool.sent == sent, why
    assert pool.terminated == sent


@pytest.mark.parametrize(
    "error", [asyncpg.CharacterNotInRepertoireError("a NUL"), asyncpg.ProgramLimitExceededError("a key of 4 kB")]
)
def test_what_the_server_cannot_take_costs_no_connection_and_opens_no_breaker(error: Exception) -> None:
    pool = Pool(refused=0, error=error)

    async def use(backends: Backends) -> None:
        for _ in range(2 * OPENS_AFTER):
            with pytest.raises(RefusedCallError, match=str(error)):
                await backends.postgres("search", "word")

    _run(pool, use)
    assert (pool.sent, pool.terminated) == (2 * OPENS_AFTER, 0)


def _run(pool: Pool, use: Callable[[Backends], Awaitable[None]]) -> None:
    async def used() -> None:
        backends = Backends(
            redis=RedisClient("redis://nowhere"),
            postgres=pool,
            registry=CollectorRegistry(),
            policies=DependencyPolicies(),
            seed="1",
        )
        try:
            await use(backends)
        finally:
            await backends.close()

    asyncio.run(used())
