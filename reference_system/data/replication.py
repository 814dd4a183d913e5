"""The mesh of regions: a slot for every peer, a subscription to every peer, and what can be said of these links.

Each region sends its own changes to every other one and passes nothing on (`origin = none`), so a link is one direction
between two regions and carries the name of both, e.g. `us_east_to_europe`: its slot in us-east and its subscription in
europe. mesh.sql says what is sent and how it is merged. Whether a link works is told by the heartbeats that arrive over
it, not by Postgres: the worker of a link that swallows every byte looks alive.
"""

import asyncio
import contextlib
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg

from reference_system.data import incarnations
from reference_system.data.postgres import FAILURES, Record
from reference_system.data.statements import COMPARED, REPLICATED, SAMPLED_GROUPS

PUBLICATIONS = "merged, owned"
# A peer that is gone without a word is given up after 25 s. There is no limit for one that accepts and says nothing:
# while Postgres connects to a publisher, it heeds no connect_timeout (seen with 18.4).
CONNECTION_OPTIONS = (
    "keepalives_idle=10&keepalives_interval=5&keepalives_count=3&tcp_user_timeout=10000"
    "&sslmode=disable"  # asking for it costs a round trip
)
STATEMENT_TIMEOUT_S = 5.0
RETRY_EVERY_S = 0.5
COPIED_WITHIN_S = 60.0  # takes some seconds; who waits longer leaves it to Postgres
SILENT_AFTER_S = 2.0  # eight heartbeats

Run = Callable[..., Awaitable[list[Record]]]  # a statement's name and its arguments, as Postgres.run


def link_name(source: str, to: str) -> str:
    """Of slot, subscription and walsender alike; Postgres allows no hyphen in a slot's name."""
    return f"{source}_to_{to}".replace("-", "_")


async def publish(dsn: str, *, region: str, peers: Mapping[str, str]) -> None:
    """Keep for every peer what is committed from now on, until it has fetched that. `dsn`: as the role `mesh`.

    A region that has lost its database keeps nothing yet: its peers copy what it has once that is complete. Which of
    the two it is the peers know, so that at least one of them has to answer the first time.
    """
    connection = await asyncpg.connect(dsn, timeout=STATEMENT_TIMEOUT_S)
    try:
        if await incarnations.rejoins(connection, region=region, peers=peers):
            return
        known = {row["slot_name"] for row in await connection.fetch("SELECT slot_name FROM pg_replication_slots")}
        for name in (link_name(region, peer) for peer in peers):
            if name not in known:
                await connection.execute("SELECT pg_create_logical_replication_slot($1, 'pgoutput')", name)
    finally:
        await connection.close()


async def subscribe(dsn: str, *, region: str, peers: Mapping[str, str]) -> None:
    """Subscribe to all peers, waiting for those that are not up yet: cancel it to give up. `dsn`: as the role `mesh`.

    `peers` says where each one is seen from the server, as a URI with role `mesh` and its password.
    """
    async with asyncio.TaskGroup() as waiting:
        for peer, address in peers.items():
            waiting.create_task(_subscribe_when_there(dsn, region, peer, address))


async def mend(run: Run, dsn: str, *, region: str, peers: Mapping[str, str]) -> None:
    """One look at what a lost database breaks, and its repair: to be called again and again.

    Peers that are silent are asked whether they are still the same; one that is not is subscribed to anew. And where
    this database is the new one it is declared complete once everything is copied, from all but those that are new
    themselves: of two that were lost at once neither could wait for the other.
    """
    silent = {row["region"] for row in await run("silent", [*peers], SILENT_AFTER_S)}
    asked = [_subscribe(dsn, region, peer, address, moved=False) for peer, address in peers.items() if peer in silent]
    await asyncio.gather(*asked, return_exceptions=True)  # the next turn tries again
    if not all(row["complete"] for row in await run("incarnation")):
        empty = await incarnations.incomplete(peers)
        with contextlib.suppress(*FAILURES, asyncpg.PostgresError):
            await incarnations.complete(dsn, links=[link_name(peer, region) for peer in peers if peer not in empty])


