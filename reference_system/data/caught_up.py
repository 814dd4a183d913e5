"""Up to when a region's caches have everything that a region wrote, as its worker says (Redis hash `caught_up`).

The worker reads the other regions' heartbeats and the time, brings all that is queued to the caches, and then writes
what it had read: so an entry as new as a write proves that a read from these caches sees it. Entries only grow: what
the caches lose is built again from a database that has it. Without Redis reads are made from the database, and its
heartbeats count.

What was written here the caches have from the answer on, except where Redis could not be told: then the entry of the
region itself proves it.
"""

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from reference_system.data.backends import DependencyError
from reference_system.data.heartbeats import Heartbeats, heartbeat_us
from reference_system.data.resp import Reply
from reference_system.policies.regions import Region
from reference_system.policies.write_token import WriteToken

KEY = "caught_up"
Send = Callable[..., Awaitable[list[Reply]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Proofs:
    """`of_caches`: else they are the database's, and prove nothing for a read from the caches."""

    at_us: Mapping[Region, int]
    of_caches: bool = True


class CaughtUp:
    """Of `region`. `redis` sends commands, as `Backends.redis`."""

    def __init__(self, redis: Send, heartbeats: Heartbeats, *, region: Region) -> None:
        self._region = region
        self._redis = redis
        self._heartbeats = heartbeats
        self._known: dict[Region, int] = {}

    async def proofs(self, tokens: Collection[WriteToken]) -> Proofs:
        """Asks Redis only if what is known does not prove the tokens' writes."""
        if any(self._known.get(token.region, -1) < token.at_us for token in tokens):
            try:
                (entries,) = await self._redis(("HGETALL", KEY))
            except DependencyError:
                return await self._proofs_of_the_database()
            self._learn(entries)
        return Proofs(at_us=self._known)

    async def were_told(self, tokens: Iterable[WriteToken]) -> bool:
        """Whether the caches have what was written here, as far as the tokens go."""
        untold = [token for token in tokens if token.region is self._region and not token.told]
        if not untold:
            return True
        proofs = await self.proofs(untold)
        return proofs.of_caches and all(proofs.at_us.get(token.region, -1) >= token.at_us for token in untold)

    def _learn(self, entries: list[bytes]) -> None:
        for name, at in zip(entries[::2], entries[1::2], strict=True):
            region, at_us = Region(name.decode()), heartbeat_us(float(at))
            self._known[region] = max(at_us, self._known.get(region, -1))

    async def _proofs_of_the_database(self) -> Proofs:
        try:
            heard = await self._heartbeats.heard()
        except DependencyError:
            return Proofs(at_us={}, of_caches=False)
        return Proofs(at_us=heard.at_us, of_caches=False)


async def say(redis: Send, at_s: Mapping[str, float]) -> None:
    """The worker's: the caches have what was written before these heartbeats. Raises DependencyError."""
    if at_s:
        await redis(("HSET", KEY, *(word for region, at in at_s.items() for word in (region, repr(at)))))
