"""Which database a region has: the first one, or one that was made after the first was lost.

A new database has the region's name and nothing else of it. It gives itself an id, asks its peers whether they knew
another one under its name, and if so it rejoins: it copies what the peers have before anybody copies from it, and its
numbers go on from the clock's, so that nothing gets a name that the lost database may have given away.
"""

import asyncio
import contextlib
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import asyncpg

from reference_system.data.postgres import FAILURES
from reference_system.data.statements import REPLICATED, STATEMENTS

Given = TypeVar("Given")

ASKED_WITHIN_S = 2.0
SEQUENCES = ("post_numbers", "user_numbers")
# Later than any number that was given away, as long as the region gave away fewer than one a millisecond.
GO_ON_FROM_THE_CLOCK = "SELECT setval($1::regclass, (extract(epoch FROM clock_timestamp()) * 1000)::bigint)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Incarnation:
    """`rejoins`: there was another one before it. `complete`: it has all that its peers have."""

    id: str
    rejoins: bool
    complete: bool


class _NobodyAnswersError(ConnectionError):
    """Only a peer knows whether there was a database before this one."""


async def of(connection: Any) -> Incarnation | None:
    """The database's own; None as long as it has none, or does not know yet whether there was another."""
    row = await connection.fetchrow(STATEMENTS["incarnation"])
    if row is None or row["rejoins"] is None:
        return None
    return Incarnation(id=row["id"], rejoins=row["rejoins"], complete=row["complete"])


async def rejoins(connection: Any, *, region: str, peers: Mapping[str, str]) -> bool:
    """Whether this database takes the place of a lost one; found out once. Raises one of `FAILURES` where no peer says.

    `connection`: as the role `mesh`, `peers` as in `replication.subscribe`.
    """
    await connection.execute(
        "INSERT INTO incarnation (id, complete) SELECT $1, false WHERE NOT EXISTS (SELECT 1 FROM incarnation)",
        uuid.uuid4().hex,
    )
    row = await connection.fetchrow(STATEMENTS["incarnation"])
    if row["rejoins"] is None:
        is_another = bool(peers) and await _somebody_knew_another(row["id"], region, peers)
        async with connection.transaction():
            await connection.execute("UPDATE incarnation SET rejoins = $1, complete = NOT $1", is_another)
            for sequence in SEQUENCES if is_another else ():
                await connection.fetch(GO_ON_FROM_THE_CLOCK, sequence)
        return is_another
    return bool(row["rejoins"])


async def complete(dsn: str, *, links: Sequence[str]) -> bool:
    """Declare the database complete if every table has been copied over every one of these links; whether it is."""
    if not links:
        return False
    connection = await asyncpg.connect(dsn, timeout=ASKED_WITHIN_S, command_timeout=ASKED_WITHIN_S, ssl=False)
    try:
        copied = await connection.fetchval(
            "SELECT count(*) FROM pg_subscription s JOIN pg_subscription_rel ON srsubid = s.oid "
            "WHERE subname = ANY($1::text[]) AND srsubstate = 'r'",
            list(links),
        )
        if copied < len(links) * len(REPLICATED):
            return False
        await connection.execute("UPDATE incarnation SET complete = true")
        return True
    finally:
        await connection.close()


async def known(connection: Any, peer: str) -> str | None:
    """The peer's incarnation that this database has subscribed to last."""
    id_: str | None = await connection.fetchval("SELECT incarnation FROM known_peers WHERE peer = $1", peer)
    return id_


async def learn(connection: Any, peer: str, incarnation: str) -> None:
    await connection.execute(
        "INSERT INTO known_peers (peer, incarnation) VALUES ($1, $2) "
        "ON CONFLICT (peer) DO UPDATE SET incarnation = excluded.incarnation",
        peer,
        incarnation,
    )


async def incomplete(peers: Mapping[str, str]) -> set[str]:
    """Those that say that they have lost their database and are still getting everything from the others."""

    async def is_incomplete(connection: Any) -> bool:
        theirs = await of(connection)
        return theirs is not None and theirs.rejoins and not theirs.complete

    return {peer for peer, answer in zip(peers, await _asked(peers, is_incomplete), strict=True) if answer is True}


async def _somebody_knew_another(own: str, region: str, peers: Mapping[str, str]) -> bool:
    answers = await _asked(peers, lambda connection: known(connection, region))
    said = [answer for answer in answers if not isinstance(answer, BaseException)]
    if not said:
        raise _NobodyAnswersError(f"no peer of {region} says whether there was a database before this one")
    return any(answer not in (None, own) for answer in said)


async def _asked(peers: Mapping[str, str], question: Callable[[Any], Awaitable[Given]]) -> list[Given | BaseException]:
    """Each peer's answer, or why there is none (one of `FAILURES`, or Postgres' own); in the order of `peers`."""

    async def ask(address: str) -> Given:
        async with contextlib.AsyncExitStack() as stack, asyncio.timeout(ASKED_WITHIN_S):
            connection = await asyncpg.connect(address, timeout=ASKED_WITHIN_S, ssl=False)
            stack.push_async_callback(connection.close)
            return await question(connection)

    answers = await asyncio.gather(*(ask(address) for address in peers.values()), return_exceptions=True)
    for answer in answers:
        if isinstance(answer, BaseException) and not isinstance(answer, (*FAILURES, asyncpg.PostgresError)):
            raise answer
    return answers
