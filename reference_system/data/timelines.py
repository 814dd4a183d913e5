"""Timelines in Redis: post ids by user and time, read in two round trips, built from Postgres on a miss.

`home_tl:{user}` lives at most 60 s, `profile_tl:{user}` 300 s. A list that is built while somebody posts could miss
that post for its whole life; so every push raises a generation, and a built list is stored only if the generation is
still the one seen before the build. A post finds its place by its time, however late it comes and however often: what
arrives when a link has healed pushes nothing newer out. A deleted post stays in lists; the tweet cache says that it is
deleted, and readers leave it out. Which order and which parts of a post are shown is not decided here.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from reference_system.data import posts as post_codec
from reference_system.data.announcements import page_changed
from reference_system.data.backends import Backends, DependencyError
from reference_system.data.dependency import ExpiredError
from reference_system.data.generations import forget_value, seen_generation
from reference_system.data.keys import search_key
from reference_system.data.lifetimes import age_s, ttl_ms
from reference_system.data.postgres import Record
from reference_system.data.posts import Post
from reference_system.data.resp import Command, Reply
from reference_system.data.statements import PAGE
from reference_system.policies.write_token import US_PER_S

KEEP = 40  # ids in a list: a page needs PAGE of them, and deleted ones are among them
TWEET_TTL_S = 3600  # longer than any list lives, so a deleted post's mark outlasts the lists that it is in
DELETED = b""  # in the place of the post
NOTHING = "-"  # in a list that would be empty, since Redis keeps none of those; readers leave it out

# KEYS: generation, list, and a key to be stored along with it, if any. ARGV: generation seen, TTL in milliseconds, that
# key's value, times and ids by turns.
_STORE_UNLESS_OUTDATED = """
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[2])
redis.call('ZADD', KEYS[2], unpack(ARGV, 4))
redis.call('PEXPIRE', KEYS[2], ARGV[2])
if KEYS[3] then redis.call('PSETEX', KEYS[3], ARGV[2], ARGV[3]) end
return 1
"""

# KEYS: of posts. ARGV: for each its TTL in milliseconds and the post. Who read a post before it was deleted must not
# bring it back.
_KEEP_UNLESS_DELETED = """
for n, key in ipairs(KEYS) do
  if redis.call('GET', key) ~= '' then redis.call('PSETEX', key, ARGV[2 * n - 1], ARGV[2 * n]) end
end
return 1
"""

# KEYS: list. ARGV: time, post, ids kept. May be done twice.
_ADD_IF_CACHED = """
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('ZADD', KEYS[1], ARGV[1], ARGV[2])
redis.call('ZREMRANGEBYRANK', KEYS[1], 0, -ARGV[3] - 1)
return 1
"""

# KEYS: none, they follow from the readers. ARGV: TTL, ids kept, time, post, author, readers. The same as `pushes` for
# each of their home timelines, except where a list is of somebody who follows the author no more: who the readers are
# was asked when the post's turn came, and a list is built together with whom its reader follows (`pulled.py`). Gives
# the readers whose list refused it, with Redis' reason; one that does is no reason to leave the others out.
_PUSH_TO_MANY = """
local author, refused = ARGV[5], {}
local function wants(reader)
  if reader == author then return true end
  local follows = redis.call('GET', 'home_follows:' .. reader)
  return not follows or string.find(',' .. follows .. ',', ',' .. author .. ',', 1, true)
