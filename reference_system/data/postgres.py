"""A pool of Postgres connections on which every statement is prepared before it is needed.

One call costs one round trip, however slow the link: no prepare at first use, no reset query at release. A connection
on which a call timed out is thrown away, since its answer may still come, and the server ends the statement by itself.
The one that replaces it prepares at first use: where the link is slow, preparing all would take longer than anybody
waits. Knows nothing of retries and breakers.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import asyncpg

from reference_system.data.statements import ONCE, STATEMENTS

TIMEOUT_S = 1.9  # as for Redis: slow storage still works, silent storage does not
CONNECTIONS = 10

Record = Any  # asyncpg ships no types

FAILURES: tuple[type[Exception], ...] = (
    OSError,  # TimeoutError is one
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # the server has said goodbye to an idle connection, which is not closed yet
    asyncpg.OperatorInterventionError,  # the server shuts down or starts
    asyncpg.InsufficientResourcesError,
)
UNFIT = (asyncpg.DataError, asyncpg.ProgramLimitExceededError)  # a NUL in a text, a key too long for its index


class OutcomeUnknownError(TimeoutError):
    """A statement that must not be done twice may have been done. As after any timeout, nobody tries again."""


class UnfitError(Exception):
    """Postgres is well, and cannot do the statement with these arguments; nothing was done."""


class _WarmConnection(asyncpg.Connection):  # type: ignore[misc]  # asyncpg ships no types
    __slots__ = ()

    def get_reset_query(self) -> str:
        return ""  # our statements leave no session state behind

    async def warm(self, statements: Mapping[str, str]) -> None:
        """Put every statement into this connection's cache; `prepare()` would not, what it makes dies at release."""
        for sql in statements.values():
            await self._get_statement(sql, None)
        # Subtle: the server's time for a statement runs from when it is prepared until something is executed.
        await self.execute("SELECT 1")


class Postgres:
    """`await postgres.run("home", user)` gives the rows; raises one of FAILURES when that cannot be done in time,
    UnfitError when it never can."""

    def __init__(
        self,
        dsn: str,
        *,
        statements: Mapping[str, str] = STATEMENTS,
        connections: int = CONNECTIONS,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self._dsn = dsn
        self._statements = statements
        self.connections = connections
        self._timeout_s = timeout_s
        self._pool: Any = None

    async def connect(self) -> None:
        """Open and warm all connections. Raises if the server is away or the tables do not exist yet."""
        self._pool = await asyncpg.create_pool(
            self._dsn,
            min_size=self.connections,
            max_size=self.connections,
            max_inactive_connection_lifetime=0,
            connection_class=_WarmConnection,
            init=self._warm,
            max_cached_statement_lifetime=0,  # for ever
            ssl=False,  # asking for it costs a round trip a connection
            timeout=self._timeout_s,
            command_timeout=self._timeout_s,
            server_settings={
                "jit": "off",
                "max_parallel_workers_per_gather": "0",  # starting one takes longer than all that they could do
                "application_name": "reference_system",
                "statement_timeout": f"{1100 * self._timeout_s:.0f}",  # in ms: a little later than who waits gives up
            },
        )

    @property
    def in_use(self) -> int:
        """Connections lent and not given back; one that is lost is given back by that."""
        return self._pool.get_size() - self._pool.get_idle_size() if self._pool is not None else 0

    @property
    def busy_ratio(self) -> float:
        """Connections in use ÷ all; 1 while there are none, because then nobody gets one."""
        size = self._pool.get_size() if self._pool is not None else 0
        return self.in_use / size if size else 1.0

    async def run(self, name: str, *arguments: Any) -> list[Record]:
        if self._pool is None:
            raise ConnectionError("Postgres is not connected yet")
        connection = await self._pool.acquire(timeout=self._timeout_s)
        try:
            rows: list[Record] = await connection.fetch(self._statements[name], *arguments)
            return rows
        except UNFIT as error:
            raise UnfitError(str(error)) from error
        except BaseException as error:  # whatever it was, a cancelled caller included, its answer may still come
            connection.terminate()
            if name in ONCE and isinstance(error, FAILURES):
                raise OutcomeUnknownError(str(error)) from error
            raise
        finally:
            await self._pool.release(connection)

    async def close(self) -> None:
        if self._pool is not None:
            self._pool.terminate()

    async def _warm(self, connection: Any) -> None:
        if self._pool is None:  # not one that replaces another, for which a request waits
            await connection.warm(self._statements)


async def connect_when_ready(connect: Callable[[], Awaitable[object]], *, every_s: float = 0.05) -> None:
    """Try until the database is there; its owner ends this by cancelling it."""
    while True:
        try:
            await connect()
        except (*FAILURES, asyncpg.PostgresError):
            await asyncio.sleep(every_s)
        else:
            return
