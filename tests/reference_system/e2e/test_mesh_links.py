"""Links between four real regions: how soon they work again, and what can be said of one that does not."""

import asyncio
import contextlib
import functools
import time
from collections.abc import AsyncIterator, Iterable, Iterator

import asyncpg
import pytest

from reference_system.data import replication
from reference_system.data.replication import Incoming
from reference_system.data.seed import REGIONS
from reference_system.policies import link_condition
from reference_system.policies.link_condition import Condition
from tests.reference_system import mesh as meshes
from tests.reference_system.forwarder import Mode
from tests.reference_system.mesh import AS_MESH, Mesh, Region, arrived, converged, until

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

EAST, WEST, EUROPE, ASIA = REGIONS
WAL_SENDER_TIMEOUT_S = 10.0  # as long a publisher that was told nothing keeps the slot for a connection that is dead
RETRY_INTERVAL_S = 1.0
TOLERANCE_S = 2.0  # for a busy machine


@pytest.fixture(scope="module")
def mesh() -> Iterator[Mesh]:
    with meshes.running() as mesh:
        yield mesh


@contextlib.asynccontextmanager
async def beating(regions: Iterable[Region]) -> AsyncIterator[None]:
    """Heartbeats, as the workers send them."""

    async def beat(region: Region) -> None:
        while True:
            await region.run("beat", region.name)
            await asyncio.sleep(0.1)

    beats = [asyncio.create_task(beat(region)) for region in regions]
    try:
        yield
    finally:
        for one in beats:
            one.cancel()
        await asyncio.gather(*beats, return_exceptions=True)


async def incoming(region: Region, peer: str) -> Incoming:
    (link,) = (await replication.links(region.run, region=region.name, peers=[peer])).incoming
    return link


class Watched:
    """What the policy says of one link, asked again and again."""

    def __init__(self, region: Region, peer: str) -> None:
        self._region = region
        self._peer = peer
        self._state = link_condition.State()

    async def condition(self) -> Condition:
        seen = await incoming(self._region, self._peer)
        observation = link_condition.Observation(
            heartbeat_at_s=seen.heartbeat_at_s, heartbeat_age_s=seen.heartbeat_age_s, conflicts=seen.conflicts
        )
        self._state, condition = link_condition.decide(self._state, observation)
        return condition

    async def becomes(self, condition: Condition, *, within_s: float = 8.0) -> bool:
        async def is_it() -> bool:
            return await self.condition() is condition

        return await until(is_it, within_s=within_s)


@pytest.mark.parametrize("cut_s", [2.0, WAL_SENDER_TIMEOUT_S + 2.0])
def test_a_link_works_again_within_seconds_however_it_was_cut(mesh: Mesh, cut_s: float) -> None:
    left_s = max(0.0, WAL_SENDER_TIMEOUT_S - cut_s)
    cuts = {
        (EAST, WEST): (Mode.REFUSES, RETRY_INTERVAL_S),
        (EAST, EUROPE): (Mode.SWALLOWS, RETRY_INTERVAL_S),
        (EAST, ASIA): (Mode.FREEZES, 0.0),
        (WEST, EUROPE): (Mode.HALF_OPEN, left_s + RETRY_INTERVAL_S),
    }

    async def experiment() -> None:
        async with mesh.regions() as senders, mesh.regions() as regions, beating(senders):
            by_name = {region.name: region for region in regions}
            for link, (mode, _) in cuts.items():
                mesh.links[link].cut(mode)
            await asyncio.sleep(cut_s)
            for source, to in cuts:
                assert (await incoming(by_name[to], source)).heartbeat_age_s > cut_s - 0.5
            mesh.heal()
            healed_at = time.monotonic()

            recovered: dict[tuple[str, str], float] = {}

            async def all_recovered() -> bool:
                for source, to in cuts.keys() - recovered.keys():
                    if (await incoming(by_name[to], source)).heartbeat_age_s < 0.5:
                        recovered[source, to] = time.monotonic() - healed_at
                return recovered.keys() == cuts.keys()

            assert await until(all_recovered, within_s=30), recovered
            for link, (mode, limit_s) in cuts.items():
                assert recovered[link] < limit_s + TOLERANCE_S, mode
            assert await converged(regions)

    asyncio.run(experiment())


