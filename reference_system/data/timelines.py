"""Timelines in Redis: lists of post ids by user, read in two round trips, built from Postgres on a miss.

`home_tl:{user}` lives 60 s, `profile_tl:{user}` 300 s. A list that is built while somebody posts could miss that post
for its whole life; so every push raises a generation, and a built list is stored only if the generation is still the
one seen before the build. Which order and which parts of a post are shown is not decided here.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from reference_system.data import posts as post_codec
from reference_system.data.backends import Backends, DependencyError
from reference_system.data.postgres import Record
from reference_system.data.posts import Post
from reference_system.data.resp import Command, Reply
from reference_system.data.statements import PAGE

KEEP = 40  # ids in a list: pushes arrive slightly out of order and more than once, a page needs PAGE of them
TWEET_TTL_S = 3600

# KEYS: generation, list. ARGV: generation seen, TTL, ids newest first.
_STORE_UNLESS_OUTDATED = """
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[2])
redis.call('RPUSH', KEYS[2], unpack(ARGV, 3))
redis.call('EXPIRE', KEYS[2], ARGV[2])
return 1
"""

# KEYS: none, they follow from the readers. ARGV: kind, TTL, ids kept, post, readers. The same as `pushes` for each.
_PUSH_TO_MANY = """
for n = 5, #ARGV do
  local generation, list = ARGV[1] .. '_gen:' .. ARGV[n], ARGV[1] .. '_tl:' .. ARGV[n]
  redis.call('INCR', generation)
  redis.call('EXPIRE', generation, 2 * ARGV[2])
  redis.call('LPUSHX', list, ARGV[4])
  redis.call('LTRIM', list, 0, ARGV[3] - 1)
end
return #ARGV - 4
"""
READERS_A_PUSH = 500  # Redis does nothing else meanwhile: about two milliseconds


class Kind(StrEnum):
    HOME = "home"
    PROFILE = "profile"


TTL_S = {Kind.HOME: 60, Kind.PROFILE: 300}


class Cache(StrEnum):
    """What the header `X-Cache` says."""

    REDIS = "redis"
    BUILT = "built"
    FALLBACK = "fallback"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Looked:
    """The first round trip: the list's ids, its generation, and replies to what the caller asked along with it."""

    ids: list[str]
    generation: bytes
    extra: list[Reply]


class Timelines:
    def __init__(self, backends: Backends) -> None:
        self._backends = backends
        self._counters = {
            result: backends.cache_requests.labels("redis", result) for result in ("hit", "miss", "unavailable")
        }

    async def look(self, kind: Kind, user: str, *extra: Command) -> Looked:
        commands: tuple[Command, ...] = (
            ("GET", f"{kind}_gen:{user}"),
            ("LRANGE", f"{kind}_tl:{user}", 0, KEEP - 1),
            *extra,
        )
        try:
            generation, ids, *replies = await self._backends.redis(*commands)
        except DependencyError:
            self._counters["unavailable"].inc()
            raise
        self._counters["hit" if ids else "miss"].inc()
        return Looked([post.decode() for post in dict.fromkeys(ids)], generation or b"", replies)

    async def page(self, ids: Sequence[str], *extra: Command) -> tuple[list[Post], Cache]:
        """The newest posts among the ids, from the tweet cache; those it lacks come from Postgres."""
        blobs, *_ = await self._backends.redis(("MGET", *(f"tweet:{post}" for post in ids)), *extra)
        known = [post_codec.decoded(blob) for blob in blobs if blob]
        missing = [post for post, blob in zip(ids, blobs, strict=True) if not blob]
        if not missing:
            return post_codec.newest_first(known)[:PAGE], Cache.REDIS
        rows = await self._backends.postgres("posts", missing)
        found = [post_codec.from_row(row) for row in rows]
        if found:
            self._backends.background.run(self._backends.redis(*_keep_tweets(found)))
        return post_codec.newest_first(known + found)[:PAGE], Cache.BUILT

    def fill(self, kind: Kind, user: str, page: Sequence[Post], looked: Looked) -> None:
        """Store a built list and its posts, in the background."""
        if not page:
            return
        keys = (f"{kind}_gen:{user}", f"{kind}_tl:{user}")
        ids = [post.id for post in page]
        store: Command = ("EVAL", _STORE_UNLESS_OUTDATED, 2, *keys, looked.generation, TTL_S[kind], *ids)
        self._backends.background.run(self._backends.redis(*_keep_tweets(page), store))


def pushes(kind: Kind, user: str, post_id: str) -> tuple[Command, ...]:
    """The commands that put a new post on top of a list, if that is cached, and outdate builds under way."""
    generation, key = f"{kind}_gen:{user}", f"{kind}_tl:{user}"
    return (
        ("INCR", generation),
        ("EXPIRE", generation, 2 * TTL_S[kind]),
        ("LPUSHX", key, post_id),
        ("LTRIM", key, 0, KEEP - 1),
    )


def pushes_to_many(kind: Kind, readers: Sequence[str], post_id: str) -> list[Command]:
    """`pushes` for many readers, as few commands."""
    return [
        ("EVAL", _PUSH_TO_MANY, 0, kind, TTL_S[kind], KEEP, post_id, *readers[start : start + READERS_A_PUSH])
        for start in range(0, len(readers), READERS_A_PUSH)
    ]


def keep_tweet(post: Post) -> Command:
    return ("SETEX", f"tweet:{post.id}", TWEET_TTL_S, post_codec.encoded(post))


def _keep_tweets(found: Iterable[Post]) -> tuple[Command, ...]:
    return tuple(keep_tweet(post) for post in found)


def posts_of(rows: Iterable[Record]) -> list[Post]:
    return [post_codec.from_row(row) for row in rows if row["id"] is not None]
