"""Single flight: of those who ask for the same thing at once, one makes it and all get it.

Who may share is the caller's business, by the key: with the generation that was seen in it, nobody is given what was
begun before a change that they know of.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
Build = Callable[[], Coroutine[Any, Any, T]]


class Flights:
    def __init__(self) -> None:
        self._flying: dict[str, asyncio.Task[Any]] = {}

    async def shared(self, key: str, build: Build[T]) -> T:
        """Raises what building raises, to all. A caller that gives up leaves it to those who still wait."""
        task: asyncio.Task[T] | None = self._flying.get(key)
        if task is None:
            task = self._flying[key] = asyncio.create_task(build())
            task.add_done_callback(lambda ended: self._landed(key, ended))
        return await asyncio.shield(task)

    async def close(self) -> None:
        tasks = [*self._flying.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _landed(self, key: str, ended: asyncio.Task[Any]) -> None:
        del self._flying[key]
        if not ended.cancelled():
            ended.exception()  # looked at: all who asked may have gone
