"""Cached timelines against a real Redis and Postgres: what a build may store, and what a push does."""

import asyncio
import itertools
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from reference_system.data.backends import Backends
from reference_system.data.dependency import DependencyPolicies, RefusedCallError
from reference_system.data.disk_cache import DiskCache
from reference_system.data.events import forget_profile
from reference_system.data.flights import Flights
from reference_system.data.generations import forget_value
from reference_system.data.keys import version_key
from reference_system.data.postgres import Postgres
from reference_system.data.posts import Post
from reference_system.data.reads import TRENDS, Listing, Reads, fall_back
from reference_system.data.redis_client import RedisClient
from reference_system.data.statements import LISTED
from reference_system.data.timelines import KEEP, Kind, Timelines, keep_tweets, push_to_many, pushes, withdraw
from reference_system.data.values import Values
from reference_system.data.writes import NewPost, Writes
from tests.reference_system.mesh import until

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

_users = (f"reader-{n}" for n in itertools.count())
OLD = [Post("us-east-2", "user-1", "b", 2.0, 0, 0), Post("us-east-1", "user-1", "a", 1.0, 5, 0)]
NEW = Post("us-east-3", "user-1", "c", 1795579811.909921, 0, 0)
LATE = [Post(f"europe-{n}", "user-2", "d", 1.5 + n / 1000, 0, 0) for n in range(50)]

Use = Callable[[Backends, Timelines], Awaitable[None]]
With = Callable[[Use], None]


@pytest.fixture
def with_timelines(redis_url: str, postgres_dsn: str, worker: str) -> With:
    del worker  # it seeds the database

    async def used(use: Use) -> None:
        postgres = Postgres(postgres_dsn, connections=2)
        await postgres.connect()
        backends = Backends(
            redis=RedisClient(redis_url),
            postgres=postgres,
            registry=CollectorRegistry(),
            policies=DependencyPolicies(),
            seed="1",
        )
        try:
            await use(backends, Timelines(backends))
        finally:
            await backends.close()

    return lambda use: asyncio.run(used(use))


async def _filled(backends: Backends) -> None:
    """Wait for the background: a command on each connection comes after what was sent before."""
    await asyncio.sleep(0.05)
    await backends.redis(("PING",))


def test_a_built_list_is_stored_and_read_back_newest_first(with_timelines: With) -> None:
    async def use(backends: Backends, timelines: Timelines) -> None:
        reader = next(_users)
        missed = await timelines.look(Kind.HOME, reader)
        timelines.fill(Kind.HOME, reader, OLD, missed)
        await _filled(backends)

        found = await timelines.look(Kind.HOME, reader)
        posts, cache = await timelines.page(found.ids[::-1])

        assert missed.ids == []
        assert found.ids == ["us-east-2", "us-east-1"]
        assert (posts, cache) == (OLD, "redis")

    with_timelines(use)


def test_a_list_built_while_somebody_posted_is_not_stored(with_timelines: With) -> None:
    async def use(backends: Backends, timelines: Timelines) -> None:
        reader = next(_users)
        looked = await timelines.look(Kind.HOME, reader)
        await backends.redis(*pushes(Kind.HOME, reader, NEW))
        timelines.fill(Kind.HOME, reader, OLD, looked)
        await _filled(backends)

        assert (await timelines.look(Kind.HOME, reader)).ids == []

    with_timelines(use)


def test_what_was_built_before_redis_forgot_everything_is_neither_stored_nor_shared(with_timelines: With) -> None:
    async def use(backends: Backends, timelines: Timelines) -> None:
        reader, values, built = next(_users), Values(backends, Flights(), on_cache_loss=fall_back), itertools.count(1)

        async def build() -> list[str]:
            return [f"{next(built)}"]

        async def asked() -> list[str]:
            found: list[str] = (await values.get(TRENDS, f"words:{reader}", build)).value
            return found

        looked, first = await timelines.look(Kind.HOME, reader), await asked()
        await backends.redis(*pushes(Kind.HOME, reader, NEW), *forget_value(f"words:{reader}"))
        await _filled(backends)
        keys = (f"home_gen:{reader}", f"words:{reader}", f"gen:words:{reader}")
        await backends.redis(("DEL", *keys))  # all that Redis knows of it
        timelines.fill(Kind.HOME, reader, OLD, looked)
        await _filled(backends)

        assert (await timelines.look(Kind.HOME, reader)).ids == []
        assert (first, await asked()) == (["1"], ["2"])

    with_timelines(use)


@pytest.mark.parametrize("many", [False, True])
def test_a_push_goes_on_top_of_a_cached_list_and_makes_none(with_timelines: With, many: bool) -> None:
    async def use(backends: Backends, timelines: Timelines) -> None:
        cached, uncached = next(_users), next(_users)
        before = (await timelines.look(Kind.HOME, uncached)).generation
        timelines.fill(Kind.HOME, cached, OLD, await timelines.look(Kind.HOME, cached))
        await _filled(backends)
        if many:
            await backends.redis(push_to_many([cached, uncached], NEW))
        else:
            await backends.redis(*pushes(Kind.HOME, cached, NEW), *pushes(Kind.HOME, uncached, NEW))

        assert (await timelines.look(Kind.HOME, cached)).ids == ["us-east-3", "us-east-2", "us-east-1"]
        assert (await timelines.look(Kind.HOME, uncached)).ids == []
        assert int((await timelines.look(Kind.HOME, uncached)).generation) == int(before) + 1

    with_timelines(use)


