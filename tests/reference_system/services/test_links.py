import asyncio
from typing import Any, cast

import pytest
from prometheus_client import CollectorRegistry

from reference_system.data.backends import Backends
from reference_system.data.postgres import Record
from reference_system.data.statements import COMPARED
from reference_system.policies.regions import Region
from reference_system.services.links import SAMPLED_AFTER_CHANGE_S, Links, MeshSettings, next_instant


class ADatabase:
    """Answers what a worker asks about its tables; `changes` is what Postgres has counted."""

    def __init__(self) -> None:
        self.changes = 0
        self.sampled = 0

    async def postgres(self, statement: str, *arguments: Any) -> list[Record]:
        match statement:
            case "changes":
                return [{"name": table, "changes": self.changes} for table in COMPARED]
            case "sampled_posts":
                self.sampled += 1
                return [{"number": 3, "hashes": 2**60 + 7}]
            case _:
                return []


def a_worker() -> tuple[Links, ADatabase, CollectorRegistry]:
    database, registry = ADatabase(), CollectorRegistry()
    settings = MeshSettings(region=Region.US_EAST, dsn="", peers={})
    return Links(cast(Backends, database), settings, registry), database, registry


@pytest.mark.parametrize(("now_s", "next_s"), [(0.0, 1.0), (7.25, 8.0), (7.999, 8.0), (8.0, 9.0)])
def test_all_regions_are_asked_at_whole_seconds_of_the_clock(now_s: float, next_s: float) -> None:
    assert next_instant(now_s, every_s=1.0) == next_s


def test_posts_are_sampled_while_something_changes_and_for_as_long_as_a_change_may_come_to_light_late() -> None:
    links, database, registry = a_worker()

    async def a_second(now_s: float) -> int:
        before = database.sampled
        await links.compare(now_s=now_s)
        await links.sample(at_s=now_s)
        return database.sampled - before

    async def seconds() -> list[int]:
        quiet = [await a_second(100.0), await a_second(101.0)]
        database.changes = 1
        return quiet + [await a_second(102.0 + after_s) for after_s in (0.0, SAMPLED_AFTER_CHANGE_S, 16.0, 17.0)]

    assert asyncio.run(seconds()) == [0, 0, 1, 1, 0, 0]
    assert registry.get_sample_value("key_digest", {"keys": "posts 3"}) == float((2**60 + 7) % 2**53)
    assert registry.get_sample_value("key_digest", {"keys": "posts 4"}) == 0.0
    assert registry.get_sample_value("key_digest_at_seconds") == 102.0 + SAMPLED_AFTER_CHANGE_S
