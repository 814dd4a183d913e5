"""Four regions that write the same things at the same time, while they cannot see each other: all of them end up with
the same rows. And without the merge of mesh.sql they do not, so that these tests are known to be able to fail.
"""

import asyncio
import itertools
import random
import time
from collections.abc import Awaitable, Callable, Iterator

import asyncpg
import pytest

from reference_system.data.seed import REGIONS
from reference_system.data.statements import REPLICATED
from tests.reference_system import mesh as meshes
from tests.reference_system.mesh import Mesh, Region, arrived, converged

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

EAST, WEST, EUROPE, ASIA = REGIONS
Experiment = Callable[[Mesh, list[Region]], Awaitable[None]]
_users = (f"user-{n}" for n in itertools.count(1001))
_keys = (f"key-{n}" for n in itertools.count(1))
# No route does this; the merge is ready for one.
SEEN = """
    WITH unseen AS (
        DELETE FROM notifications WHERE recipient = $1 AND NOT seen RETURNING id, recipient, actor, text, created_at
    )
    INSERT INTO notifications (id, recipient, actor, text, created_at, seen)
    SELECT id, recipient, actor, text, created_at, true FROM unseen"""


@pytest.fixture(scope="module")
def mesh() -> Iterator[Mesh]:
    with meshes.running() as mesh:
        yield mesh


def in_all_regions(mesh: Mesh, experiment: Experiment) -> None:
    async def run() -> None:
        async with mesh.regions() as regions:
            await experiment(mesh, regions)

    asyncio.run(run())


def separate_all(mesh: Mesh) -> None:
    for one, other in itertools.combinations(REGIONS, 2):
        mesh.cut(one, other)


async def follows(region: Region, follower: str, followee: str) -> bool:
    query = "SELECT following FROM follows WHERE follower = $1 AND followee = $2"
    return bool(await region.connection.fetchval(query, follower, followee))


async def filters(region: Region, viewer: str) -> set[str]:
    return {row["subject"] for row in await region.run("filters", viewer)}


async def bio(region: Region, user: str) -> str:
    return str((await region.run("profile", user))[0]["bio"])


async def likes(region: Region, post: str) -> int:
    return (await counts(region, post))[0]


async def counts(region: Region, post: str) -> tuple[int, int]:
    """Likes and retweets."""
    (row,) = await region.run("posts", [post])
    return int(row["likes"]), int(row["retweets"])


# --- what regions write while they cannot see each other; each of these collides somewhere ---


async def the_same_profile_is_edited_everywhere(mesh: Mesh, regions: list[Region]) -> None:
    user = next(_users)
    separate_all(mesh)
    for number, region in enumerate(regions):
        await region.run("set_bio", user, f"edited in {region.name}", 100.0 - number, region.name)
    mesh.heal()


async def the_same_key_is_posted_everywhere(mesh: Mesh, regions: list[Region]) -> None:
    author, key = next(_users), next(_keys)
    separate_all(mesh)
    for number, region in enumerate(regions):
        await region.post(author, key, at_s=100.0 - number)
    mesh.heal()


async def somebody_unfollows_here_and_follows_there(mesh: Mesh, regions: list[Region]) -> None:
    east, west, *_ = regions
    follower, followee = next(_users), next(_users)
    separate_all(mesh)
    await east.run("set_following", follower, followee, True, 1.0, EAST)
    await west.run("set_following", follower, followee, False, 2.0, WEST)
    mesh.heal()


async def somebody_blocks_here_and_ends_it_there(mesh: Mesh, regions: list[Region]) -> None:
    east, west, *_ = regions
    viewer, subject = next(_users), next(_users)
    separate_all(mesh)
    await east.run("set_filter", viewer, subject, "block", True, 1.0, EAST)
    await west.run("set_filter", viewer, subject, "block", False, 2.0, WEST)
    mesh.heal()


async def the_same_post_is_deleted_everywhere(mesh: Mesh, regions: list[Region]) -> None:
    author = next(_users)
    post = await regions[0].post(author, next(_keys), at_s=1.0)
    await arrived(regions)
    separate_all(mesh)
    for number, region in enumerate(regions):
        await region.run("delete_post", post, author, region.name, 100.0 - number)
    mesh.heal()


async def everything_is_erased_here_and_the_profile_edited_there(mesh: Mesh, regions: list[Region]) -> None:
    east, west, *_ = regions
    user = next(_users)
    separate_all(mesh)
    await east.run("erase", user, 2.0, EAST)
    await west.run("set_bio", user, "edited before", 1.0, WEST)
    mesh.heal()