def test_a_link_that_swallows_everything_looks_alive_and_is_known_to_be_cut(mesh: Mesh) -> None:
    async def experiment() -> None:
        async with mesh.regions() as senders, mesh.regions() as (_, west, *_), beating(senders):
            link = Watched(west, EAST)
            assert await link.becomes(Condition.FLOWING)
            mesh.links[EAST, WEST].cut(Mode.SWALLOWS)

            assert await link.becomes(Condition.CUT)
            assert (await incoming(west, EAST)).running
            mesh.heal()
            assert await link.becomes(Condition.FLOWING)

    asyncio.run(experiment())


def test_what_a_peer_has_not_fetched_is_kept_and_counted(mesh: Mesh) -> None:
    async def experiment() -> None:
        async with mesh.regions() as (east, *others):
            assert await arrived([east, *others])
            mesh.cut(EAST, WEST, Mode.REFUSES)
            for number in range(200):
                await east.post("user-1", f"not fetched {number}", at_s=1.0)
            to_west, to_europe = (await replication.links(east.run, region=EAST, peers=[WEST, EUROPE])).outgoing

            assert to_west.unconfirmed_bytes > 200 * 200
            assert (to_west.active, to_west.slot) == (False, "reserved")
            assert to_europe.active
            mesh.heal()
            assert await converged([east, *others])

    asyncio.run(experiment())


def test_starting_again_finds_what_is_there(mesh: Mesh) -> None:
    async def workers(region: Region) -> list[int]:
        rows = await region.connection.fetch("SELECT pid FROM pg_stat_subscription ORDER BY subname")
        return [row["pid"] for row in rows]

    async def experiment() -> None:
        async with mesh.regions() as regions:
            before = [await workers(region) for region in regions]
            await mesh.connect_all()

            assert await converged(regions)
            assert [await workers(region) for region in regions] == before
            assert [len(pids) for pids in before] == [3] * 4

    asyncio.run(experiment())


def test_whoever_reaches_the_port_may_neither_subscribe_nor_replicate_nor_read_files(mesh: Mesh) -> None:
    async def experiment() -> None:
        async with mesh.regions() as (east, *_):
            for statement in (
                "CREATE SUBSCRIPTION x CONNECTION 'host=127.0.0.1 password=x' PUBLICATION x WITH (connect = false)",
                "SELECT pg_create_logical_replication_slot('x', 'pgoutput')",
                "SELECT pg_read_file('PG_VERSION')",
                "COPY (SELECT 1) TO PROGRAM 'true'",
                "SELECT subconninfo FROM pg_subscription",
                "SET ROLE mesh",
            ):
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await east.connection.execute(statement)
            with pytest.raises(asyncpg.InvalidPasswordError):
                await asyncpg.connect(mesh.dsn(EAST, "mesh:guessed"), timeout=5)
            with pytest.raises(asyncpg.InvalidAuthorizationSpecificationError):
                await asyncpg.connect(mesh.dsn(EAST, "cluster_owner"), timeout=5)

    asyncio.run(experiment())


def test_a_region_that_crashed_has_all_it_acknowledged_and_gets_what_it_missed(mesh: Mesh) -> None:
    async def experiment() -> None:
        async with mesh.regions() as (east, west, *_):
            posts = {await east.post("user-2", f"before the crash {number}", at_s=time.time()) for number in range(20)}
            mesh.restart(EAST)
            posts.add(await west.post("user-2", "during the crash", at_s=time.time()))
        await mesh.ready()
        async with mesh.regions() as regions:
            assert await converged(regions)
            for region in regions:
                known = {row["id"] for row in await region.run("posts", list(posts))}
                assert known == posts

    asyncio.run(experiment())


# --- a mesh of its own each ---


