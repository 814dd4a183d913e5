"""Fills an empty database: 3,000 users, a skewed follow graph, 10,000 posts with likes and retweets, notifications.

The same rows in every region, because links carry only what comes later. Users are spread evenly over the regions, and
what they wrote before is numbered in their home region. Idempotent: a database that has been seeded is left alone, and
of several that try at once one does it. Makes nothing in Redis.
"""

import asyncio
import itertools
import os
import random
from collections.abc import Iterator
from importlib import resources
from typing import Any

import asyncpg

from reference_system.data.passwords import seeded_hash

SEED = 7
REGIONS = ("us-east", "us-west", "europe", "asia-pacific")
USERS = 3_000
FOLLOWEES_MEAN = 20
# Share of users who follow user-1, user-2 … whomever else they draw: four celebrities, one at home in each region, and
# two who are well known. Nobody else is followed by more than one user in five.
FAMOUS = (0.80, 0.75, 0.70, 0.65, 0.20, 0.20)
POSTS = 10_000
NOTIFICATIONS_PER_USER = 3
MEDIA_SHARE = 0.3
LIKES_A_RETWEET = 5
FIRST_POST_AT = 1_767_225_600.0  # 2026-01-01, a fixed day: the same seed gives the same rows
POSTS_SPREAD_S = 86_400.0
LOCK = 4_711  # any number, the same for all who seed

# ruff: noqa: SIM905 - a list of sixty words is read as words, not as quotes and commas
_TOPICS = (
    "rain coffee football election music train garden bread piano winter summer river mountain market theatre science "
    "history poetry cycling chess tennis cinema harbour library museum jazz painting ocean forest island bridge castle "
    "festival concert holiday recipe cheese soup apple lemon tomato guitar violin opera ballet novel letter stamp"
).split()
_FILLERS = "today again finally maybe tonight never always with without before after another little great quiet".split()
_TOPIC_WEIGHTS = list(itertools.accumulate(1.0 / (rank + 5) for rank in range(len(_TOPICS))))  # some trend

COLUMNS = {
    "users": ("id", "name", "password", "bio", "home_region", "created_at"),
    "follows": ("follower", "followee"),
}

Row = tuple[Any, ...]


async def prepare(dsn: str, *, seed: int = SEED) -> bool:
    """Create and fill the tables unless they exist; True if this call did it."""
    connection = await asyncpg.connect(dsn, timeout=5)
    try:
        async with connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK)
            if await connection.fetchval("SELECT to_regclass('public.trends') IS NOT NULL"):
                return False
            await _fill(connection, seed=seed)
        # Not the empty ones: the planner would take them to stay so.
        await connection.execute("ANALYZE users, follows, posts, engagements, notifications")
        return True
    finally:
        await connection.close()


async def _fill(connection: Any, *, seed: int) -> None:
    package = resources.files(__package__ or "")
    await connection.execute((package / "schema.sql").read_text())
    for table, rows in tables(seed=seed).items():
        await connection.copy_records_to_table(table, records=rows, columns=COLUMNS.get(table))
    for script in ("indexes.sql", "mesh.sql"):
        await connection.execute((package / script).read_text())
    await connection.execute(f"ALTER SEQUENCE post_numbers RESTART {POSTS + 1}")


def tables(*, seed: int) -> dict[str, list[Row]]:
    """All rows by table; columns in the schema's order, those that `COLUMNS` leaves out have their defaults."""
    chance = random.Random(seed)
    authors = [f"user-{n}" for n in range(1, USERS + 1)]
    # Zipf-like, flattened at the top so that the most followed of those who are not famous has hundreds of followers.
    popularity = list(itertools.accumulate(1.0 / (rank + 30) for rank in range(1, USERS + 1)))
    posts = list(_posts(chance, authors, popularity))
    return {
        "users": [_user(name) for name in authors],
        "follows": list(_follows(chance, authors, popularity)),
        "posts": posts,
        "engagements": [(post[0], _region_of(post[1]), *_counts(chance)) for post in posts],
        "notifications": list(_notifications(chance, authors)),
        "heartbeats": [(region, 0.0) for region in REGIONS],
    }


def _region_of(user: str) -> str:
    return REGIONS[(int(user.removeprefix("user-")) - 1) % len(REGIONS)]


def _user(name: str) -> Row:
    number = name.removeprefix("user-")
    password = seeded_hash(f"password-{number}", salt=f"seed-{number}")
    bio = f"{name} writes about {_TOPICS[int(number) % len(_TOPICS)]}"
    return (name, name, password, bio, _region_of(name), FIRST_POST_AT)


def _follows(chance: random.Random, authors: list[str], popularity: list[float]) -> Iterator[Row]:
    for follower in authors:
        wanted = chance.randint(FOLLOWEES_MEAN // 2, FOLLOWEES_MEAN * 3 // 2)
        drawn = chance.choices(authors, cum_weights=popularity, k=wanted + wanted // 10)
        famous = [author for author, share in zip(authors, FAMOUS, strict=False) if chance.random() < share]
        for followee in list(dict.fromkeys([*famous, *drawn]))[:wanted]:
            if followee != follower:
                yield (follower, followee)


def _posts(chance: random.Random, authors: list[str], popularity: list[float]) -> Iterator[Row]:
    numbers = {region: itertools.count(1) for region in REGIONS}
    by = chance.choices(authors, cum_weights=popularity, k=POSTS)
    for number, author in enumerate(by, start=1):
        topics = chance.choices(_TOPICS, cum_weights=_TOPIC_WEIGHTS, k=2)
        text = f"{topics[0]} {chance.choice(_FILLERS)} {topics[1]}"
        media = f"/media/{number}.svg" if chance.random() < MEDIA_SHARE else None
        at = FIRST_POST_AT + POSTS_SPREAD_S * number / POSTS
        region = _region_of(author)
        yield (f"{region}-{next(numbers[region])}", author, text, media, sorted(set(topics)), at)


def _counts(chance: random.Random) -> tuple[int, int]:
    """Likes, and of some of those who like a post a retweet."""
    likes = int(chance.paretovariate(0.7))
    return likes, likes // LIKES_A_RETWEET


def _notifications(chance: random.Random, authors: list[str]) -> Iterator[Row]:
    numbers = itertools.count(1)
    for recipient in authors:
        for _ in range(NOTIFICATIONS_PER_USER):
            at = FIRST_POST_AT + POSTS_SPREAD_S * chance.random()
            actor = chance.choice(authors)
            yield (f"seed-{next(numbers)}", recipient, actor, f"{actor} liked your post", at, chance.random() < 0.5)


if __name__ == "__main__":
    asyncio.run(prepare(os.environ["POSTGRES_DSN"]))