async def everybody_is_told_of_the_same_mention(mesh: Mesh, regions: list[Region]) -> None:
    post = next(_keys)
    separate_all(mesh)
    for region in regions:
        await region.run("mention", post, [next(_users)], "somebody", "you were mentioned", 1.0)
    for region in regions:
        await region.run("mention", post, ["user-1"], "somebody", "you were mentioned", 1.0)
    mesh.heal()


COLLISIONS = [
    the_same_profile_is_edited_everywhere,
    the_same_key_is_posted_everywhere,
    somebody_unfollows_here_and_follows_there,
    somebody_blocks_here_and_ends_it_there,
    the_same_post_is_deleted_everywhere,
    everything_is_erased_here_and_the_profile_edited_there,
    everybody_is_told_of_the_same_mention,
]


@pytest.mark.parametrize("collide", COLLISIONS)
def test_regions_that_collided_converge(mesh: Mesh, collide: Experiment) -> None:
    async def experiment(mesh: Mesh, regions: list[Region]) -> None:
        await collide(mesh, regions)

        assert await converged(regions)

    in_all_regions(mesh, experiment)


@pytest.mark.parametrize("collide", COLLISIONS)
def test_without_the_merge_they_do_not(collide: Experiment) -> None:
    async def experiment(mesh: Mesh, regions: list[Region]) -> None:
        for region in regions:
            for table in REPLICATED:
                await region.connection.execute(f"DROP TRIGGER merge ON {table}")
        await collide(mesh, regions)

        assert not await converged(regions, within_s=3)
        assert sum([row["conflicts"] for region in regions for row in await region.run("incoming")]) > 0

    with meshes.running() as unmerged:
        in_all_regions(unmerged, experiment)


def test_a_counter_that_regions_share_would_lose_increments() -> None:
    async def experiment(mesh: Mesh, regions: list[Region]) -> None:
        east, west, *_ = regions
        post = "us-east-1"
        before = await likes(east, post)
        separate_all(mesh)
        for region, times in ((east, 10), (west, 7)):
            for _ in range(times):
                await region.run("like", post, EAST)  # as if the row were everybody's
        mesh.heal()

        assert await arrived(regions)
        assert not await converged(regions)
        assert {await likes(region, post) for region in regions} != {before + 17}

    with meshes.running() as shared:
        in_all_regions(shared, experiment)


# --- what they end up with ---


def test_of_two_edits_the_newer_one_stays(mesh: Mesh) -> None:
    async def experiment(mesh: Mesh, regions: list[Region]) -> None:
        east, west, *_ = regions
        user = next(_users)
        separate_all(mesh)
        await west.run("set_bio", user, "newer", 101.0, WEST)
        await east.run("set_bio", user, "older", 100.0, EAST)
        mesh.heal()

        assert await converged(regions)
        assert {await bio(region, user) for region in regions} == {"newer"}

    in_all_regions(mesh, experiment)


def test_what_is_erased_is_gone_in_every_region_and_the_caches_of_each_have_to_forget_all_of_it(mesh: Mesh) -> None:
    async def experiment(mesh: Mesh, regions: list[Region]) -> None:
        del mesh
        east, west, *_ = regions
        user = next(_users)
        posts = {await east.post(user, next(_keys), at_s=1.0), await west.post(user, next(_keys), at_s=2.0)}
        assert await converged(regions)
        (row,) = await west.run("erase", user, time.time(), WEST)

        assert set(row["posts"]) >= posts
        assert await converged(regions)
        for region in regions:
            assert await region.posts(user) == set()
            assert await bio(region, user) == ""
            assert (user, "erased") in {(row["owner"], row["what"]) for row in await region.run("changed", 100_000)}

        await east.run("set_bio", user, "back again", time.time(), EAST)
        assert await converged(regions)
        last = {tuple(row.values()) for region in regions for row in (await region.run("changed", 100_000))[-1:]}
        assert {what for _, _, what in last} == {"edited"}

    in_all_regions(mesh, experiment)


def test_a_region_whose_clock_is_behind_still_changes_what_it_sees(mesh: Mesh) -> None:
    async def experiment(mesh: Mesh, regions: list[Region]) -> None:
        del mesh
        east, west, *_ = regions
        user = next(_users)
        await east.run("set_bio", user, "first", 1000.0, EAST)
        assert await arrived(regions)
        await west.run("set_bio", user, "second", 900.0, WEST)

        assert await converged(regions)
        assert {await bio(region, user) for region in regions} == {"second"}

    in_all_regions(mesh, experiment)