async def _subscribe_when_there(dsn: str, region: str, peer: str, address: str) -> None:
    while True:
        try:
            await _subscribe(dsn, region, peer, address)
        except (*FAILURES, asyncpg.PostgresError, _NotYetError):
            await asyncio.sleep(RETRY_EVERY_S)
        else:
            return


class _NotYetError(Exception):
    """The peer has no tables to publish yet, or not all rows: it would be subscribed to nothing, or to a part."""


async def _subscribe(dsn: str, region: str, peer: str, address: str, *, moved: bool = True) -> None:
    """`moved`: the peer may have another address than when it was subscribed to."""
    async with contextlib.AsyncExitStack() as connections:
        own = await _connected(connections, dsn)
        there = await _connected(connections, address)
        name = link_name(peer, region)
        await _alone(own, name)
        ours, theirs = await incarnations.of(own), await incarnations.of(there)
        if ours is None or theirs is None or not theirs.complete:
            raise _NotYetError(name)
        target = f"CONNECTION '{address}{'&' if '?' in address else '?'}{CONNECTION_OPTIONS}'"
        known = await incarnations.known(own, peer)
        is_there = await own.fetchval("SELECT count(*) FROM pg_subscription WHERE subname = $1", name) > 0
        if is_there and known == theirs.id:
            if moved:
                await own.execute(f"ALTER SUBSCRIPTION {name} {target}")
            return
        copied = known is not None or theirs.rejoins or ours.rejoins
        if copied:
            await _alone(own, "filling")  # copies of the same rows from two peers at once wait for each other for ever
            await _alone_in_copying(there, name)
            await _begin_anew(own, there, name, is_there=is_there)
        async with own.transaction():
            await own.execute(
                f"CREATE SUBSCRIPTION {name} {target} PUBLICATION {PUBLICATIONS} WITH (slot_name = {name}, "
                # disable_on_error would end the link at the first connection that breaks.
                f"create_slot = false, copy_data = {str(copied).lower()}, origin = none, disable_on_error = false, "
                "streaming = off)"
            )
            tables = await own.fetchval(
                "SELECT count(*) FROM pg_subscription s JOIN pg_subscription_rel ON srsubid = s.oid WHERE subname = $1",
                name,
            )
            if tables != len(REPLICATED):
                raise _NotYetError(name)
            await incarnations.learn(own, peer, theirs.id)
        if copied:
            await _until_copied(own, name)


async def _alone(connection: Any, what: str) -> None:
    """Nobody else does this on the same server until the connection closes; _NotYetError where somebody does."""
    if not await connection.fetchval("SELECT pg_try_advisory_lock(hashtext($1))", what):
        raise _NotYetError(what)


async def _alone_in_copying(there: Any, name: str) -> None:
    """One peer after the other copies. Postgres names the slot of a table that is copied by the subscriber's system
    identifier and the subscription's number, and both are the same in all regions, whose databases are copies of one:
    two peers would take each other's slots away, and their tables would wait for them for ever."""
    await _alone(there, "copying")
    if await there.fetchval("SELECT count(*) FROM pg_replication_slots WHERE slot_name ~ '^pg_[0-9]+_sync_'"):
        raise _NotYetError(name)


async def _until_copied(own: Any, name: str) -> None:
    async with asyncio.timeout(COPIED_WITHIN_S):
        while await own.fetchval(  # noqa: ASYNC110 - Postgres' own workers know, which tell nobody
            "SELECT count(*) FROM pg_subscription s JOIN pg_subscription_rel ON srsubid = s.oid "
            "WHERE subname = $1 AND srsubstate <> 'r'",
            name,
        ):
            await asyncio.sleep(RETRY_EVERY_S)


