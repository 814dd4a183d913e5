"""Periodic work on an absolute schedule: moment n is start + n x period, however long the work takes.

A loop that sleeps for a period after each piece of work drifts, and then seconds without a sample look like holes.
"""

import asyncio
from collections.abc import AsyncIterator

from harness import clock


def next_moment(due: int, *, now_ns: int, start_ns: int, period_ns: int) -> int:
    """The moment to wait for when `due` is the next one: the newest that has come, if that is later than `due`."""
    return max(due, (now_ns - start_ns) // period_ns)


def one_after_the_other(count: int, every_s: float) -> list[int]:
    """When each of so many begins, from now on, so that all have begun within one period and no two at once: what asks
    all services at the same moment stops what is being measured for that moment, again and again."""
    now_ns = clock.now_ns()
    return [now_ns + int(place * every_s * clock.NS_PER_S / count) for place in range(count)]


async def moments(every_s: float, *, start_ns: int | None = None) -> AsyncIterator[int]:
    """Wait for each moment in turn; yields how many were passed over because the work before took too long."""
    start = clock.now_ns() if start_ns is None else start_ns
    period_ns = int(every_s * clock.NS_PER_S)
    due = 0
    while True:
        moment = next_moment(due, now_ns=clock.now_ns(), start_ns=start, period_ns=period_ns)
        await asyncio.sleep(max(0.0, (start + moment * period_ns - clock.now_ns()) / clock.NS_PER_S))
        yield moment - due
        due = moment + 1