def test_many_edits_of_few_profiles_from_all_regions_at_once_converge(mesh: Mesh) -> None:
    async def experiment(mesh: Mesh, regions: list[Region]) -> None:
        del mesh
        users = [next(_users) for _ in range(5)]

        async def edit(region: Region) -> None:
            chance = random.Random(region.name)
            for number in range(100):
                await region.run("set_bio", chance.choice(users), f"{region.name} {number}", time.time(), region.name)

        await asyncio.gather(*map(edit, regions))

        assert await converged(regions)

    in_all_regions(mesh, experiment)


@pytest.mark.parametrize("older", [EAST, WEST])
def test_of_two_posts_with_one_key_the_older_stays_in_whatever_order_they_arrive(mesh: Mesh, older: str) -> None:
    async def experiment(mesh: Mesh, regions: list[Region]) -> None:
        east, west, europe, asia = regions
        author, key = next(_users), next(_keys)
        mesh.cut(EAST, WEST)
        mesh.cut(EAST, ASIA)
        mesh.cut(WEST, EUROPE)
        posts = {
            EAST: await east.post(author, key, at_s=1.0 if older == EAST else 2.0),
            WEST: await west.post(author, key, at_s=2.0 if older == EAST else 1.0),
        }
        assert await arrived([east, europe])  # it sees one of them first,
        assert await arrived([west, asia])  # and it the other one
        assert await europe.posts(author) == {posts[EAST]}
        assert await asia.posts(author) == {posts[WEST]}
        mesh.heal()

        assert await converged(regions)
        for region in regions:
            assert await region.posts(author) == {posts[older]}
            assert [row["id"] for row in await region.run("post_by_key", author, key)] == [posts[older]]
            assert await region.post(author, key, at_s=3.0) is None, "a third attempt makes no third post"

    in_all_regions(mesh, experiment)


def test_a_key_that_arrives_while_the_same_one_is_being_written_waits_and_converges(mesh: Mesh) -> None:
    async def experiment(mesh: Mesh, regions: list[Region]) -> None:
        east, west, *_ = regions
        author, key = next(_users), next(_keys)
        errors = {row["link"]: row["errors"] for row in await west.run("incoming")}
        async with west.connection.transaction():
            await west.post(author, key, at_s=2.0)
            post = await east.post(author, key, at_s=1.0)
            await asyncio.sleep(0.2)  # it has arrived and waits

        assert await converged(regions)
        assert {post} == await west.posts(author)
        assert {row["link"]: row["errors"] for row in await west.run("incoming")} == errors

    in_all_regions(mesh, experiment)


def test_no_like_or_retweet_is_lost_or_counted_twice(mesh: Mesh) -> None:
    async def experiment(mesh: Mesh, regions: list[Region]) -> None:
        post = "europe-1"
        before = await counts(regions[0], post)

        async def raise_both(region: Region, *, likes: int, retweets: int) -> None:
            for statement in ["like"] * likes + ["retweet"] * retweets:
                await region.run(statement, post, region.name)

        await asyncio.gather(*(raise_both(region, likes=100, retweets=50) for region in regions))
        separate_all(mesh)
        await asyncio.gather(raise_both(regions[0], likes=10, retweets=3), raise_both(regions[1], likes=7, retweets=0))
        mesh.heal()

        assert await converged(regions)
        assert {await counts(region, post) for region in regions} == {(before[0] + 417, before[1] + 203)}

    in_all_regions(mesh, experiment)


def test_a_post_deleted_here_and_liked_there_is_deleted(mesh: Mesh) -> None:
    async def experiment(mesh: Mesh, regions: list[Region]) -> None:
        east, west, *_ = regions
        author = next(_users)
        post = await east.post(author, next(_keys), at_s=1.0)
        assert await arrived(regions)
        separate_all(mesh)
        await east.run("delete_post", post, author, EAST, 2.0)
        await west.run("like", post, WEST)
        mesh.heal()

        assert await converged(regions)
        for region in regions:
            assert post not in await region.posts(author)
            assert await region.run("posts", [post]) == []

    in_all_regions(mesh, experiment)


def test_a_tombstone_that_arrives_before_its_post_still_hides_it(mesh: Mesh) -> None:
    async def experiment(mesh: Mesh, regions: list[Region]) -> None:
        east, west, europe, _ = regions
        author = next(_users)
        mesh.cut(EAST, EUROPE)
        post = await east.post(author, next(_keys), at_s=1.0)
        assert await arrived([east, west])
        await west.run("delete_post", post, author, WEST, 2.0)
        assert await arrived([west, europe])
        mesh.heal()

        assert await converged(regions)
        assert post not in await europe.posts(author)

    in_all_regions(mesh, experiment)


