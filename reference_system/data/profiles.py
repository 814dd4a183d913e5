"""Somebody's public profile, from the nearest layer that has it: this process, Redis and this host's disk, the
database.

Redis has the list of posts and the version of the user's data, the disk the data under that version: so an edit
switches at once, whatever older copies hosts still have. Upper layers are filled on the way back. What is read here is
the same for everybody; what a viewer filters comes after it.

A page of the last day, from the disk, is the last resort when neither store answers.
"""

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, replace

import msgspec

from reference_system.data.backends import Backends, DependencyError
from reference_system.data.connection_gate import PoolBusyError
from reference_system.data.dependency import ExpiredError
from reference_system.data.disk_cache import DiskCache
from reference_system.data.flights import Flights
from reference_system.data.keys import data_key, user_prefix, version_key
from reference_system.data.posts import Post
from reference_system.data.process_cache import ProcessCache, Reading
from reference_system.data.timelines import Cache, Kind, Looked, Timelines, list_key, posts_of
from reference_system.data.values import OnCacheLoss

IN_PROCESS_S = 30.0  # specification, section 2
NOBODY = b"nobody"  # in the place of the version: there is no such user; whoever comes to be one has it forgotten
NOBODY_LIVES_S = 30.0
IN_PROCESS_AT_MOST = 500  # profiles: a few megabytes, and more than are hot


class User(msgspec.Struct, frozen=True):
    id: str
    name: str
    bio: str
    home_region: str


class Page(msgspec.Struct, frozen=True):
    """A whole profile as the disk keeps it; `age_s`: when it came there."""

    user: User
    posts: list[Post]
    age_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Profile:
    user: User
    posts: Sequence[Post]
    cache: Cache
    age_s: float | None = None  # since it was made, where a cache had it


class Profiles:
    def __init__(
        self,
        backends: Backends,
        *,
        timelines: Timelines,
        disk: DiskCache,
        flights: Flights,
        on_cache_loss: OnCacheLoss,
    ) -> None:
        self._backends = backends
        self._timelines = timelines
        self._disk = disk
        self._flights = flights
        self._on_cache_loss = on_cache_loss
        self._process: ProcessCache[Profile] = ProcessCache(
            ttl_s=IN_PROCESS_S, most=IN_PROCESS_AT_MOST, requests=backends.cache_requests
        )

    async def of(self, user: str, *, fresh: bool = False, past_caches: bool = False) -> Profile | None:
        """None if there is no such user. `fresh`: the viewer may have changed it just now, and other replicas hear of
        that a moment later. Raises DependencyError when no layer has it.
        """
        if past_caches:
            return await self._or_the_last_page(user, self._built(user, Cache.FALLBACK))
        if fresh:
            return await self._from_stores(user, alone=True)
        known = self._process.get(user, _now_s())
        if known is not None:
            return replace(known.value, cache=Cache.PROCESS, age_s=(known.value.age_s or 0.0) + known.age_s)
        reading = self._process.reading(user)
        found = await self._from_stores(user, alone=False)
        if found is not None and found.cache in (Cache.REDIS, Cache.BUILT, Cache.JOINED):
            self._keep(found, reading)
        return found

    def changes_are_heard(self) -> None:
        """From now on. Pages from before may have been changed since; the user data goes by its version."""
        self._process.open()
        self._backends.background.run_surely(self._disk.forget_under(list_key(Kind.PROFILE, "")))

    def changes_are_not_heard(self) -> None:
        self._process.close()

    def forget_page(self, user: str) -> None:
        self._process.forget(user)
        self._backends.background.run_surely(self._disk.forget(list_key(Kind.PROFILE, user)))

    def forget_everything(self, user: str) -> None:
        self.forget_page(user)
        self._backends.background.run_surely(self._disk.forget_under(user_prefix(user)))

    def _keep(self, found: Profile, reading: Reading) -> None:
        if self._process.keep(found.user.id, found, reading, _now_s()):
            page = Page(found.user, list(found.posts), found.age_s or 0.0)
            self._backends.background.run(self._disk.put(list_key(Kind.PROFILE, found.user.id), page))

    async def _from_stores(self, user: str, *, alone: bool) -> Profile | None:
        looked = None
        try:
            looked = await self._timelines.look(Kind.PROFILE, user, ("GET", version_key(user)))
            if looked.extra == [NOBODY]:
                return None
            known = await self._known(user, looked)
            if known is not None:
                return known
        except (ExpiredError, PoolBusyError):
            raise  # nobody waits, or others go first: no reason to ask the database again, or to show what is old
        except DependencyError as error:
            self._on_cache_loss(error)
            looked = None
        made = self._made_without_redis(user, alone=alone) if looked is None else self._made(user, looked)
        return await self._or_the_last_page(user, made)

    async def _or_the_last_page(self, user: str, made: Awaitable[Profile | None]) -> Profile | None:
        """From this host's disk, where neither store answers."""
        try:
            return await made
        except (ExpiredError, PoolBusyError):
            raise
        except DependencyError:
            last = await self._disk.get(list_key(Kind.PROFILE, user), Page)
            if last is None:
                raise
            return Profile(last.value.user, last.value.posts, Cache.DISK, last.value.age_s + last.age_s)

    async def _known(self, user: str, looked: Looked) -> Profile | None:
        (version,) = looked.extra
        if not looked.cached or not version:
            return None
        data = await self._disk.get(data_key(user, version.decode()), User)
        if data is None:
            return None
        posts, cache = await self._timelines.page(looked.ids)
        return Profile(data.value, posts, cache, looked.age_s if cache is Cache.REDIS else None)

    async def _made(self, user: str, looked: Looked) -> Profile | None:
        """By one for all who have seen the same generation: none of them knows of a later change."""
        key = f"{list_key(Kind.PROFILE, user)} {looked.generation.decode()}"
        joined = self._flights.under_way(key)
        made = await self._flights.shared(key, lambda: self._built(user, Cache.BUILT, looked))
        return replace(made, cache=Cache.JOINED) if made is not None and joined else made

    async def _made_without_redis(self, user: str, *, alone: bool) -> Profile | None:
        if alone:
            return await self._built(user, Cache.FALLBACK)
        return await self._flights.shared(list_key(Kind.PROFILE, user), lambda: self._built(user, Cache.FALLBACK))

    async def _built(self, user: str, cache: Cache, looked: Looked | None = None) -> Profile | None:
        """From the database; `looked` is what Redis lacked, and gets."""
        rows = await self._backends.postgres("profile", user)
        self._backends.builds.labels(Kind.PROFILE).inc()
        if not rows:
            if looked is not None:
                nobody = (version_key(user), NOBODY)
                self._timelines.fill(Kind.PROFILE, user, [], looked, also=nobody, lives_s=NOBODY_LIVES_S)
            return None
        first = rows[0]
        data = User(first["user_id"], first["name"], first["bio"], first["home_region"])
        posts, version = posts_of(rows), first["version"]
        if looked is not None:
            also = (version_key(user), version.encode())
            self._timelines.fill(Kind.PROFILE, user, posts, looked, also=also)
        self._backends.background.run(self._disk.put(data_key(user, version), data))
        return Profile(data, posts, cache)


def _now_s() -> float:
    return asyncio.get_running_loop().time()
