"""Single flight: of those who ask for the same thing at once, one makes it and all get it.

Who may share is the caller's business, by the key: with the generation that was seen in it, nobody is given what was
begun before a change that they know of.
"""

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import Context
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from reference_system.data import errands
from reference_system.data.errands import Errand
from reference_system.data.redis_client import TIMEOUT_S

T = TypeVar("T")
LINGER_S = TIMEOUT_S  # as long as it may take to fill Redis

Build = Callable[[], Coroutine[Any, Any, T]]


@dataclass(frozen=True, slots=True)
class _Flight:
    errand: Errand
    task: asyncio.Task[Any]


class Flights:
    """A flight is as important as the most important of those who wait for it, and is waited for as long as any of them
    waits. What it brought is given for `linger_s` more to those who found nothing in the cache just before it was
    filled."""

    def __init__(self, *, linger_s: float = LINGER_S) -> None:
        self._linger_s = linger_s
        self._flying: dict[str, _Flight] = {}
        self._tasks: set[asyncio.Task[Any]] = set()  # also those that nobody may join any more

    async def shared(self, key: str, build: Build[T], *, lingers: bool = True) -> T:
        """Raises what building raises, to all. A caller that gives up leaves it to those who still wait. What is too
        personal to be in a process' memory does not linger."""
        asking = errands.current()
        flight = self._flying.get(key)
        if flight is None:
            errand = Errand(priority=asking.priority, deadline_s=asking.deadline_s)
            task = asyncio.create_task(_built(errand, build), context=Context())
            flight = self._flying[key] = _Flight(errand, task)
            self._tasks.add(task)
            task.add_done_callback(partial(self._landed, key, flight, self._linger_s if lingers else 0.0))
        flight.errand.deadline_s = max(flight.errand.deadline_s, asking.deadline_s)
        flight.errand.priority = min(flight.errand.priority, asking.priority)
        found: T = await asyncio.shield(flight.task)
        return found

    def under_way(self, key: str) -> bool:
        """Whether who asks for this now is given what is made, or has just been made, for another one."""
        return key in self._flying

    def forget(self) -> None:
        """Nobody is given any more what was begun before: what the keys stand for has lost its meaning."""
        self._flying.clear()

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _landed(self, key: str, flight: _Flight, linger_s: float, ended: asyncio.Task[Any]) -> None:
        self._tasks.discard(ended)
        failed = ended.cancelled() or ended.exception() is not None  # looked at: all who asked may have gone
        if failed or not linger_s:
            self._drop(key, flight)
        else:
            asyncio.get_running_loop().call_later(linger_s, self._drop, key, flight)

    def _drop(self, key: str, flight: _Flight) -> None:
        if self._flying.get(key) is flight:
            del self._flying[key]


async def _built(errand: Errand, build: Build[T]) -> T:
    errands.begin(errand)
    return await build()
