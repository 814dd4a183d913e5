import asyncio
import math
from dataclasses import replace
from typing import Any

import pytest

from reference_system.data import errands
from reference_system.data.backends import DependencyError
from reference_system.data.caught_up import CaughtUp, Proofs, say
from reference_system.data.heartbeats import Heartbeats, heartbeat_us
from reference_system.policies.regions import Region
from reference_system.policies.write_token import WriteToken

EAST, WEST, EUROPE = Region.US_EAST, Region.US_WEST, Region.EUROPE
ROWS = [
    {"region": "us-east", "at": 100.0, "age_s": 0.1},
    {"region": "us-west", "at": 100.000001, "age_s": 0.3},
    {"region": "europe", "at": 90.0, "age_s": 10.0},
]


class Database:
    """Counts who asks it; away when told so."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self.rows = rows
        self.asked = 0
        self.away = False

    async def run(self, statement: str) -> list[dict[str, Any]]:
        assert statement == "heartbeats"
        self.asked += 1
        await asyncio.sleep(0)
        if self.away:
            raise DependencyError("postgres: gone")
        return self.rows


class Redis:
    """The hash `caught_up`."""

    def __init__(self, **entries: float) -> None:
        self.entries = {name.replace("_", "-"): at_s for name, at_s in entries.items()}
        self.asked = 0
        self.away = False

    async def send(self, command: tuple[str, ...]) -> list[Any]:
        self.asked += 1
        if self.away:
            raise DependencyError("redis: gone")
        if command[0] == "HSET":
            self.entries |= dict(zip(command[2::2], map(float, command[3::2]), strict=True))
        return [[word.encode() for name, at in self.entries.items() for word in (name, repr(at))]]


def token(region: Region, at_us: int) -> WriteToken:
    return WriteToken(region=region, at_us=at_us)


def caught_up_of(redis: Redis, database: Database) -> CaughtUp:
    return CaughtUp(redis.send, Heartbeats(database.run, others=[WEST]), region=EAST)


def test_many_who_ask_at_once_cost_one_query() -> None:
    database = Database(ROWS)

    async def ask() -> None:
        heartbeats = Heartbeats(database.run, others=[WEST, EUROPE])
        answers = await asyncio.gather(*(heartbeats.heard() for _ in range(50)))
        later = await heartbeats.heard()

        assert {answer.at_us[WEST] for answer in [*answers, later]} == {100_000_001}
        assert later.age_s == {WEST: 0.3, EUROPE: 10.0}, "of the others only"
        assert heartbeats.greatest_age_s() == pytest.approx(10.0, abs=0.1)

    asyncio.run(ask())
    assert database.asked == 1


def test_who_gives_up_does_not_take_the_query_from_the_others() -> None:
    async def ask() -> None:
        heartbeats = Heartbeats(Database(ROWS).run, others=[WEST])
        impatient, patient = asyncio.create_task(heartbeats.heard()), asyncio.create_task(heartbeats.heard())
        await asyncio.sleep(0)
        impatient.cancel()

        assert (await patient).at_us == {WEST: 100_000_001}

    asyncio.run(ask())


def test_the_query_is_not_the_errand_of_who_asked_first() -> None:
    seen: list[errands.Errand] = []

    async def run(statement: str) -> list[dict[str, Any]]:
        del statement
        await asyncio.sleep(0)
        seen.append(errands.current())
        return ROWS

    async def ask() -> None:
        errands.begin(errands.Errand(priority=4, deadline_s=0.0))
        await Heartbeats(run, others=[WEST]).heard()

    asyncio.run(ask())
    assert [(errand.priority, errand.deadline_s) for errand in seen] == [(1, math.inf)]


def test_a_database_that_is_away_is_asked_again_by_the_next() -> None:
    database = Database(ROWS)
    database.away = True

    async def ask() -> None:
        heartbeats = Heartbeats(database.run, others=[WEST])
        with pytest.raises(DependencyError):
            await heartbeats.heard()
        assert heartbeats.greatest_age_s() == math.inf
        database.away = False
        assert (await heartbeats.heard()).age_s == {WEST: 0.3}

    asyncio.run(ask())


def test_a_region_that_was_never_heard_is_infinitely_old() -> None:
    async def ask() -> None:
        heartbeats = Heartbeats(Database(ROWS).run, others=[WEST, Region.ASIA_PACIFIC])
        await heartbeats.heard()

        assert heartbeats.greatest_age_s() == math.inf

    asyncio.run(ask())


def test_without_other_regions_nothing_is_old() -> None:
    assert Heartbeats(Database([]).run, others=[]).greatest_age_s() == 0.0


def test_a_heartbeat_proves_no_microsecond_more_than_it_says() -> None:
    assert heartbeat_us(100.9999999) == 100_999_999


@pytest.mark.parametrize(
    ("wanted", "proves", "asked"),
    [
        (token(WEST, 50_000_000), True, 1),
        (token(WEST, 50_000_001), False, 1),
        (token(EUROPE, 1), False, 1),
    ],
)
def test_caches_have_what_the_worker_says(wanted: WriteToken, proves: bool, asked: int) -> None:
    redis = Redis(us_west=50.0)

    async def ask() -> Proofs:
        return await caught_up_of(redis, Database(ROWS)).proofs([wanted])

    proofs = asyncio.run(ask())
    assert (proofs.at_us.get(wanted.region, -1) >= wanted.at_us, redis.asked) == (proves, asked)
    assert proofs.of_caches


def test_where_one_of_several_tokens_is_not_known_to_be_proven_redis_is_asked() -> None:
    redis = Redis(us_west=50.0)

    async def ask() -> None:
        caught_up = caught_up_of(redis, Database(ROWS))
        await caught_up.proofs([token(WEST, 50_000_000)])
        redis.entries["europe"] = 70.0

        proofs = await caught_up.proofs([token(WEST, 50_000_000), token(EUROPE, 70_000_000)])

        assert proofs.at_us == {WEST: 50_000_000, EUROPE: 70_000_000}

    asyncio.run(ask())
    assert redis.asked == 2


def test_what_is_proven_is_not_asked_again_even_where_the_caches_have_been_lost_since() -> None:
    redis = Redis(us_west=50.0)

    async def ask() -> None:
        caught_up = caught_up_of(redis, Database(ROWS))
        await caught_up.proofs([token(WEST, 50_000_000)])
        redis.entries = {}
        assert (await caught_up.proofs([token(WEST, 40_000_000)])).at_us == {WEST: 50_000_000}
        assert redis.asked == 1
        assert (await caught_up.proofs([token(WEST, 60_000_000)])).at_us == {WEST: 50_000_000}

    asyncio.run(ask())


UNTOLD = WriteToken(region=EAST, at_us=50_000_000, told=False)


@pytest.mark.parametrize(
    ("tokens", "caught_up_s", "told", "asked", "why"),
    [
        ([], 0.0, True, 0, "nothing was written"),
        ([token(EAST, 50_000_000)], 0.0, True, 0, "the caches were told before the answer"),
        ([replace(UNTOLD, region=WEST)], 0.0, True, 0, "another region's caches, which are nobody's business here"),
        ([UNTOLD], 49.999999, False, 1, "the worker has not told them yet"),
        ([UNTOLD], 50.0, True, 1, "by now it has"),
        ([UNTOLD, token(EAST, 60_000_000)], 50.0, True, 1, "what was written later they were told of"),
        ([UNTOLD, token(EAST, 60_000_000)], 49.0, False, 1, "which proves nothing of what came before"),
    ],
)
def test_where_the_caches_were_not_told_of_a_write_the_worker_says_when_they_are(
    *, tokens: list[WriteToken], caught_up_s: float, told: bool, asked: int, why: str
) -> None:
    redis = Redis(us_east=caught_up_s)

    async def ask() -> bool:
        return await caught_up_of(redis, Database(ROWS)).were_told(tokens)

    assert (asyncio.run(ask()), redis.asked) == (told, asked), why


def test_while_nobody_says_what_the_caches_have_they_were_not_told() -> None:
    redis = Redis(us_east=99.0)
    redis.away = True

    async def ask() -> bool:
        return await caught_up_of(redis, Database(ROWS)).were_told([UNTOLD])

    assert asyncio.run(ask()) is False


@pytest.mark.parametrize("database_is_away", [False, True])
def test_without_redis_the_databases_heartbeats_count(database_is_away: bool) -> None:
    redis, database = Redis(us_west=50.0), Database(ROWS)
    redis.away, database.away = True, database_is_away

    async def ask() -> Proofs:
        return await caught_up_of(redis, database).proofs([token(WEST, 1)])

    proofs = asyncio.run(ask())
    assert proofs == Proofs(at_us={} if database_is_away else {WEST: 100_000_001}, of_caches=False)


def test_what_the_worker_says_is_what_replicas_read() -> None:
    redis = Redis()

    async def ask() -> None:
        await say(redis.send, {"us-west": 1_795_579_811.909921})
        proofs = await caught_up_of(redis, Database(ROWS)).proofs([token(WEST, 1)])

        assert proofs.at_us[WEST] in (1_795_579_811_909_920, 1_795_579_811_909_921)

    asyncio.run(ask())


def test_a_single_region_has_nothing_to_say() -> None:
    redis = Redis()
    asyncio.run(say(redis.send, {}))

    assert redis.asked == 0
