"""Fan-out against a real Redis and Postgres: who finds a post where, whose turn it is, and what becomes of failures."""

import asyncio
import itertools
import json
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import asyncpg
import httpx
import pytest
from prometheus_client import CollectorRegistry

from reference_system.data.backends import Backends, DependencyError
from reference_system.data.dependency import DependencyPolicies
from reference_system.data.disk_cache import DiskCache
from reference_system.data.fan_out import FanOut, Rules
from reference_system.data.flights import Flights
from reference_system.data.postgres import Postgres
from reference_system.data.reads import Page, Reads
from reference_system.data.redis_client import RedisClient
from reference_system.data.seed import prepare
from reference_system.data.statements import STATEMENTS
from reference_system.data.timelines import Cache
from reference_system.data.writes import NewPost, Writes
from reference_system.policies.fan_out import LIMITS, How
from reference_system.policies.redelivery import TRIES
from reference_system.services.fan_out import FanOut as Worker
from reference_system.services.fan_out import FanOutParts
from reference_system.services.log import Log
from tests.reference_system import servers

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

CELEBRITY, WELL_KNOWN, ORDINARY = "user-1", "user-5", "user-7"
USUAL = LIMITS[0]
QUEUED = """
    INSERT INTO fanout_outbox (post, author, queued_at)
    SELECT 'post-' || n, 'author-' || n % 20, n FROM generate_series($1::int, $2::int) n"""
_keys = itertools.count()


class Region:
    """A region without a worker: its fan-out is done by hand, round by round. Signed-up readers follow user-1 … 10."""

    def __init__(self, backends: Backends) -> None:
        self.backends = backends
        no_disk = DiskCache(Path("/dev/null/cache"), now_s=time.time, requests=backends.cache_requests)
        self.reads = Reads(backends, region="us-east", disk=no_disk, flights=Flights())
        self.writes = Writes(backends, region="us-east")
        self.fan_out = self.fan_out_with(Rules())

    def fan_out_with(self, rules: Rules) -> FanOut:
        return FanOut(self.backends, pushes_per_s=1e9, rules=rules)

    async def drain(self, *, limit: int = USUAL) -> Counter[str]:
        done: Counter[str] = Counter()
        more = True
        while more:
            one = await self.fan_out.run_once(limit=limit, now_s=time.time())
            done.update(delivered.how for delivered in one.delivered)
            more = one.more
        return done

    async def reader(self) -> str:
        """With a cached home timeline."""
        user = await self.writes.sign_up(f"reader-{next(_keys)}", "password", at_s=time.time())
        assert user is not None
        await self.cached_home(user)
        return user

    async def cached_home(self, user: str) -> Page:
        page = await self.reads.home(user, event=None)
        for _ in range(50):
            if page.cache is Cache.REDIS:
                return page
            await asyncio.sleep(0.01)
            page = await self.reads.home(user, event=None)
        raise AssertionError("the timeline is not cached")

    async def post(self, author: str, text: str = "hello") -> str:
        new = NewPost(author=author, text=text, media=None, idempotency_key=f"key-{next(_keys)}")
        return await self.writes.post(new, at_s=time.time())

    async def shows(self, reader: str, post: str) -> bool:
        """From the cache alone."""
        page = await self.cached_home(reader)
        return post in {shown.id for shown in page.posts}

    async def backlog(self) -> tuple[int, int]:
        found = await self.fan_out.backlog()
        return found.waiting, found.dead_letters


Play = Callable[[Region], Awaitable[None]]
In = Callable[..., None]
NOBODY_LISTENS = "redis://127.0.0.1:1"


@pytest.fixture(scope="module")
def dsn() -> Iterator[str]:
    with servers.postgres() as dsn:
        asyncio.run(prepare(dsn))
        yield dsn


@pytest.fixture
def in_a_region(dsn: str) -> Iterator[In]:
    async def played(play: Play, redis_url: str, *, clean: bool) -> None:
        postgres = Postgres(dsn, connections=3)
        await postgres.connect()
        backends = Backends(
            redis=RedisClient(redis_url),
            postgres=postgres,
            registry=CollectorRegistry(),
            policies=DependencyPolicies(),
            seed="fan-out",
        )
        try:
            region = Region(backends)
            if clean:
                await region.drain()  # what other tests have left
            await play(region)
        finally:
            await backends.close()

    with servers.redis() as redis_url:
        yield lambda play, redis=redis_url: asyncio.run(played(play, redis, clean=redis == redis_url))


@pytest.mark.parametrize(("author", "how"), [(ORDINARY, "push"), (WELL_KNOWN, "push"), (CELEBRITY, "pull")])
def test_followers_find_a_post_in_their_cached_timeline(in_a_region: In, author: str, how: str) -> None:
    async def play(region: Region) -> None:
        reader = await region.reader()
        post = await region.post(author)
        before = await region.shows(reader, post)
        done = await region.drain()
        list_of_ids = await region.backends.redis(("ZREVRANGE", f"home_tl:{reader}", 0, -1))

        assert not before
        assert await region.shows(reader, post)
        assert done == {how: 1}
        assert (post.encode() in list_of_ids[0]) is (how == "push")

    in_a_region(play)