async def _begin_anew(own: Any, there: Any, name: str, *, is_there: bool) -> None:
    """A slot that begins now; what was committed before is copied.

    The old subscription goes first: it would connect to the new slot with its place in the lost log, and skip all that
    the new one has until it is as long.
    """
    if is_there:
        async with own.transaction():
            await own.execute(f"ALTER SUBSCRIPTION {name} DISABLE")
            await own.execute(f"ALTER SUBSCRIPTION {name} SET (slot_name = NONE)")
            await own.execute(f"DROP SUBSCRIPTION {name}")
    drop = "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = $1"
    await there.fetch(drop, name)
    await there.fetch("SELECT pg_create_logical_replication_slot($1, 'pgoutput')", name)


async def _connected(connections: contextlib.AsyncExitStack, dsn: str) -> Any:
    connection = await asyncpg.connect(dsn, timeout=STATEMENT_TIMEOUT_S, command_timeout=STATEMENT_TIMEOUT_S, ssl=False)
    connections.push_async_callback(connection.close)
    return connection


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """The link from a peer. `heartbeat_age_s` is its lag, `errors` are those of connecting and applying alike.

    `conflicts` are the errors that come back for ever: a row that the merge of mesh.sql does not let pass.
    """

    peer: str
    enabled: bool
    running: bool
    heartbeat_at_s: float  # 0 before the first
    heartbeat_age_s: float
    errors: int
    conflicts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """The link to a peer. `slot` is "lost" when the peer has been away for too much: what it lacks is gone."""

    peer: str
    active: bool
    unconfirmed_bytes: float
    slot: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    incoming: list[Incoming]
    outgoing: list[Outgoing]


async def links(run: Run, *, region: str, peers: Sequence[str]) -> Links:
    """How a region's links are, one a peer and direction; one that is not set up is neither enabled nor running."""
    heard = {row["region"]: row for row in await run("heartbeats")}
    incoming = {row["link"]: row for row in await run("incoming")}
    outgoing = {row["link"]: row for row in await run("outgoing")}
    return Links(
        incoming=[_incoming(peer, heard.get(peer), incoming.get(link_name(peer, region))) for peer in peers],
        outgoing=[_outgoing(peer, outgoing.get(link_name(region, peer))) for peer in peers],
    )


def _incoming(peer: str, heard: Record | None, link: Record | None) -> Incoming:
    return Incoming(
        peer=peer,
        enabled=link is not None and link["enabled"],
        running=link is not None and link["running"],
        heartbeat_at_s=heard["at"] if heard else 0.0,
        heartbeat_age_s=heard["age_s"] if heard else math.inf,
        errors=link["errors"] if link else 0,
        conflicts=link["conflicts"] if link else 0,
    )


def _outgoing(peer: str, slot: Record | None) -> Outgoing:
    if slot is None:
        return Outgoing(peer=peer, active=False, unconfirmed_bytes=math.inf, slot="missing")
    unconfirmed = slot["unconfirmed_bytes"]
    return Outgoing(
        peer=peer,
        active=slot["active"],
        unconfirmed_bytes=math.inf if unconfirmed is None else unconfirmed,  # a lost slot may not know any more
        slot=slot["wal_status"],
    )


@dataclass(frozen=True, slots=True)
class Digest:
    """Of one table: the number of rows, and a sum over them that does not depend on their order, in hexadecimal."""

    rows: int
    digest: str


async def digests(run: Run, tables: Sequence[str] = COMPARED) -> dict[str, Digest]:
    """By table; two regions hold the same rows if these are the same."""
    rows = await run("digests", list(tables))
    return {row["name"]: Digest(row["rows"], f"{int(row['hashes']) % 2**64:016x}") for row in rows}


async def sampled_posts(run: Run) -> tuple[int, ...]:
    """Of each sampled group of posts a sum over their rows modulo 2^64, 0 where there are none."""
    hashes = {row["number"]: int(row["hashes"]) % 2**64 for row in await run("sampled_posts")}
    return tuple(hashes.get(number, 0) for number in range(SAMPLED_GROUPS))
