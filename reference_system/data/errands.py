"""What a call to a store is for: how important it is, and until when somebody waits for it.

Carried beside the call instead of through every function between a request and its statements. Whoever shares work, or
starts some that outlives its request, does that in a fresh context: `asyncio.create_task(work, context=Context())`.
"""

import asyncio
import math
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(slots=True, kw_only=True)
class Errand:
    """`deadline_s` is a time of the loop. `begun`: the database was asked, and may have done something. `untold`: it
    has done something, and the caches could not be told."""

    priority: int = 1
    deadline_s: float = math.inf
    writes: bool = False
    begun: bool = False
    untold: bool = False

    @property
    def left_s(self) -> float:
        return self.deadline_s - asyncio.get_running_loop().time()

    @property
    def may_be_refused(self) -> bool:
        """Whether it can still be said that nothing was done."""
        return self.priority > 1 and not (self.writes and self.begun)


_CURRENT: ContextVar[Errand | None] = ContextVar("errand", default=None)


def current() -> Errand:
    """What this task runs; without a request that is the service's own work, which is never refused and never late."""
    return _CURRENT.get() or Errand()


def begin(errand: Errand) -> None:
    """For the rest of this task and for the tasks that it starts."""
    _CURRENT.set(errand)
