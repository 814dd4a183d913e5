"""Work that nobody waits for, kept and bounded: filling a cache after a miss."""

import asyncio
from collections.abc import Coroutine
from typing import Any

from reference_system.data.dependency import DependencyError

MOST_TASKS = 200  # beyond that fills are dropped: a cache that is not filled costs a miss, not an error


class Background:
    """Keeps its tasks until they end. A dependency that is away is expected here and ends a task quietly."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def run(self, work: Coroutine[Any, Any, object]) -> None:
        if len(self._tasks) >= MOST_TASKS:
            work.close()
            return
        task = asyncio.create_task(_quietly(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _quietly(work: Coroutine[Any, Any, object]) -> None:
    try:
        await work
    except DependencyError:
        return