def test_a_link_that_meets_a_conflict_is_told_from_one_that_is_cut_and_flows_once_that_is_mended() -> None:
    async def experiment(mesh: Mesh) -> None:
        async with mesh.regions() as senders, mesh.regions() as regions, beating(senders):
            east, west, europe, asia = regions
            stalled, cut, flowing = Watched(west, EAST), Watched(europe, EAST), Watched(asia, EAST)
            for link in (stalled, cut, flowing):
                assert await link.becomes(Condition.FLOWING)
            await west.connection.execute("ALTER TABLE tombstones DISABLE TRIGGER merge")
            mesh.links[EAST, EUROPE].cut(Mode.REFUSES)
            mesh.links[WEST, EAST].cut(Mode.FREEZES)  # or East might hear of it and have nothing more to delete
            await west.run("delete_post", "asia-pacific-1", await author(west, "asia-pacific-1"), WEST, 2.0)
            await east.run("delete_post", "asia-pacific-1", await author(east, "asia-pacific-1"), EAST, 1.0)

            assert await stalled.becomes(Condition.STALLED_BY_CONFLICT)
            assert await cut.becomes(Condition.CUT)
            assert await flowing.condition() is Condition.FLOWING
            assert await cut.condition() is Condition.CUT

            await west.connection.execute("ALTER TABLE tombstones ENABLE REPLICA TRIGGER merge")
            mesh.heal()
            assert await stalled.becomes(Condition.FLOWING)
            assert await converged(regions)

    with meshes.running() as mesh:
        asyncio.run(experiment(mesh))


async def author(region: Region, post: str) -> str:
    return str((await region.run("posts", [post]))[0]["author"])


def test_a_region_waits_for_peers_that_are_not_there_and_misses_nothing_of_them() -> None:
    async def subscriptions(region: Region) -> set[str]:
        return {row["link"] for row in await region.run("incoming") if row["running"]}

    async def experiment(mesh: Mesh) -> None:
        await mesh.ready()
        mesh.links[EAST, WEST].cut(Mode.REFUSES)
        mesh.links[EUROPE, WEST].cut(Mode.SWALLOWS)
        async with asyncio.TaskGroup() as workers:
            for region in REGIONS:
                workers.create_task(mesh.connect(region))
            async with mesh.regions() as regions:
                east, west, *_ = regions

                async def reachable_ones_are_there() -> bool:
                    return await subscriptions(west) == {replication.link_name(ASIA, WEST)}

                assert await until(reachable_ones_are_there, within_s=10)
                post = await east.post("user-3", "before anybody subscribed", at_s=time.time())
                mesh.heal()
                assert await converged(regions, within_s=20)
                assert [row["id"] for row in await west.run("posts", [post])] == [post]

    with meshes.running(connected=False) as mesh:
        asyncio.run(experiment(mesh))


def test_a_peer_that_has_no_tables_yet_is_waited_for() -> None:
    async def experiment(mesh: Mesh) -> None:
        await mesh.ready()
        peers = {EAST: mesh.dsn(EAST, AS_MESH)}
        async with mesh.regions() as (east, west, *_):
            for one, other in ((EAST, WEST), (WEST, EAST)):
                await replication.publish(mesh.dsn(one, AS_MESH), region=one, peers={other: mesh.dsn(other, AS_MESH)})
            await east.connection.execute("DROP PUBLICATION owned")
            async with asyncio.TaskGroup() as workers:
                waiting = workers.create_task(replication.subscribe(mesh.dsn(WEST, AS_MESH), region=WEST, peers=peers))
                await asyncio.sleep(0.5)
                assert not waiting.done()
                assert await west.run("incoming") == []
                await east.connection.execute("CREATE PUBLICATION owned FOR TABLE engagements, heartbeats")
            assert [row["enabled"] for row in await west.run("incoming")] == [True]

    with meshes.running(connected=False) as mesh:
        asyncio.run(experiment(mesh))


@contextlib.asynccontextmanager
async def mending(mesh: Mesh, regions: Iterable[Region]) -> AsyncIterator[None]:
    """And sending heartbeats, as the workers do."""

    async def mend(region: Region) -> None:
        async with asyncio.timeout(60):
            connection = await asyncpg.connect(mesh.dsn(region.name), timeout=5)
            own = Region(region.name, connection)
            try:
                while True:
                    dsn = mesh.dsn(region.name, AS_MESH)
                    await own.run("beat", region.name)
                    await replication.mend(own.run, dsn, region=region.name, peers=mesh.peers(region.name))
                    await asyncio.sleep(0.2)
            finally:
                await connection.close()

    turns = [asyncio.create_task(mend(region)) for region in regions]
    try:
        yield
    finally:
        early = [one for one in turns if one.done()]
        for one in turns:
            one.cancel()
        await asyncio.gather(*turns, return_exceptions=True)
        await asyncio.gather(*early)  # an error that ended one