@pytest.mark.parametrize("last", [True, False])
def test_the_last_of_block_end_and_block_counts_and_a_mute_is_another_thing(mesh: Mesh, last: bool) -> None:
    async def experiment(mesh: Mesh, regions: list[Region]) -> None:
        east, west, europe, _ = regions
        viewer, subject, other = next(_users), next(_users), next(_users)
        mesh.cut(EAST, EUROPE)
        await east.run("set_filter", viewer, subject, "block", last, 1.0, EAST)
        await east.run("set_filter", viewer, other, "mute", True, 1.0, EAST)
        assert await arrived([east, west])
        await west.run("set_filter", viewer, subject, "block", not last, 2.0, WEST)
        await west.run("set_filter", viewer, subject, "block", last, 3.0, WEST)
        assert await arrived([west, europe])
        mesh.heal()

        assert await converged(regions)
        assert [await filters(region, viewer) for region in regions] == [{subject, other} if last else {other}] * 4

    in_all_regions(mesh, experiment)


@pytest.mark.parametrize("last", [True, False])
def test_the_last_of_follow_unfollow_and_follow_counts_where_they_arrive_in_any_order(mesh: Mesh, last: bool) -> None:
    async def experiment(mesh: Mesh, regions: list[Region]) -> None:
        east, west, europe, _ = regions
        follower, followee = next(_users), next(_users)
        mesh.cut(EAST, EUROPE)
        await east.run("set_following", follower, followee, last, 1.0, EAST)
        assert await arrived([east, west])
        await west.run("set_following", follower, followee, not last, 2.0, WEST)
        await west.run("set_following", follower, followee, last, 3.0, WEST)
        assert await arrived([west, europe])
        mesh.heal()

        assert await converged(regions)
        assert [await follows(region, follower, followee) for region in regions] == [last] * 4

    in_all_regions(mesh, experiment)


def test_a_change_that_arrives_before_what_it_changes_is_not_dropped(mesh: Mesh) -> None:
    async def experiment(mesh: Mesh, regions: list[Region]) -> None:
        east, west, europe, _ = regions
        mesh.cut(EAST, EUROPE)
        (row,) = await east.run("sign_up", EAST, f"name-{next(_keys)}", "hash", 1.0)
        assert await arrived([east, west])
        await west.run("set_bio", row["id"], "edited in the other region", 2.0, WEST)
        assert await arrived([west, europe])
        mesh.heal()

        assert await converged(regions)
        assert await bio(europe, row["id"]) == "edited in the other region"

    in_all_regions(mesh, experiment)


def test_what_is_written_reaches_only_regions_that_are_connected_to_where_it_was_written(mesh: Mesh) -> None:
    async def experiment(mesh: Mesh, regions: list[Region]) -> None:
        east, west, europe, _ = regions
        author = next(_users)
        mesh.cut(EAST, WEST)
        post = await east.post(author, next(_keys), at_s=1.0)
        assert await arrived([east, europe])
        assert await arrived([europe, west])
        assert post in await europe.posts(author)
        assert post not in await west.posts(author), "nothing is passed on"
        mesh.heal()

        assert await converged(regions)
        assert post in await west.posts(author)

    in_all_regions(mesh, experiment)


def test_a_name_given_away_twice_stays_with_both_and_everybody_asks_the_older_account_first(mesh: Mesh) -> None:
    async def experiment(mesh: Mesh, regions: list[Region]) -> None:
        east, west, *_ = regions
        name = f"name-{next(_keys)}"
        mesh.cut(EAST, WEST)
        (younger,) = await east.run("sign_up", EAST, name, "hash", 2.0)
        (older,) = await west.run("sign_up", WEST, name, "hash", 1.0)
        mesh.heal()

        assert await converged(regions)
        for region in regions:
            assert [row["id"] for row in await region.run("password", name)] == [older["id"], younger["id"]]
            assert await region.run("sign_up", region.name, name, "hash", 3.0) == []

    in_all_regions(mesh, experiment)


def test_a_notification_that_was_seen_somewhere_is_seen(mesh: Mesh) -> None:
    async def experiment(mesh: Mesh, regions: list[Region]) -> None:
        east, west, *_ = regions
        user, post = next(_users), next(_keys)
        mesh.cut(EAST, WEST)
        await east.run("mention", post, [user], "somebody", "you were mentioned", 1.0)
        await east.connection.fetch(SEEN, user)
        await west.run("mention", post, [user], "somebody", "you were mentioned", 1.0)
        mesh.heal()

        assert await converged(regions)
        for region in regions:
            rows = await region.run("notifications", user)
            assert {row["seen"] for row in rows if row["id"].startswith(post)} == {True}

    in_all_regions(mesh, experiment)


