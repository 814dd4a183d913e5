"""Values in Redis by key: what is not a timeline, each kind with its TTL, and perhaps served stale while it is made
anew.

A value that is built while it changes could miss the change for its whole life; so forgetting a key raises a generation
(`generations.py`), and a built value is stored only if the generation is still the one seen before the build.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import msgspec

from reference_system.data.backends import Backends, DependencyError
from reference_system.data.dependency import ExpiredError
from reference_system.data.flights import Flights
from reference_system.data.generations import OUTLIVES_S, generation_key, seen_generation
from reference_system.data.lifetimes import age_s, ttl_ms
from reference_system.data.resp import Command
from reference_system.data.timelines import Cache

T = TypeVar("T")
OnCacheLoss = Callable[[DependencyError], None]

# KEYS: generation, key. ARGV: generation seen, TTL in milliseconds, value.
_STORE_UNLESS_OUTDATED = """
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
redis.call('PSETEX', KEYS[2], ARGV[2], ARGV[3])
return 1
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueKind:
    """`name` is what its builds are counted as. After `fresh_s` a value may be served for `stale_for_s` more."""

    name: str
    of: Any  # type that its JSON is decoded to
    fresh_s: float
    stale_for_s: float = 0.0
    public: bool = False

    @property
    def lives_s(self) -> float:
        return self.fresh_s + self.stale_for_s


@dataclass(frozen=True, slots=True)
class Value(Generic[T]):
    value: T
    cache: Cache
    age_s: float | None = None


class Values:
    def __init__(self, backends: Backends, flights: Flights, *, on_cache_loss: OnCacheLoss) -> None:
        self._backends = backends
        self._flights = flights
        self._on_cache_loss = on_cache_loss
        self._count = {
            result: backends.cache_requests.labels("redis", result)
            for result in ("hit", "miss", "stale", "unavailable")
        }

    async def get(
        self, kind: ValueKind, key: str, build: Callable[[], Awaitable[Any]], *, past_caches: bool = False
    ) -> Value[Any]:
        """From Redis, or built; by itself with `past_caches`. Raises DependencyError when neither is possible."""
        if past_caches:
            return Value(await self._counted(kind, build), Cache.FALLBACK)
        try:
            _, seen, blob, left_ms = await self._backends.redis(
                *seen_generation(generation_key(key), lives_s=OUTLIVES_S), ("GET", key), ("PTTL", key)
            )
        except ExpiredError:
            raise  # says nothing about Redis
        except DependencyError as error:
            self._count["unavailable"].inc()
            self._on_cache_loss(error)
            return Value(await self._without_redis(kind, key, build), Cache.FALLBACK)
        if not blob:
            self._count["miss"].inc()
            cache = Cache.JOINED if self._flights.under_way(_flight(key, seen)) else Cache.BUILT
            return Value(await self._built(kind, key, seen, build), cache)
        age = age_s(key, kind.lives_s, left_ms)
        stale = age is not None and 1000 * age > ttl_ms(key, kind.fresh_s)
        self._count["stale" if stale else "hit"].inc()
        if stale:
            self._backends.background.run(self._built(kind, key, seen, build))
        return Value(msgspec.json.decode(blob, type=kind.of), Cache.REDIS, age)

    async def _built(self, kind: ValueKind, key: str, generation: bytes, build: Callable[[], Awaitable[Any]]) -> Any:
        """By one for all who have seen the same generation: none of them knows of a later change."""

        async def build_and_store() -> Any:
            value = await self._counted(kind, build)
            store: Command = ("EVAL", _STORE_UNLESS_OUTDATED, 2, generation_key(key), key, generation)
            lives = (ttl_ms(key, kind.lives_s), msgspec.json.encode(value))
            self._backends.background.run(self._backends.redis((*store, *lives)))
            return value

        return await self._flights.shared(_flight(key, generation), build_and_store)

    async def _without_redis(self, kind: ValueKind, key: str, build: Callable[[], Awaitable[Any]]) -> Any:
        """Nobody knows who may share then: what is public may be a moment old, what is personal may not."""
        if kind.public:
            return await self._flights.shared(key, lambda: self._counted(kind, build))
        return await self._counted(kind, build)

    async def _counted(self, kind: ValueKind, build: Callable[[], Awaitable[Any]]) -> Any:
        value = await build()
        self._backends.builds.labels(kind.name).inc()
        return value


def _flight(key: str, generation: bytes) -> str:
    return f"{key} {generation.decode()}"
