"""Work that nobody waits for, kept: filling a cache after a miss, which is bounded; forgetting what has changed.

It has no deadline, and is as important as what began it: work for nobody must not take the database from users.
"""

import asyncio
from collections.abc import Coroutine
from contextvars import Context
from typing import Any

from reference_system.data import errands
from reference_system.data.dependency import DependencyError

MOST_TASKS = 200  # beyond that fills are dropped: a cache that is not filled costs a miss, not an error


class Background:
    """Keeps its tasks until they end. A dependency that is away is expected here and ends a task quietly."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[object]] = set()

    def run(self, work: Coroutine[Any, Any, object]) -> None:
        if len(self._tasks) >= MOST_TASKS:
            work.close()
        else:
            self.run_surely(work)

    def run_surely(self, work: Coroutine[Any, Any, object]) -> None:
        """What is wrong if it is left out: not dropped, however much there is."""
        context = Context()
        context.run(errands.begin, errands.Errand(priority=errands.current().priority))
        task = asyncio.create_task(work, context=context)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _ended(self, task: asyncio.Task[object]) -> None:
        self._tasks.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None and not isinstance(error, DependencyError):
            report = {"message": "work in the background crashed", "exception": error}
            asyncio.get_running_loop().call_exception_handler(report)