@pytest.mark.parametrize(
    ("rules", "celebritys"),
    [(Rules(), "the author"), (Rules(how=lambda followers, limit: How.PUSH), "all followers and the author")],
)
def test_pushes_are_counted_by_whose_posts_they_are(in_a_region: In, rules: Rules, celebritys: str) -> None:
    async def play(region: Region) -> None:
        registry = CollectorRegistry()
        worker = Worker(
            region.backends, FanOutParts(rules=rules), pushes_per_s=1e9, registry=registry, log=Log("worker")
        )
        rows = await region.backends.postgres("follower_counts", [ORDINARY, CELEBRITY])
        followers = {row["followee"]: row["followers"] for row in rows}
        for author in (ORDINARY, CELEBRITY):
            await region.post(author)
        while await worker.run_once():
            pass

        pushes = {
            account: registry.get_sample_value("fanout_pushes_total", {"account": account})
            for account in ("ordinary", "celebrity")
        }
        celebrity = 1 if celebritys == "the author" else followers[CELEBRITY] + 1
        assert pushes == {"ordinary": followers[ORDINARY] + 1, "celebrity": celebrity}

    in_a_region(play)


def test_who_does_not_follow_a_celebrity_does_not_find_the_post(in_a_region: In) -> None:
    async def play(region: Region) -> None:
        reader = await region.reader()
        await region.writes.follow(reader, CELEBRITY, following=False, at_s=time.time())
        await region.cached_home(reader)
        post = await region.post(CELEBRITY)
        await region.drain()

        assert not await region.shows(reader, post)

    in_a_region(play)


def test_a_pulled_post_that_is_deleted_is_not_shown(in_a_region: In) -> None:
    async def play(region: Region) -> None:
        reader = await region.reader()
        post = await region.post(CELEBRITY)
        await region.drain()
        await region.writes.delete(post, author=CELEBRITY, at_s=time.time())

        assert not await region.shows(reader, post)

    in_a_region(play)


def test_a_page_has_the_newest_of_what_was_pushed_and_pulled(in_a_region: In) -> None:
    async def play(region: Region) -> None:
        reader = await region.reader()
        posts = []
        for n in range(30):
            posts.append(await region.post((CELEBRITY, ORDINARY, "user-2")[n % 3]))
            await region.drain()
        page = await region.cached_home(reader)

        assert [post.id for post in page.posts] == posts[:9:-1]

    in_a_region(play)


def test_with_everybody_pulled_the_page_is_the_same(in_a_region: In) -> None:
    async def play(region: Region) -> None:
        reader = await region.reader()
        posts = []
        for n in range(25):
            posts.append(await region.post(f"user-{1 + n % 10}"))
        done = await region.drain(limit=0)
        page = await region.cached_home(reader)

        assert done == {"pull": 25}
        assert [post.id for post in page.posts] == posts[:4:-1]

    in_a_region(play)


def test_a_post_under_way_is_not_pushed_to_who_has_unfollowed_meanwhile(in_a_region: In) -> None:
    async def play(region: Region) -> None:
        still, no_longer = await region.reader(), await region.reader()  # the last ones to be pushed to
        post = await region.post(WELL_KNOWN)
        await region.fan_out.run_once(limit=USUAL, now_s=time.time())
        before = await region.shows(still, post)
        await region.writes.follow(no_longer, WELL_KNOWN, following=False, at_s=time.time())
        await region.cached_home(no_longer)
        await region.drain()

        assert not before
        assert (await region.shows(still, post), await region.shows(no_longer, post)) == (True, False)

    in_a_region(play)


def test_a_limit_that_falls_while_a_post_is_pushed_lets_the_rest_pull_it(in_a_region: In) -> None:
    async def play(region: Region) -> None:
        reader = await region.reader()  # the last one to follow, so the last one to be pushed to
        post = await region.post(WELL_KNOWN)
        await region.fan_out.run_once(limit=USUAL, now_s=time.time())
        before = await region.shows(reader, post)
        done = await region.drain(limit=LIMITS[1])

        assert not before
        assert done == {"pull": 1}
        assert await region.shows(reader, post)

    in_a_region(play)


def test_neither_a_large_account_nor_a_busy_one_delays_the_others(in_a_region: In) -> None:
    async def play(region: Region) -> None:
        for _ in range(5):
            await region.post(WELL_KNOWN)
        await region.post("user-2999")
        rounds = [await region.fan_out.run_once(limit=USUAL, now_s=time.time()) for _ in range(2)]
        waiting, _ = await region.backlog()
        await region.drain()

        assert [len(one.delivered) for one in rounds] == [1, 0]
        assert waiting == 5

    in_a_region(play)


