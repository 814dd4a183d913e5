"""What a region's database has heard of the other regions: their newest heartbeats, one query for all who ask.

Where another region's heartbeat has arrived, everything has that it committed before. Says nothing about caches; those
are `caught_up`.
"""

import asyncio
import math
from collections.abc import Iterable, Mapping
from contextvars import Context
from dataclasses import dataclass, replace

from reference_system.data.replication import Run
from reference_system.policies.regions import Region
from reference_system.policies.write_token import US_PER_S

SHARED_FOR_S = 0.1  # answers may be this old: however many ask, the database is asked ten times a second


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """`age_s` is as of the answer, at the loop's `asked_s`. A region that was never heard is missing."""

    at_us: Mapping[Region, int]
    age_s: Mapping[Region, float]
    asked_s: float


class Heartbeats:
    """`postgres` runs a statement, as `Backends.postgres`."""

    def __init__(self, postgres: Run, *, others: Iterable[Region]) -> None:
        self._postgres = postgres
        self._others = frozenset(others)
        self._latest: Heard | None = None
        self._asking: asyncio.Task[Heard] | None = None

    async def heard(self) -> Heard:
        """Raises DependencyError. A caller that gives up waiting leaves the query to those who still wait."""
        latest = self._latest
        if latest is not None and asyncio.get_running_loop().time() - latest.asked_s <= SHARED_FOR_S:
            return latest
        if self._asking is None:
            self._asking = asyncio.create_task(self._ask(), context=Context())
            self._asking.add_done_callback(self._answered)
        return await asyncio.shield(self._asking)

    def heard_lately(self, within_s: float) -> Heard | None:
        """The newest answer, with the ages that they have now; None if it is older."""
        now_s = asyncio.get_running_loop().time()
        if self._latest is None or now_s - self._latest.asked_s > within_s:
            return None
        waited_s = now_s - self._latest.asked_s
        return replace(self._latest, age_s={one: age_s + waited_s for one, age_s in self._latest.age_s.items()})

    def greatest_age_s(self) -> float:
        """Of the other regions, as far as is known without asking; infinite where one was never heard."""
        if not self._others:
            return 0.0
        if self._latest is None or not self._others <= self._latest.age_s.keys():
            return math.inf
        waited_s = asyncio.get_running_loop().time() - self._latest.asked_s
        return waited_s + max(self._latest.age_s[other] for other in self._others)

    async def close(self) -> None:
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)

    async def _ask(self) -> Heard:
        asked_s = asyncio.get_running_loop().time()
        rows = [row for row in await self._postgres("heartbeats") if row["region"] in self._others]
        return Heard(
            at_us={Region(row["region"]): heartbeat_us(row["at"]) for row in rows},
            age_s={Region(row["region"]): max(0.0, row["age_s"]) for row in rows},
            asked_s=asked_s,
        )

    def _answered(self, task: asyncio.Task[Heard]) -> None:
        self._asking = None
        if not task.cancelled() and task.exception() is None:
            self._latest = task.result()


def heartbeat_us(at_s: float) -> int:
    """Rounded down: a heartbeat must not prove more than it does."""
    return int(at_s * US_PER_S)
