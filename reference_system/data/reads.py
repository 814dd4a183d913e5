"""What users read: at most two round trips each when the caches are warm, and Postgres alone when Redis is away.

The number of round trips does not depend on the degradation level, so that slow storage gives a steady latency and a
level does not flap because a feature went off. Which features are on is the caller's business.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from reference_system.data import pulled
from reference_system.data.backends import Backends, DependencyError
from reference_system.data.connection_gate import PoolBusyError
from reference_system.data.dependency import ExpiredError
from reference_system.data.disk_cache import DiskCache
from reference_system.data.filters import Filters
from reference_system.data.flights import Flights
from reference_system.data.hearing import Hearing
from reference_system.data.keys import TRENDS_KEY, notifications_key, search_key, suggestions_key
from reference_system.data.posts import Post
from reference_system.data.profiles import Profiles
from reference_system.data.resp import Command
from reference_system.data.statements import LISTED
from reference_system.data.timelines import Cache, Kind, Looked, Timelines, list_key, posts_of
from reference_system.data.values import OnCacheLoss, Value, ValueKind, Values

ANALYTICS_KEPT = 1000  # newest events, in the Redis list `analytics`


def fall_back(error: DependencyError) -> None:
    """The ordinary way to lose Redis: go on without it."""
    del error


@dataclass(frozen=True, slots=True)
class Page:
    posts: Sequence[Post]
    cache: Cache
    age_s: float | None = None  # since the list was made, where a cache had it


@dataclass(frozen=True, slots=True)
class Listing:
    """`whole`: there are no more."""

    posts: Sequence[Post]
    whole: bool


class Notification(msgspec.Struct, frozen=True):
    """`actor`: the user who has done what it tells."""

    id: str
    actor: str
    text: str
    created_at: float
    seen: bool


class Suggestion(msgspec.Struct, frozen=True):
    id: str
    mutual: int


NOTIFICATIONS = ValueKind(name="notifications", of=list[Notification], fresh_s=10)
SEARCH = ValueKind(name="search", of=list[Post], fresh_s=30, public=True)
# Of no moment: served stale while they are made anew.
TRENDS = ValueKind(name="trends", of=list[str], fresh_s=30, stale_for_s=60, public=True)
SUGGESTIONS = ValueKind(name="suggestions", of=list[Suggestion], fresh_s=300, stale_for_s=86_400)


class Reads:
    """`on_cache_loss` is asked before every fallback; it may raise instead of returning."""

    def __init__(
        self,
        backends: Backends,
        *,
        region: str,
        disk: DiskCache,
        flights: Flights,
        on_cache_loss: OnCacheLoss = fall_back,
    ) -> None:
        self._backends = backends
        self._timelines = Timelines(backends)
        self._flights = flights
        self._values = Values(backends, flights, on_cache_loss=on_cache_loss)
        self._region = region
        self._on_cache_loss = on_cache_loss
        self.hearing = Hearing()
        self.filters = Filters(backends, self._values, self.hearing)
        self.profiles = Profiles(
            backends, timelines=self._timelines, disk=disk, flights=flights, on_cache_loss=on_cache_loss
        )

    async def home(self, user: str, *, event: str | None, past_caches: bool = False) -> Page:
        """The newest posts of those the user follows and the user's own, newest first.

        The cached list has what was pushed; what the reader has to pull comes in the same round trip. An analytics
        event travels with the second round trip; it is best effort and lost when the caches are.
        """
        if past_caches:
            return Page(await self._built_home(user), Cache.FALLBACK)
        try:
            looked = await self._timelines.look(Kind.HOME, user, pulled.look(user))
            (fetched,) = looked.extra
            if looked.cached and fetched is not None:
                ids = dict.fromkeys([*looked.ids, *(post.decode() for post in fetched)])
                posts, cache = await self._timelines.page([*ids], *_analytics(event))
                return Page(posts, cache, looked.age_s if cache is Cache.REDIS else None)
        except (ExpiredError, PoolBusyError):
            raise  # of the database, or of nobody: Redis is not lost
        except DependencyError as error:
            self._on_cache_loss(error)
            return Page(await self._built_home(user), Cache.FALLBACK)
        seen = f"{list_key(Kind.HOME, user)} {looked.generation.decode()}"
        cache = Cache.JOINED if self._flights.under_way(seen) else Cache.BUILT
        found = await self._flights.shared(seen, lambda: self._built_home(user, looked), lingers=False)
        if event is not None:
            self._backends.background.run(self._backends.redis(*_analytics(event)))
        return Page(found, cache)

    def changes_are_heard(self) -> None:
        """From now on, on the channel of Redis."""
        self.profiles.changes_are_heard()
        self.hearing.begins()

    def changes_are_not_heard(self) -> None:
        self._flights.forget()  # those that were shared without Redis know nothing of generations
        self.profiles.changes_are_not_heard()
        self.hearing.ends()

    async def posts_of(self, user: str) -> Listing:
        """Straight from Postgres, newest first."""
        posts = posts_of(await self._backends.postgres("posts_of", user))
        return Listing(posts[:LISTED], whole=len(posts) <= LISTED)

    async def notifications(self, user: str, *, past_caches: bool = False) -> Value[list[Notification]]:
        async def build() -> list[Notification]:
            rows = await self._backends.postgres("notifications", user)
            return [Notification(row["id"], row["actor"], row["text"], row["created_at"], row["seen"]) for row in rows]

        return await self._values.get(NOTIFICATIONS, notifications_key(user), build, past_caches=past_caches)

    async def search(self, word: str) -> Value[list[Post]]:
        async def build() -> list[Post]:
            return posts_of(await self._backends.postgres("search", word))

        return await self._values.get(SEARCH, search_key(word), build)

    async def suggestions(self, user: str, *, past_caches: bool = False) -> Value[list[Suggestion]]:
        async def build() -> list[Suggestion]:
            rows = await self._backends.postgres("suggestions", user)
            return [Suggestion(row["id"], row["mutual"]) for row in rows]

        return await self._values.get(SUGGESTIONS, suggestions_key(user), build, past_caches=past_caches)

    async def trends(self) -> Value[list[str]]:
        async def build() -> list[str]:
            rows = await self._backends.postgres("trends", self._region)
            return msgspec.json.decode(rows[0]["topics"], type=list[str]) if rows else []

        return await self._values.get(TRENDS, TRENDS_KEY, build)

    async def _built_home(self, user: str, looked: Looked | None = None) -> list[Post]:
        """From the database; `looked` is what Redis lacked, and gets."""
        found = posts_of(await self._backends.postgres("home", user))
        self._backends.builds.labels(Kind.HOME).inc()
        if looked is not None:
            self._backends.background.run(self._fill_home(user, found, looked))
        return found

    async def _fill_home(self, user: str, found: Sequence[Post], looked: Looked) -> None:
        """Whom the user follows is read after the posts: a change in between outdates both."""
        followees = [row["followee"] for row in await self._backends.postgres("followees", user)]
        self._timelines.fill(Kind.HOME, user, found, looked, also=pulled.follows(user, followees))


def _analytics(event: str | None) -> tuple[Command, ...]:
    if event is None:
        return ()
    return ("LPUSH", "analytics", event), ("LTRIM", "analytics", 0, ANALYTICS_KEPT - 1)