end
for n = 6, #ARGV do
  local generation, list = 'home_gen:' .. ARGV[n], 'home_tl:' .. ARGV[n]
  redis.call('INCR', generation)
  redis.call('EXPIRE', generation, 2 * ARGV[1])
  if redis.call('EXISTS', list) == 1 and wants(ARGV[n]) then
    local added = redis.pcall('ZADD', list, ARGV[3], ARGV[4])
    if type(added) == 'table' then
      refused[#refused + 1] = ARGV[n]
      refused[#refused + 1] = added.err
    else
      redis.call('ZREMRANGEBYRANK', list, 0, -ARGV[2] - 1)
    end
  end
end
return refused
"""


class Kind(StrEnum):
    HOME = "home"
    PROFILE = "profile"


TTL_S = {Kind.HOME: 60, Kind.PROFILE: 300}


class Cache(StrEnum):
    """What the header `X-Cache` of a replica says: the layer that had it, or where it was made, perhaps for another
    request that this one joined. A fallback: Redis was out of reach, or has been until a moment ago."""

    PROCESS = "process"
    REDIS = "redis"
    DISK = "disk"
    BUILT = "built"
    JOINED = "joined"
    FALLBACK = "fallback"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Looked:
    """The first round trip: the list's ids, generation and age, and replies to what the caller asked along with it.
    `cached`: the list is there, if only to say that it is empty."""

    ids: list[str]
    cached: bool
    generation: bytes
    age_s: float | None
    extra: list[Reply]


class Timelines:
    def __init__(self, backends: Backends) -> None:
        self._backends = backends
        self._counters = {
            result: backends.cache_requests.labels("redis", result) for result in ("hit", "miss", "unavailable")
        }

    async def look(self, kind: Kind, user: str, *extra: Command) -> Looked:
        key = list_key(kind, user)
        asked: tuple[Command, ...] = (
            *seen_generation(_generation_key(kind, user), lives_s=2 * TTL_S[kind]),
            ("ZREVRANGE", key, 0, KEEP - 1),
            ("PTTL", key),
            *extra,
        )
        try:
            _, generation, ids, left_ms, *replies = await self._backends.redis(*asked)
        except DependencyError as error:
            if not isinstance(error, ExpiredError):  # that says nothing about Redis
                self._counters["unavailable"].inc()
            raise
        self._counters["hit" if ids else "miss"].inc()
        found = [post.decode() for post in ids if post != NOTHING.encode()]
        return Looked(found, bool(ids), generation, age_s(key, TTL_S[kind], left_ms), replies)

    async def page(self, ids: Sequence[str], *extra: Command) -> tuple[list[Post], Cache]:
        """The newest posts among the ids, from the tweet cache; those it lacks come from Postgres."""
        if not ids:
            if extra:
                await self._backends.redis(*extra)
            return [], Cache.REDIS
        blobs, *_ = await self._backends.redis(("MGET", *map(tweet_key, ids)), *extra)
        known = [post_codec.decoded(blob) for blob in blobs if blob]
        missing = [post for post, blob in zip(ids, blobs, strict=True) if blob is None]
        if not missing:
            return post_codec.newest_first(known)[:PAGE], Cache.REDIS
        rows = await self._backends.postgres("posts", missing)
        found = [post_codec.from_row(row) for row in rows]
        if found:
            self._backends.background.run(self._backends.redis(keep_tweets(found)))
        return post_codec.newest_first(known + found)[:PAGE], Cache.BUILT

    def fill(
        self,
        kind: Kind,
        user: str,
        page: Sequence[Post],
        looked: Looked,
        also: tuple[str, bytes] | None = None,
        *,
        lives_s: float | None = None,
    ) -> None:
        """Store a built list and its posts, in the background; an empty one, too. `also`: a key and its value, outdated
        with the list. `lives_s`: instead of the kind's time."""
        keys, value = [_generation_key(kind, user), list_key(kind, user)], b""
        if also is not None:
            keys, value = [*keys, also[0]], also[1]
        timed = [word for post in page for word in (_at_us(post), post.id)] or [0, NOTHING]
        values: Command = (looked.generation, ttl_ms(keys[1], lives_s or TTL_S[kind]), value, *timed)
        store: Command = ("EVAL", _STORE_UNLESS_OUTDATED, len(keys), *keys, *values)
        posts = (keep_tweets(page),) if page else ()
        self._backends.background.run(self._backends.redis(*posts, store))


def list_key(kind: Kind, user: str) -> str:
    return f"{kind}_tl:{user}"


def tweet_key(post_id: str) -> str:
    return f"tweet:{post_id}"


def _generation_key(kind: Kind, user: str) -> str:
    return f"{kind}_gen:{user}"


def _at_us(post: Post) -> int:
    """Redis keeps whole numbers in half the room."""
    return int(post.created_at * US_PER_S)


def pushes(kind: Kind, user: str, post: Post) -> tuple[Command, ...]:
    """The commands that put a post into a list, if that is cached, and outdate builds under way."""
    generation, key = _generation_key(kind, user), list_key(kind, user)
    return (
        ("INCR", generation),
        ("EXPIRE", generation, 2 * TTL_S[kind]),
        ("EVAL", _ADD_IF_CACHED, 1, key, _at_us(post), post.id, KEEP),
        *told(kind, user),
    )


def push_to_many(readers: Sequence[str], post: Post) -> Command:
    """`pushes` to the home timelines of those who follow the author, as one command; the reply is for `refused_of`.
    Redis does nothing else meanwhile: about two milliseconds for 500."""
    return ("EVAL", _PUSH_TO_MANY, 0, TTL_S[Kind.HOME], KEEP, _at_us(post), post.id, post.author, *readers)


def refused_of(reply: list[bytes]) -> dict[str, str]:
    """Reader → why Redis did not take the post into that reader's list."""
    words = [word.decode() for word in reply]
    return dict(zip(words[::2], words[1::2], strict=True))


def forget(kind: Kind, user: str) -> tuple[Command, ...]:
    """The commands after which the list has to be built anew, also where somebody is building it now."""
    generation = _generation_key(kind, user)
    return (
        ("INCR", generation),
        ("EXPIRE", generation, 2 * TTL_S[kind]),
        ("DEL", list_key(kind, user)),
        *told(kind, user),
    )


def told(kind: Kind, user: str) -> tuple[Command, ...]:
    """Behind a change of a list: replicas may have profiles in their own memory, and nobody's home timeline."""
    return (page_changed(user),) if kind is Kind.PROFILE else ()


def mark_deleted(post_id: str) -> Command:
    return ("SETEX", tweet_key(post_id), TWEET_TTL_S, DELETED)


def withdraw(post_id: str, author: str | None, words: Sequence[str] | None) -> tuple[Command, ...]:
    """The commands after which nobody is shown a deleted post. Followers' lists keep its id, readers leave it out.

    Author and words are None where the deletion has come before the post.
    """
    return (
        mark_deleted(post_id),
        *(forget(Kind.PROFILE, author) if author else ()),
        *(command for word in words or () for command in forget_value(search_key(word))),
    )


def keep_tweets(posts: Iterable[Post]) -> Command:
    kept = {tweet_key(post.id): post_codec.encoded(post) for post in posts}
    values = [word for key, post in kept.items() for word in (ttl_ms(key, TWEET_TTL_S), post)]
    return ("EVAL", _KEEP_UNLESS_DELETED, len(kept), *kept, *values)


def posts_of(rows: Iterable[Record]) -> list[Post]:
    return [post_codec.from_row(row) for row in rows if row["id"] is not None]