def test_a_post_that_is_refused_is_given_up_in_the_end_and_delays_nobody(in_a_region: In) -> None:
    async def play(region: Region) -> None:
        broken, reader = await region.reader(), await region.reader()
        await region.backends.redis(("SET", f"home_tl:{broken}", "no list"))
        post, other = await region.post(ORDINARY), await region.post("user-2998")
        now_s, failed, delivered = time.time(), 0, 0
        for _ in range(200):
            one = await region.fan_out.run_once(limit=USUAL, now_s=now_s)
            failed, delivered, now_s = failed + one.failed, delivered + len(one.delivered), now_s + 0.1
        (letter,) = await region.backends.postgres("dead_letters")

        assert (failed, delivered) == (TRIES, 1)
        assert await region.backlog() == (0, 1)
        assert letter["post"] == post != other
        assert broken in letter["reason"]
        assert "WRONGTYPE" in letter["reason"]
        assert await region.shows(reader, post)

        await region.backends.redis(("DEL", f"home_tl:{broken}"))
        assert await region.fan_out.retry_dead_letters() == 1
        assert await region.drain() == {"push": 1}
        assert await region.backlog() == (0, 0)

    in_a_region(play)


def test_a_redis_that_is_away_is_no_fault_of_a_post(in_a_region: In) -> None:
    async def play(region: Region) -> None:
        await region.post(ORDINARY)
        for _ in range(2 * TRIES):
            with pytest.raises(DependencyError, match="redis"):
                await region.fan_out.run_once(limit=USUAL, now_s=time.time())
        waiting, dead_letters = await region.backlog()

        assert waiting >= 1
        assert dead_letters == 0

    in_a_region(play, redis=NOBODY_LISTENS)


def test_two_workers_deliver_and_count_a_post_once(in_a_region: In) -> None:
    async def play(region: Region) -> None:
        reader = await region.reader()
        post = await region.post(ORDINARY)
        other = region.fan_out_with(Rules(pushes_a_round=10_000))
        first = await region.fan_out.run_once(limit=USUAL, now_s=time.time())
        second = await other.run_once(limit=USUAL, now_s=time.time())
        done = await region.drain()
        page = await region.cached_home(reader)

        assert len(first.delivered) + len(second.delivered) + done.total() == 1
        assert [shown.id for shown in page.posts].count(post) == 1

    in_a_region(play)


def test_a_post_that_was_deleted_before_its_turn_is_done(in_a_region: In) -> None:
    async def play(region: Region) -> None:
        post = await region.post(ORDINARY)
        await region.writes.delete(post, author=ORDINARY, at_s=time.time())

        assert await region.drain() == {"withdrawn": 1}
        assert await region.backlog() == (0, 0)

    in_a_region(play)


def test_whose_turn_it_is_costs_no_more_where_many_wait(dsn: str) -> None:
    """A worker that needs longer to look at a long queue than it may would never get through it."""

    async def pages_looked_at(connection: asyncpg.Connection) -> int:
        asked = f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {STATEMENTS['outbox']}"
        (plan,) = json.loads(await connection.fetchval(asked, [], [], 100))
        assert plan["Plan"]["Actual Rows"] == 20
        return int(plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"])

    async def look() -> tuple[int, int]:
        connection = await asyncpg.connect(dsn)
        try:
            await connection.execute("BEGIN")
            await connection.execute(QUEUED, 1, 2_000)
            few = await pages_looked_at(connection)
            await connection.execute(QUEUED, 2_001, 40_000)
            many = await pages_looked_at(connection)
            await connection.execute("ROLLBACK")
            return few, many
        finally:
            await connection.close()

    few, many = asyncio.run(look())
    assert many < 2 * few


def test_operators_set_the_limit_and_have_dead_letters_tried_again(worker: str) -> None:
    with httpx.Client(base_url=worker, timeout=10) as operator:

        def shown() -> float:
            lines = operator.get("/metrics").text.splitlines()
            return float(next(line for line in lines if line.startswith("fanout_pull_limit ")).rsplit(" ", 1)[1])

        def ask(body: str) -> tuple[int, dict[str, object]]:
            answer = operator.post("/internal/fan-out/limit", content=body)
            return answer.status_code, answer.json()

        assert shown() == USUAL
        assert ask('{"followers": 300}') == (200, {"followers": 300, "in_force": 300})
        assert shown() == 300
        assert ask('{"followers": 5000}') == (200, {"followers": 5000, "in_force": USUAL})
        for bad in ("", "{}", '{"followers": -1}', '{"followers": "many"}', '{"limit": 3}'):
            status, told = ask(bad)
            assert status == 400, bad
            assert "Expected" in str(told["error"])
        assert ask('{"followers": null}') == (200, {"followers": None, "in_force": USUAL})
        assert operator.post("/internal/fan-out/dead-letters/retry").json() == {"queued": 0}