@pytest.mark.parametrize("many", [False, True])
def test_what_comes_late_or_twice_finds_its_place_among_the_others(with_timelines: With, many: bool) -> None:
    async def use(backends: Backends, timelines: Timelines) -> None:
        reader = next(_users)
        timelines.fill(Kind.HOME, reader, OLD, await timelines.look(Kind.HOME, reader))
        await _filled(backends)
        for post in (NEW, *LATE, NEW):
            push = [push_to_many([reader], post)] if many else pushes(Kind.HOME, reader, post)
            await backends.redis(*push)

        newest_late = [post.id for post in LATE[: -(KEEP - 2) - 1 : -1]]
        assert (await timelines.look(Kind.HOME, reader)).ids == ["us-east-3", "us-east-2", *newest_late]

    with_timelines(use)


def test_posts_that_the_cache_lost_come_from_postgres(with_timelines: With) -> None:
    async def use(backends: Backends, timelines: Timelines) -> None:
        await backends.redis(("DEL", "tweet:us-east-10", "tweet:us-east-11"))

        posts, cache = await timelines.page(["us-east-10", "us-east-11", "no-such-post"])

        assert [post.id for post in posts] == ["us-east-11", "us-east-10"]
        assert cache == "built"

    with_timelines(use)


def test_who_read_a_post_before_it_was_deleted_does_not_bring_it_back(with_timelines: With) -> None:
    async def use(backends: Backends, timelines: Timelines) -> None:
        deleted, other = Post("us-east-20", "user-1", "b", 2.0, 0, 0), Post("us-east-21", "user-1", "a", 1.0, 5, 0)
        await backends.redis(keep_tweets([deleted, other]), *withdraw(deleted.id, deleted.author, ["word"]))
        await backends.redis(keep_tweets([deleted, other]))

        assert await timelines.page([deleted.id, other.id]) == ([other], "redis")

    with_timelines(use)


def test_what_is_stored_along_with_a_list_is_outdated_with_it(with_timelines: With) -> None:
    async def use(backends: Backends, timelines: Timelines) -> None:
        user = next(_users)
        looked = await timelines.look(Kind.PROFILE, user)
        timelines.fill(Kind.PROFILE, user, OLD, looked, also=(version_key(user), b"before"))
        await _filled(backends)
        assert (await backends.redis(("GET", version_key(user)))) == [b"before"]
        await backends.redis(*forget_profile(user))
        timelines.fill(Kind.PROFILE, user, OLD, looked, also=(version_key(user), b"before"))
        await _filled(backends)

        assert (await backends.redis(("GET", version_key(user)))) == [None]
        assert (await timelines.look(Kind.PROFILE, user)).ids == []

    with_timelines(use)


def test_what_was_changed_without_redis_is_taken_out_of_the_caches_by_the_worker(with_timelines: With) -> None:
    async def use(backends: Backends, timelines: Timelines) -> None:
        user = "user-88"
        for kind in Kind:
            timelines.fill(kind, user, OLD, await timelines.look(kind, user), also=(version_key(user), b"before"))
        await _filled(backends)
        await backends.postgres("set_bio", user, "edited", 2.0, "us-east")
        await backends.postgres("set_following", user, "user-89", True, 2.0, "us-east")

        async def all_gone() -> bool:
            return await backends.redis(("EXISTS", f"home_tl:{user}", f"profile_tl:{user}", version_key(user))) == [0]

        assert await until(all_gone, within_s=5)

    with_timelines(use)


@pytest.mark.parametrize(
    ("statement", "arguments"),
    [
        ("search", ("a\0b",)),
        ("post", ("us-east", "user-91", "text", None, [], 1.0, secrets.token_hex(4000))),
    ],
)
def test_what_the_database_cannot_take_is_refused_and_the_connection_is_kept(
    with_timelines: With, statement: str, arguments: tuple[object, ...]
) -> None:
    async def use(backends: Backends, timelines: Timelines) -> None:
        del timelines
        for _ in range(9):  # more often than opens the breaker
            with pytest.raises(RefusedCallError, match="postgres: "):
                await backends.postgres(statement, *arguments)

        assert await backends.postgres("posts_of", "user-91") is not None

    with_timelines(use)


def test_a_listing_says_whether_it_is_whole(with_timelines: With, tmp_path: Path) -> None:
    async def use(backends: Backends, timelines: Timelines) -> None:
        del timelines
        disk = DiskCache(tmp_path / "cache", now_s=lambda: 0.0, requests=backends.cache_requests)
        reads, author = Reads(backends, region="us-east", disk=disk, flights=Flights()), "user-90"
        few = await reads.posts_of(author)
        for n in range(LISTED):
            await backends.postgres("post", "us-east", author, f"{n}", None, [], 2e9 + n, f"listed-{n}")
        many = await reads.posts_of(author)

        assert few.whole
        assert (len(many.posts), many.whole) == (LISTED, not few.posts)
        assert [post.text for post in many.posts[:2]] == [f"{LISTED - 1}", f"{LISTED - 2}"]
        assert await reads.posts_of("nobody") == Listing([], whole=True)

    with_timelines(use)


def test_a_repeated_key_gives_the_first_posts_id_even_with_another_text(with_timelines: With) -> None:
    async def use(backends: Backends, timelines: Timelines) -> None:
        del timelines
        writes = Writes(backends, region="us-east")
        first = NewPost(author="user-77", text="first", media=None, idempotency_key="twice")
        second = NewPost(author="user-77", text="second", media=None, idempotency_key="twice")

        assert await writes.post(first, at_s=1.0) == await writes.post(second, at_s=2.0)

    with_timelines(use)