def test_every_region_queues_what_arrives_for_its_own_caches(mesh: Mesh) -> None:
    async def experiment(mesh: Mesh, regions: list[Region]) -> None:
        del mesh
        east, *_ = regions
        author = next(_users)
        post = await east.post(author, next(_keys), at_s=1.0)
        await east.run("delete_post", post, author, EAST, 2.0)

        assert await arrived(regions)
        for region in regions:
            queued = await region.run("outbox", [], [], 1000)
            assert (post, author) in {(row["post"], row["author"]) for row in queued}
            assert (post, author) in {(row["post"], row["author"]) for row in await region.run("withdrawn", 1000)}

    in_all_regions(mesh, experiment)


def test_a_heartbeat_as_new_as_a_writes_answer_proves_that_the_write_is_there(mesh: Mesh) -> None:
    enough = 60

    async def experiment(mesh: Mesh, regions: list[Region]) -> None:
        east, west, *_ = regions
        answered: dict[str, float] = {}
        proved: set[str] = set()
        ends_at = time.monotonic() + 30  # of which two seconds are enough on a machine that has time

        def goes_on() -> bool:
            return len(proved) < enough and time.monotonic() < ends_at

        async def write() -> None:
            connection = await asyncpg.connect(mesh.dsn(EAST))
            writer, author = Region(EAST, connection), next(_users)
            while goes_on():
                post = await writer.post(author, next(_keys), at_s=time.time())
                assert post is not None
                answered[post] = time.time()
            await connection.close()

        async def beat() -> None:
            while goes_on():
                await east.run("beat", EAST)
                await asyncio.sleep(0.01)

        async def watch() -> None:
            while goes_on():
                heard = {row["region"]: row["at"] for row in await west.run("heartbeats")}
                owed = {post for post, at_s in answered.items() if at_s <= heard.get(EAST, 0.0)}
                known = {row["id"] for row in await west.connection.fetch("SELECT id FROM posts")}
                assert owed <= known
                proved.update(owed)
                await asyncio.sleep(0.005)

        await asyncio.gather(write(), write(), write(), beat(), watch())

        assert len(proved) >= enough

    in_all_regions(mesh, experiment)


# --- one region by itself ---


def test_callers_that_change_one_row_at_once_all_succeed(mesh: Mesh) -> None:
    async def experiment(mesh: Mesh, regions: list[Region]) -> None:
        user, followee = next(_users), next(_users)
        connections = [await asyncpg.connect(mesh.dsn(EAST)) for _ in range(8)]

        async def change(region: Region) -> None:
            for number in range(25):
                assert (await region.run("set_bio", user, f"{number}", time.time(), EAST))[0]["known"]
                await region.run("set_following", user, followee, number % 2 == 0, time.time(), EAST)

        await asyncio.gather(*(change(Region(EAST, connection)) for connection in connections))
        for connection in connections:
            await connection.close()

        assert await converged(regions)
        assert [await bio(region, user) for region in regions] == ["24"] * 4

    in_all_regions(mesh, experiment)


def test_rows_that_would_be_changed_in_one_region_only_cannot_be(mesh: Mesh) -> None:
    async def experiment(mesh: Mesh, regions: list[Region]) -> None:
        del mesh
        with pytest.raises(asyncpg.RaiseError, match="rows of users are replaced, not updated"):
            await regions[0].connection.execute("UPDATE users SET bio = '' WHERE id = 'user-1'")

    in_all_regions(mesh, experiment)


def test_what_does_not_exist_or_belongs_to_others_is_not_changed(mesh: Mesh) -> None:
    async def experiment(mesh: Mesh, regions: list[Region]) -> None:
        del mesh
        east, *_ = regions
        post = await east.post(next(_users), next(_keys), at_s=1.0)

        assert await east.run("delete_post", post, "user-1", EAST, 2.0) == []
        assert await east.run("delete_post", "no-such-post", "user-1", EAST, 2.0) == []
        assert await east.run("like", "no-such-post", EAST) == []
        assert [row["known"] for row in await east.run("set_bio", "nobody", "", 2.0, EAST)] == [False]
        assert [row["id"] for row in await east.run("posts", [post])] == [post]

    in_all_regions(mesh, experiment)
