"""What becomes of a statement that took too long, and of its connection, on a real Postgres."""

import asyncio
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from reference_system.data.postgres import FAILURES, Postgres
from tests.reference_system.forwarder import Forwarder
from tests.reference_system.servers import HOST

pytestmark = pytest.mark.e2e

TIMEOUT_S = 0.5
END = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query = 'SELECT 1' AND pid <> pg_backend_pid()"
STATEMENTS = {
    "sleep": "SELECT pg_sleep(20)",
    "sleeping": "SELECT count(*) AS n FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(20)' AND state = 'active'",
    "one": "SELECT 1 AS n",
    **{f"other-{number}": f"SELECT {number} AS other" for number in range(20)},
}


@pytest.fixture
def link(postgres_dsn: str) -> Iterator[Forwarder]:
    there = urlsplit(postgres_dsn)
    assert there.port is not None
    forwarder = Forwarder((HOST, 0), (HOST, there.port))
    yield forwarder
    forwarder.close()


def test_what_nobody_waits_for_any_more_is_ended_in_the_server(postgres_dsn: str) -> None:
    async def use() -> list[int]:
        postgres = Postgres(postgres_dsn, statements=STATEMENTS, connections=2, timeout_s=TIMEOUT_S)
        await postgres.connect()
        try:
            begun = asyncio.gather(*(postgres.run("sleep") for _ in range(2)), return_exceptions=True)
            assert [type(error) for error in await begun] == [TimeoutError, TimeoutError]
            await asyncio.sleep(TIMEOUT_S)
            return [row["n"] for row in await postgres.run("sleeping")]
        finally:
            await postgres.close()

    assert asyncio.run(use()) == [0]


def test_a_connection_that_was_idle_is_as_good_as_a_new_one(postgres_dsn: str) -> None:
    async def use() -> list[int]:
        postgres = Postgres(postgres_dsn, statements=STATEMENTS, connections=1, timeout_s=TIMEOUT_S)
        await postgres.connect()
        try:
            told = []
            for _ in range(2):
                await asyncio.sleep(2 * TIMEOUT_S)
                told += [row["n"] for row in await postgres.run("one")]
            return told
        finally:
            await postgres.close()

    assert asyncio.run(use()) == [1, 1]


def test_a_server_that_has_said_goodbye_has_failed_though_the_connection_is_not_closed_yet(
    postgres_dsn: str, link: Forwarder
) -> None:
    async def use() -> None:
        dsn = f"postgresql://postgres@{HOST}:{link.port}/postgres"
        postgres = Postgres(dsn, statements=STATEMENTS, connections=1, timeout_s=TIMEOUT_S)
        operator = Postgres(postgres_dsn, statements={"end": END}, connections=1)
        await asyncio.gather(postgres.connect(), operator.connect())
        try:
            link.delay_s = 0.3  # the goodbye comes after that, the end after as much again
            await operator.run("end")
            await asyncio.sleep(1.5 * link.delay_s)
            with pytest.raises(FAILURES):
                await postgres.run("one")
        finally:
            await asyncio.gather(postgres.close(), operator.close())

    asyncio.run(use())


def test_a_lost_connection_is_replaced_in_time_where_the_link_is_slow(link: Forwarder) -> None:
    async def use() -> list[int]:
        dsn = f"postgresql://postgres@{HOST}:{link.port}/postgres"
        postgres = Postgres(dsn, statements=STATEMENTS, connections=1, timeout_s=TIMEOUT_S)
        await postgres.connect()
        try:
            with pytest.raises(TimeoutError):
                await postgres.run("sleep")
            link.delay_s = 0.03
            return [row["n"] for row in await postgres.run("one")]
        finally:
            await postgres.close()

    assert asyncio.run(use()) == [1]
