"""The cache on disk against a real disk: what it keeps, and that whatever is wrong with a file is a miss."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Counter

from reference_system.data.disk_cache import TIDY_EVERY, TTL_S, DiskCache
from reference_system.data.lifetimes import ttl_ms

Use = Callable[["Disk"], Awaitable[None]]


class Disk(DiskCache):
    """With a clock of its own, of few entries."""

    def __init__(self, path: Path) -> None:
        self.at_s = 1_000_000.0
        self.registry = CollectorRegistry()
        requests = Counter("cache_requests_total", "", ["layer", "result"], registry=self.registry)
        super().__init__(path, now_s=lambda: self.at_s, requests=requests, most=10)

    async def text(self, key: str) -> str | None:
        found = await self.get(key, str)
        return None if found is None else found.value

    def asked(self, result: str) -> float | None:
        return self.registry.get_sample_value("cache_requests_total", {"layer": "disk", "result": result})


def used(path: Path, use: Use) -> None:
    async def opened() -> None:
        disk = Disk(path)
        try:
            await use(disk)
        finally:
            await disk.close()

    asyncio.run(opened())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "us-east-api-1" / "cache.sqlite"


def test_what_is_put_is_found_by_the_next_life_of_the_service_with_its_age(path: Path) -> None:
    async def first(disk: Disk) -> None:
        await disk.put("a", "x")
        await disk.put("a", "y")

    async def second(disk: Disk) -> None:
        disk.at_s += 60.0
        found = await disk.get("a", str)

        assert found is not None
        assert (found.value, found.age_s) == ("y", 60.0)
        assert await disk.get("b", str) is None
        assert (disk.asked("hit"), disk.asked("miss"), disk.asked("unavailable")) == (1, 1, 0)

    used(path, first)
    used(path, second)


def test_an_entry_lives_a_day_at_most(path: Path) -> None:
    async def use(disk: Disk) -> None:
        await disk.put("a", "x")
        disk.at_s += ttl_ms("a", TTL_S) / 1000 - 1
        assert await disk.text("a") == "x"
        disk.at_s += 2
        assert await disk.text("a") is None

    used(path, use)


def test_the_oldest_go_when_there_are_too_many(path: Path) -> None:
    async def use(disk: Disk) -> None:
        for n in range(TIDY_EVERY):
            disk.at_s += 1
            await disk.put(f"{n}", "x")

        assert await disk.text("0") is None
        kept = [n for n in range(TIDY_EVERY) if await disk.text(f"{n}")]
        assert kept == [*range(TIDY_EVERY - 10, TIDY_EVERY)]

    used(path, use)


def test_a_key_is_forgotten_alone_and_a_prefix_with_all_that_begin_so(path: Path) -> None:
    async def use(disk: Disk) -> None:
        for key in ("user:user-1:a", "user:user-1:b", "user:user-12:a", "profile_tl:user-1"):
            await disk.put(key, "x")
        await disk.forget_under("user:user-1:")
        await disk.forget("profile_tl:user")

        assert await disk.text("user:user-1:a") is await disk.text("user:user-1:b") is None
        assert await disk.text("user:user-12:a") == await disk.text("profile_tl:user-1") == "x"

    used(path, use)


def test_a_file_that_is_no_database_is_replaced(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"not a database, and longer than its header" * 100)

    async def use(disk: Disk) -> None:
        assert await disk.text("a") is None
        await disk.put("a", "x")
        assert await disk.text("a") == "x"

    used(path, use)


def test_a_file_that_rots_while_it_is_used_costs_its_entries_and_no_error(path: Path) -> None:
    async def use(disk: Disk) -> None:
        for n in range(50):
            await disk.put(f"{n}", "x" * 1000)
        for name in path.parent.iterdir():
            with name.open("r+b") as file:
                file.write(b"\xff" * name.stat().st_size)

        assert {await disk.text(f"{n}") for n in range(50)} <= {None, "x" * 1000}
        await disk.put("a", "y")
        assert await disk.text("a") == "y"

    used(path, use)


def test_a_value_of_another_shape_is_a_miss(path: Path) -> None:
    async def use(disk: Disk) -> None:
        await disk.put("a", {"not": "a text"})

        assert await disk.text("a") is None
        assert disk.asked("miss") == 1

    used(path, use)


def test_a_disk_that_cannot_be_written_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    async def use(disk: Disk) -> None:
        await disk.put("a", "x")

        assert await disk.text("a") is None
        assert disk.asked("unavailable") == 1

    used(tmp_path / "file" / "cache.sqlite", use)
