"""What reads do when a store refuses, against stores that answer as they are told."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import pytest
from prometheus_client import CollectorRegistry, Counter

from reference_system.data.backends import Backends
from reference_system.data.background import Background
from reference_system.data.connection_gate import PoolBusyError
from reference_system.data.dependency import DependencyError, ExpiredError
from reference_system.data.disk_cache import DiskCache
from reference_system.data.flights import Flights
from reference_system.data.profiles import NOBODY, Profile
from reference_system.data.reads import Page, Reads
from reference_system.data.resp import Command
from reference_system.data.timelines import NOTHING

USER_1 = {"user:user-1:data:1": {"id": "user-1", "name": "a", "bio": "", "home_region": "us-east"}}


class Stores:
    """Redis has a list of one post, or what it is told to, and lacks the post. Postgres raises what it is told to, or
    has nothing."""

    def __init__(
        self, fails: DependencyError | None = None, *, ids: Sequence[bytes] = (b"us-east-1",), version: bytes = b"1"
    ) -> None:
        self.registry = CollectorRegistry()
        self.cache_requests = Counter("cache_requests", "", ["layer", "result"], registry=self.registry)
        self.builds = Counter("cache_builds", "", ["kind"], registry=self.registry)
        self.background = Background()
        self.asked: list[str] = []
        self._fails = fails
        self.commands: list[Command] = []
        self._ids, self._version = [*ids], version

    async def redis(self, *commands: Command) -> list[Any]:
        await asyncio.sleep(0)
        self.asked.append("redis")
        self.commands += commands
        said = {"GET": self._version, "ZREVRANGE": self._ids, "PTTL": 30_000, "EVAL": [], "MGET": [None]}
        return [said.get(str(command[0])) for command in commands]

    async def postgres(self, statement: str, *arguments: Any) -> list[Any]:
        del arguments
        await asyncio.sleep(0)
        self.asked.append(statement)
        if self._fails is not None:
            raise self._fails
        return []


async def _settled() -> None:
    """What is stored in the background is stored."""
    for _ in range(10):
        await asyncio.sleep(0)


async def _home(reads: Reads) -> Page:
    return await reads.home("user-1", event=None)


async def _profile(reads: Reads) -> Profile | None:
    return await reads.profiles.of("user-1", fresh=True)


@pytest.mark.parametrize("read", [_home, _profile])
@pytest.mark.parametrize("refusal", [PoolBusyError("busy"), ExpiredError("late")])
def test_what_the_database_refuses_is_not_asked_of_it_again_as_if_redis_were_away(
    read: Callable[[Reads], Awaitable[object]], refusal: DependencyError, tmp_path: Path
) -> None:
    stores, lost = Stores(refusal), list[DependencyError]()

    async def use(reads: Reads) -> None:
        with pytest.raises(type(refusal)):
            await read(reads)

    asyncio.run(_used(stores, tmp_path, lost, use))
    assert ([asked for asked in stores.asked if asked != "redis"], lost) == (["posts"], [])


@pytest.mark.parametrize("what", ["home", "notifications", "suggestions"])
def test_where_only_the_database_is_new_enough_redis_is_not_asked(what: str, tmp_path: Path) -> None:
    stores = Stores()

    async def use(reads: Reads) -> None:
        match what:
            case "home":
                await reads.home("user-1", event=None, past_caches=True)
            case "notifications":
                await reads.notifications("user-1", past_caches=True)
            case _:
                await reads.suggestions("user-1", past_caches=True)

    asyncio.run(_used(stores, tmp_path, [], use))
    assert stores.asked == [what]


def test_a_home_timeline_is_never_in_the_memory_of_a_process(tmp_path: Path) -> None:
    stores = Stores(ids=[])

    async def use(reads: Reads) -> None:
        for _ in range(2):
            await reads.home("user-1", event=None)

    asyncio.run(_used(stores, tmp_path, [], use))
    assert stores.asked.count("home") == 2


@pytest.mark.parametrize("read", [_home, _profile])
def test_a_page_without_posts_is_in_the_cache_as_others_are(
    read: Callable[[Reads], Awaitable[Page | Profile | None]], tmp_path: Path
) -> None:
    stores = Stores(ids=[NOTHING.encode()])

    async def use(reads: Reads) -> None:
        page = await read(reads)

        assert page is not None
        assert (page.posts, page.cache) == ([], "redis")

    asyncio.run(_used(stores, tmp_path, [], use))
    assert set(stores.asked) == {"redis"}


def test_an_event_is_noted_though_there_is_no_post_to_ask_for(tmp_path: Path) -> None:
    stores = Stores(ids=[NOTHING.encode()])

    async def use(reads: Reads) -> None:
        await reads.home("user-1", event="e-1")

    asyncio.run(_used(stores, tmp_path, [], use))
    assert ("LPUSH", "analytics", "e-1") in stores.commands


def test_a_home_timeline_without_posts_is_stored(tmp_path: Path) -> None:
    stores = Stores(ids=[])

    async def use(reads: Reads) -> None:
        await reads.home("user-1", event=None)
        await _settled()

    asyncio.run(_used(stores, tmp_path, [], use))
    stored = next(command for command in stores.commands if "home_tl:user-1" in command and command[0] == "EVAL")
    assert stored[-2:] == (0, NOTHING)


def test_whom_there_is_not_is_stored_for_a_short_while(tmp_path: Path) -> None:
    stores = Stores(ids=[])

    async def use(reads: Reads) -> None:
        assert await reads.profiles.of("nobody-1") is None
        await _settled()

    asyncio.run(_used(stores, tmp_path, [], use))
    (stored,) = (command for command in stores.commands if "profile_tl:nobody-1" in command and command[0] == "EVAL")
    lives_ms, version, *ids = stored[7:]
    assert (version, ids) == (NOBODY, [0, NOTHING])
    assert int(lives_ms) <= 30_000


def test_whom_there_is_not_the_database_is_not_asked_for_again(tmp_path: Path) -> None:
    stores = Stores(ids=[NOTHING.encode()], version=NOBODY)

    async def use(reads: Reads) -> None:
        assert await reads.profiles.of("nobody-1") is None

    asyncio.run(_used(stores, tmp_path, [], use))
    assert stores.asked == ["redis"]


@pytest.mark.parametrize("past_caches", [False, True])
def test_the_last_page_is_on_the_disk_and_as_old_as_its_content(past_caches: bool, tmp_path: Path) -> None:
    stores = Stores(DependencyError("postgres: gone"))
    kept = {"user": {"id": "user-2", "name": "b", "bio": "", "home_region": "us-east"}, "posts": [], "age_s": 200.0}

    async def use(reads: Reads) -> None:
        page = await reads.profiles.of("user-2", past_caches=past_caches)

        assert page is not None
        assert (page.cache, page.age_s) == ("disk", 200.0)

    asyncio.run(_used(stores, tmp_path, [], use, disk_has={"profile_tl:user-2": kept}))


async def _used(
    stores: Stores,
    folder: Path,
    lost: list[DependencyError],
    use: Callable[[Reads], Awaitable[None]],
    disk_has: Mapping[str, object] = USER_1,
) -> None:
    disk = DiskCache(folder / "cache.sqlite", now_s=lambda: 1.0, requests=stores.cache_requests)
    for key, value in disk_has.items():
        await disk.put(key, value)
    backends, flights = cast(Backends, stores), Flights()
    try:
        await use(Reads(backends, region="us-east", disk=disk, flights=flights, on_cache_loss=lost.append))
    finally:
        await flights.close()
        await disk.close()
