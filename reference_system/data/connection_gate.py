"""Who gets one of a pool's connections now, who waits for one, and who is refused at once.

In front of the pool, so that waiting for a connection is told from a database that does not answer: an exhausted pool
is no failure of the database and opens no circuit breaker.
"""

import asyncio
from types import TracebackType
from typing import Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from reference_system.data import errands
from reference_system.data.dependency import DependencyError, ExpiredError

# Few, since every replica is scraped twice a second: at once, a busy moment, a queue, an exhausted pool.
WAITED_S = (0.001, 0.01, 0.1, 0.5, 1.0, 2.0)


class Refuses(Protocol):
    def __call__(self, *, waiting: int, connections: int, priority: int) -> bool: ...


class PoolBusyError(DependencyError):
    """Refused: others wait already, and nothing was done."""


class ConnectionGate:
    """`async with gate:` use a connection; first come, first served."""

    def __init__(
        self,
        connections: int,
        *,
        longest_wait_s: float,
        refuses: Refuses,
        expired: Counter,
        registry: CollectorRegistry,
    ) -> None:
        self._connections = connections
        self._longest_wait_s = longest_wait_s
        self._refuses = refuses
        self._free = asyncio.Semaphore(connections)
        self._waiting = 0
        self.inside = 0
        self._expired = expired.labels("pool")
        waiting = Gauge("postgres_pool_waiting", "Calls that wait for a connection", registry=registry)
        waiting.set_function(lambda: self._waiting)
        self._waited = Histogram(
            "postgres_pool_wait_seconds", "Until a connection was free", buckets=WAITED_S, registry=registry
        )
        self._timeouts = Counter("postgres_pool_acquire_timeouts_total", "Waited in vain", registry=registry)
        self._refused = Counter("postgres_pool_refused_total", "Refused at once", ["priority"], registry=registry)

    async def __aenter__(self) -> None:
        """Raises PoolBusyError at once, ExpiredError at the errand's deadline, else DependencyError in the end."""
        errand = errands.current()
        if self._free.locked():
            await self._wait(errand)
        else:
            await self._free.acquire()
            self._waited.observe(0.0)
        errand.begun = True
        self.inside += 1

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        del kind, error, traceback
        self.inside -= 1
        self._free.release()

    async def _wait(self, errand: errands.Errand) -> None:
        priority = errand.priority
        if errand.may_be_refused and self._refuses(
            waiting=self._waiting, connections=self._connections, priority=priority
        ):
            self._refused.labels(str(priority)).inc()
            raise PoolBusyError("every connection to Postgres is in use, and enough calls wait for one")
        asked_s = _now_s()
        self._waiting += 1
        try:
            await self._acquire(errand, until_s=asked_s + self._longest_wait_s)
        finally:
            self._waiting -= 1
            self._waited.observe(_now_s() - asked_s)

    async def _acquire(self, errand: errands.Errand, *, until_s: float) -> None:
        while True:
            deadline_s = errand.deadline_s
            try:
                async with asyncio.timeout_at(min(until_s, deadline_s)):
                    await self._free.acquire()
            except TimeoutError as error:
                if until_s <= deadline_s:
                    self._timeouts.inc()
                    raise DependencyError(
                        f"postgres: no connection was free within {self._longest_wait_s:g} s"
                    ) from error
                if errand.deadline_s <= deadline_s:
                    self._expired.inc()
                    raise ExpiredError("postgres: nobody waits for the answer any more") from error
                # Subtle: somebody more patient shares the errand by now. It waits on, at the end of the queue.
            else:
                return


def _now_s() -> float:
    return asyncio.get_running_loop().time()
