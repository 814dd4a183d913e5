"""The mesh of regions: a slot for every peer, a subscription to every peer, and what can be said of these links.

Each region sends its own changes to every other one and passes nothing on (`origin = none`), so a link is one direction
between two regions and carries the name of both, e.g. `us_east_to_europe`: its slot in us-east and its subscription in
europe. mesh.sql says what is sent and how it is merged. Whether a link works is told by the heartbeats that arrive over
it, not by Postgres: the worker of a link that swallows every byte looks alive.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import asyncpg

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

Run = Callable[..., Awaitable[list[Record]]]  # a statement's name and its arguments, as Postgres.run


def link_name(source: str, to: str) -> str:
    """Of slot, subscription and walsender alike; Postgres allows no hyphen in a slot's name."""
    return f"{source}_to_{to}".replace("-", "_")


async def publish(dsn: str, *, region: str, peers: Iterable[str]) -> None:
    """Keep for every peer what is committed from now on, until it has fetched that. `dsn`: as the role `mesh`."""
    connection = await asyncpg.connect(dsn, timeout=STATEMENT_TIMEOUT_S)
    try:
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
            waiting.create_task(_subscribe_when_there(dsn, link_name(peer, region), address))


async def _subscribe_when_there(dsn: str, name: str, address: str) -> None:
    while True:
        try:
            await _subscribe(dsn, name, address)
        except (*FAILURES, asyncpg.PostgresError, _NotYetError):
            await asyncio.sleep(RETRY_EVERY_S)
        else:
            return


class _NotYetError(Exception):
    """The peer has no tables to publish yet: it would be subscribed to nothing, for ever."""


async def _subscribe(dsn: str, name: str, address: str) -> None:
    connection = await asyncpg.connect(dsn, timeout=STATEMENT_TIMEOUT_S, command_timeout=STATEMENT_TIMEOUT_S)
    target = f"CONNECTION '{address}{'&' if '?' in address else '?'}{CONNECTION_OPTIONS}'"
    try:
        async with connection.transaction():
            if await connection.fetchval("SELECT count(*) FROM pg_subscription WHERE subname = $1", name):
                await connection.execute(f"ALTER SUBSCRIPTION {name} {target}")  # in case it is elsewhere now
                return
            await connection.execute(
                f"CREATE SUBSCRIPTION {name} {target} PUBLICATION {PUBLICATIONS} WITH (slot_name = {name}, "
                # disable_on_error would end the link at the first connection that breaks.
                "create_slot = false, copy_data = false, origin = none, disable_on_error = false, streaming = off)"
            )
            tables = await connection.fetchval(
                "SELECT count(*) FROM pg_subscription s JOIN pg_subscription_rel ON srsubid = s.oid WHERE subname = $1",
                name,
            )
            if tables != len(REPLICATED):
                raise _NotYetError(name)
    finally:
        await connection.close()


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
