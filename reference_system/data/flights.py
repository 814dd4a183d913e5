"""Single flight: of those who ask for the same thing at once, one makes it and all get it.

Who may share is the caller's business, by the key: with the generation that was seen in it, nobody is given what was
begun before a change that they know of.
"""

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import Context
from dataclasses import dataclass
from typing import Any, TypeVar

from reference_system.data import errands
from reference_system.data.errands import Errand

T = TypeVar("T")
Build = Callable[[], Coroutine[Any, Any, T]]


@dataclass(frozen=True, slots=True)
class _Flight:
    errand: Errand
    task: asyncio.Task[Any]


class Flights:
    """A flight is as important as the request that began it, and is waited for as long as any of them waits."""

    def __init__(self) -> None:
        self._flying: dict[str, _Flight] = {}

    async def shared(self, key: str, build: Build[T]) -> T:
        """Raises what building raises, to all. A caller that gives up leaves it to those who still wait."""
        asking = errands.current()
        flight = self._flying.get(key)
        if flight is None:
            errand = Errand(priority=asking.priority, deadline_s=asking.deadline_s)
            task = asyncio.create_task(_built(errand, build), context=Context())
            flight = self._flying[key] = _Flight(errand, task)
            task.add_done_callback(lambda ended: self._landed(key, ended))
        flight.errand.deadline_s = max(flight.errand.deadline_s, asking.deadline_s)
        found: T = await asyncio.shield(flight.task)
        return found

    async def close(self) -> None:
        tasks = [flight.task for flight in self._flying.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _landed(self, key: str, ended: asyncio.Task[Any]) -> None:
        del self._flying[key]
        if not ended.cancelled():
            ended.exception()  # looked at: all who asked may have gone


async def _built(errand: Errand, build: Build[T]) -> T:
    errands.begin(errand)
    return await build()
