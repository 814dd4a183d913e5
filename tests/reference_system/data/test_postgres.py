"""What is done with a statement whose answer is lost, on connections that lose it when they are told to."""

import asyncio
import random
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from reference_system.data.dependency import Dependency, DependencyError, DependencyMetrics, DependencyPolicies
from reference_system.data.postgres import FAILURES, Postgres


class Connection:
    def __init__(self, pool: "Pool") -> None:
        self._pool = pool

    async def fetch(self, sql: str, *arguments: Any) -> list[Any]:
        del sql, arguments
        await asyncio.sleep(0)
        self._pool.sent += 1
        raise ConnectionResetError("after it was sent")

    def terminate(self) -> None:
        """Nothing to end."""


class Pool(Postgres):
    """Its connections lose every answer; as many of them as `refused` cannot even be made."""

    def __init__(self, *, refused: int) -> None:
        super().__init__("nowhere")
        self._pool = self
        self._left = refused
        self.sent = 0

    async def acquire(self, *, timeout: float) -> Connection:  # noqa: ASYNC109 - asyncpg's name for it
        del timeout
        await asyncio.sleep(0)
        self._left -= 1
        if self._left >= 0:
            raise ConnectionRefusedError("before anything was sent")
        return Connection(self)

    async def release(self, connection: Connection) -> None:
        """Nothing is kept."""


@pytest.mark.parametrize(
    ("statement", "refused", "sent", "why"),
    [
        ("profile", 0, 2, "may be done again"),
        ("like", 0, 1, "would be counted twice"),
        ("like", 1, 1, "was never sent at first"),
    ],
)
def test_what_counts_is_not_sent_again_once_it_may_have_been_done(
    statement: str, refused: int, sent: int, why: str
) -> None:
    pool = Pool(refused=refused)

    async def use() -> None:
        dependency = Dependency(
            "postgres",
            failures=FAILURES,
            probe=lambda: pool.run("ping"),
            metrics=DependencyMetrics(CollectorRegistry()),
            policies=DependencyPolicies(),
            chance=random.Random(1),
        )
        with pytest.raises(DependencyError):
            await dependency.call(pool.run, statement, "us-east-1", "us-east")
        await dependency.close()

    asyncio.run(use())
    assert pool.sent == sent, why
