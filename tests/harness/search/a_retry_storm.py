"""What retries do to a queue: the oracle for metastable states, small enough to be seen to be right.

One server does `capacity` requests a second, first come first served, and nothing during its outage. A client waits for
its timeout; then it sends again, up to `retries` times, and the server does the forgotten request all the same, because
it does not know. So while everybody waits for longer than the timeout, each request costs 1 + retries, and nobody is
served: the queue can only drain where (1 + retries) x load < capacity.
"""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.verify.windows import Floats


@dataclass(frozen=True, kw_only=True)
class Storm:
    """`drops_expired`: the server does nothing for whom nobody waits. `refuses_after_s`: it refuses at once whoever
    would wait for longer. `retry_budget`: retries per request, on average, that clients allow themselves."""

    capacity: float = 200.0
    timeout_s: float = 1.0
    retries: int = 3
    outage: tuple[float, float] = (10.0, 20.0)
    drops_expired: bool = False
    refuses_after_s: float = float("inf")
    retry_budget: float = float("inf")


@dataclass(frozen=True, kw_only=True)
class Attempt:
    number: int  # 1 for the first one of a request
    sent_s: float
    ended_s: float
    ok: bool


def attempts(storm: Storm, arrivals_s: Sequence[float]) -> list[Attempt]:
    """All that is sent for these arrivals, in order. In a queue first come first served the end of a request is known
    when it arrives."""
    due = [(at_s, 1) for at_s in arrivals_s]
    heapq.heapify(due)
    free_at_s, allowed, done = 0.0, 0.0, []
    while due:
        at_s, number = heapq.heappop(due)
        allowed += storm.retry_budget if number == 1 else 0.0
        start_s = max(at_s, free_at_s)
        if storm.outage[0] <= start_s < storm.outage[1]:
            start_s = storm.outage[1]
        refused = start_s - at_s > storm.refuses_after_s
        expired = start_s - at_s > storm.timeout_s
        if not refused and not (expired and storm.drops_expired):
            free_at_s = start_s + 1 / storm.capacity
        took_s = start_s + 1 / storm.capacity - at_s
        ok = not refused and took_s <= storm.timeout_s
        ended_s = at_s if refused else at_s + min(took_s, storm.timeout_s)
        done.append(Attempt(number=number, sent_s=at_s, ended_s=ended_s, ok=ok))
        if not ok and number <= storm.retries and allowed >= 1:
            allowed -= 1
            heapq.heappush(due, (ended_s, number + 1))
    return done


def evenly(load: float, lasts_s: float) -> list[float]:
    return [(place + 0.5) / load for place in range(int(load * lasts_s))]


def goodput(done: Sequence[Attempt], lasts_s: float) -> Floats:
    """Good answers in each second in which they were sent."""
    good = [attempt.sent_s for attempt in done if attempt.ok]
    counts: Floats = np.histogram(good, bins=np.arange(0.0, lasts_s + 1.0))[0].astype(np.float64)
    return counts