# From how many peers tables are being copied.
FILLING = "SELECT count(DISTINCT srsubid) FROM pg_subscription_rel WHERE srsubstate <> 'r'"


async def has(region: Region, post: str | None) -> bool:
    return [row["id"] for row in await region.run("posts", [post])] == [post]


def test_a_region_that_lost_its_database_rejoins_with_all_that_anybody_has_of_it() -> None:
    """Of three posts one is everywhere, one in a single other region, and one nowhere else: that one is lost."""

    async def experiment(mesh: Mesh) -> None:
        async with mesh.regions() as (old_east, west, europe, asia):
            everywhere = await old_east.post("user-1", "everywhere", at_s=time.time())
            await old_east.run("like", everywhere, EAST)
            assert await arrived([old_east, west, europe, asia])
            mesh.links[EAST, EUROPE].cut(Mode.REFUSES)
            mesh.links[EAST, ASIA].cut(Mode.REFUSES)
            in_west = await old_east.post("user-1", "in the west", at_s=time.time())
            assert await until(lambda: has(west, in_west), within_s=10)
            mesh.links[EAST, WEST].cut(Mode.REFUSES)
            nowhere = await old_east.post("user-1", "nowhere else", at_s=time.time())

            mesh.destroy(EAST)
            mesh.heal()
            while_away = await west.post("user-2", "while it was away", at_s=time.time())
            await mesh.ready()
            east = Region(EAST, await asyncpg.connect(mesh.dsn(EAST), timeout=5))
            regions = [east, west, europe, asia]
            try:
                async with mending(mesh, regions):
                    joining = asyncio.create_task(mesh.connect(EAST))
                    filling = [0]

                    async def heard_of_west() -> bool:
                        filling.append(await east.connection.fetchval(FILLING))
                        return WEST in {row["region"] for row in await east.run("heartbeats")}

                    assert await until(heard_of_west, within_s=30)
                    assert await has(east, while_away), "it has heard of a region whose rows it does not have"
                    await joining
                    assert await until(lambda: has(europe, in_west), within_s=30)
                    fresh = await east.post("user-1", "after all that", at_s=time.time())
                    await east.run("like", everywhere, EAST)
                    for region in regions:
                        assert await until(functools.partial(has, region, fresh), within_s=20), region.name
                assert await converged(regions, within_s=20)
                assert max(filling) == 1, "from one peer after the other: copies of the same rows wait for each other"
                assert fresh not in {everywhere, in_west, nowhere}
                for region in regions:
                    assert [await has(region, post) for post in (everywhere, in_west, while_away, nowhere)] == [
                        True,
                        True,
                        True,
                        False,
                    ]
                    assert (await region.run("posts", [everywhere]))[0]["likes"] == 2
            finally:
                await east.connection.close()

    with meshes.running() as mesh:
        asyncio.run(experiment(mesh))


def test_two_regions_that_lost_their_databases_at_once_do_not_wait_for_each_other() -> None:
    async def experiment(mesh: Mesh) -> None:
        async with mesh.regions() as regions:
            before = await regions[0].post("user-1", "before", at_s=time.time())
            assert await arrived(regions)
            _, _, europe, asia = regions
            mesh.destroy(EAST)
            mesh.destroy(WEST)
            await mesh.ready()
            east = Region(EAST, await asyncpg.connect(mesh.dsn(EAST), timeout=5))
            west = Region(WEST, await asyncpg.connect(mesh.dsn(WEST), timeout=5))
            try:
                async with mending(mesh, [east, west, europe, asia]), asyncio.TaskGroup() as joining:
                    joining.create_task(mesh.connect(EAST))
                    joining.create_task(mesh.connect(WEST))
                fresh = [await region.post("user-2", f"of {region.name}", at_s=time.time()) for region in (east, west)]
                async with mending(mesh, [east, west, europe, asia]):
                    for region in (east, west, europe, asia):
                        for post in (before, *fresh):
                            assert await until(functools.partial(has, region, post), within_s=30), region.name
                    assert await converged([east, west, europe, asia], within_s=30)
            finally:
                await east.connection.close()
                await west.connection.close()

    with meshes.running() as mesh:
        asyncio.run(experiment(mesh))
