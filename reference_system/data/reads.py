"""What users read: at most two round trips each when the caches are warm, and Postgres alone when Redis is away.

The number of round trips does not depend on the degradation level, so that slow storage gives a steady latency and a
level does not flap because a feature went off. Which features are on is the caller's business.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from reference_system.data import pulled
from reference_system.data.backends import Backends, DependencyError
from reference_system.data.posts import Post
from reference_system.data.resp import Command
from reference_system.data.statements import LISTED
from reference_system.data.timelines import Cache, Kind, Looked, Timelines, posts_of

NOTIFICATIONS_TTL_S = 10
SEARCH_TTL_S = 30
SUGGESTIONS_TTL_S = 300
ANALYTICS_KEPT = 1000  # newest events, in the Redis list `analytics`

OnCacheLoss = Callable[[DependencyError], None]


def fall_back(error: DependencyError) -> None:
    """The ordinary way to lose Redis: go on without it."""
    del error


@dataclass(frozen=True, slots=True)
class Page:
    posts: Sequence[Post]
    cache: Cache


@dataclass(frozen=True, slots=True)
class Listing:
    """`whole`: there are no more."""

    posts: Sequence[Post]
    whole: bool


class Notification(msgspec.Struct, frozen=True):
    id: str
    text: str
    created_at: float
    seen: bool


class User(msgspec.Struct, frozen=True):
    id: str
    name: str
    bio: str
    home_region: str


class Suggestion(msgspec.Struct, frozen=True):
    id: str
    mutual: int


class Reads:
    """`on_cache_loss` is asked before every fallback; it may raise instead of returning."""

    def __init__(self, backends: Backends, *, region: str, on_cache_loss: OnCacheLoss = fall_back) -> None:
        self._backends = backends
        self._timelines = Timelines(backends)
        self._region = region
        self._on_cache_loss = on_cache_loss

    async def home(self, user: str, *, event: str | None, past_caches: bool = False) -> Page:
        """The newest posts of those the user follows and the user's own, newest first.

        The cached list has what was pushed; what the reader has to pull comes in the same round trip. An analytics
        event travels with the second round trip; it is best effort and lost when the caches are.
        """
        if past_caches:
            return Page(posts_of(await self._backends.postgres("home", user)), Cache.FALLBACK)
        try:
            looked = await self._timelines.look(Kind.HOME, user, pulled.look(user))
            (fetched,) = looked.extra
            if looked.ids and fetched is not None:
                ids = dict.fromkeys([*looked.ids, *(post.decode() for post in fetched)])
                return Page(*await self._timelines.page([*ids], *_analytics(event)))
        except DependencyError as error:
            self._on_cache_loss(error)
            return Page(posts_of(await self._backends.postgres("home", user)), Cache.FALLBACK)
        found = posts_of(await self._backends.postgres("home", user))
        self._backends.background.run(self._fill_home(user, found, looked))
        if event is not None:
            self._backends.background.run(self._backends.redis(*_analytics(event)))
        return Page(found, Cache.BUILT)

    async def profile(self, user: str, *, past_caches: bool = False) -> tuple[User, Page] | None:
        """None if there is no such user."""
        if past_caches:
            return await self._built_profile(user, Cache.FALLBACK)
        try:
            looked = await self._timelines.look(Kind.PROFILE, user, ("GET", f"user:{user}"))
            (known,) = looked.extra
            if looked.ids and known:
                page = Page(*await self._timelines.page(looked.ids))
                return msgspec.json.decode(known, type=User), page
        except DependencyError as error:
            self._on_cache_loss(error)
            return await self._built_profile(user, Cache.FALLBACK)
        built = await self._built_profile(user, Cache.BUILT)
        if built is not None:
            known_user = (f"user:{user}", msgspec.json.encode(built[0]))
            self._timelines.fill(Kind.PROFILE, user, built[1].posts, looked, also=known_user)
        return built

    async def posts_of(self, user: str) -> Listing:
        """Straight from Postgres, newest first."""
        posts = posts_of(await self._backends.postgres("posts_of", user))
        return Listing(posts[:LISTED], whole=len(posts) <= LISTED)

    async def notifications(self, user: str) -> tuple[list[Notification], Cache]:
        async def build() -> list[Notification]:
            rows = await self._backends.postgres("notifications", user)
            return [Notification(row["id"], row["text"], row["created_at"], row["seen"]) for row in rows]

        return await self._cached(f"notifications:{user}", NOTIFICATIONS_TTL_S, list[Notification], build)

    async def search(self, word: str) -> tuple[list[Post], Cache]:
        async def build() -> list[Post]:
            return posts_of(await self._backends.postgres("search", word))

        return await self._cached(f"search:{word}", SEARCH_TTL_S, list[Post], build)

    async def suggestions(self, user: str) -> tuple[list[Suggestion], Cache]:
        async def build() -> list[Suggestion]:
            rows = await self._backends.postgres("suggestions", user)
            return [Suggestion(row["id"], row["mutual"]) for row in rows]

        return await self._cached(f"suggestions:{user}", SUGGESTIONS_TTL_S, list[Suggestion], build)

    async def trends(self) -> tuple[list[str], Cache]:
        async def build() -> list[str]:
            rows = await self._backends.postgres("trends", self._region)
            return msgspec.json.decode(rows[0]["topics"], type=list[str]) if rows else []

        return await self._cached("trends", SEARCH_TTL_S, list[str], build)

    async def _fill_home(self, user: str, found: Sequence[Post], looked: Looked) -> None:
        """Whom the user follows is read after the posts: a change in between outdates both."""
        followees = [row["followee"] for row in await self._backends.postgres("followees", user)]
        self._timelines.fill(Kind.HOME, user, found, looked, also=pulled.follows(user, followees))

    async def _built_profile(self, user: str, cache: Cache) -> tuple[User, Page] | None:
        rows = await self._backends.postgres("profile", user)
        if not rows:
            return None
        first = rows[0]
        known = User(first["user_id"], first["name"], first["bio"], first["home_region"])
        return known, Page(posts_of(rows), cache)

    async def _cached(self, key: str, ttl_s: int, kind: Any, build: Callable[[], Awaitable[Any]]) -> tuple[Any, Cache]:
        try:
            (blob,) = await self._backends.redis(("GET", key))
        except DependencyError as error:
            self._on_cache_loss(error)
            return await build(), Cache.FALLBACK
        if blob:
            return msgspec.json.decode(blob, type=kind), Cache.REDIS
        value = await build()
        self._backends.background.run(self._backends.redis(("SETEX", key, ttl_s, msgspec.json.encode(value))))
        return value, Cache.BUILT


def _analytics(event: str | None) -> tuple[Command, ...]:
    if event is None:
        return ()
    return ("LPUSH", "analytics", event), ("LTRIM", "analytics", 0, ANALYTICS_KEPT - 1)
