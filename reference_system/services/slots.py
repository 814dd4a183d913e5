"""A replica's worker slots: requests hold one for the service time, and the share of busy ones is its "CPU".

The capacity policy computes when a slot is held; this only waits, and adds up. Because holds are computed, not timed,
`busy_ratio` is an exact integral and late timers do not lower the capacity. How many there are may change.
"""

import asyncio
import math
import time
from collections import deque
from dataclasses import replace

from reference_system.policies import capacity

REMEMBERED_S = 30.0  # the longest window that busy_ratio can be asked for


class Slots:
    def __init__(self, slots: int, *, service_time_s: float, deadline_s: float) -> None:
        self.total = slots
        self._arrival = capacity.Arrival(service_time_s=service_time_s, deadline_s=deadline_s)
        self._state = capacity.idle(slots)
        self._holds: deque[capacity.Hold] = deque()  # in order of arrival
        self._totals: deque[tuple[float, int]] = deque([(-math.inf, slots)])  # since when there are so many slots
        # The longest that one hold may end before another one of a later arrival: only after growth it does at all.
        self._out_of_order_s = deadline_s + service_time_s

    def resize(self, slots: int) -> None:
        if slots != self.total:
            now_s = time.monotonic()
            self._state = capacity.resized(self._state, slots, now_s)
            self._totals.append((now_s, slots))
            self.total = slots

    async def work(self, within_s: float = math.inf) -> bool:
        """Wait for a slot and hold it for the service time; False if the deadline or `within_s` passed in the queue."""
        now_s = time.monotonic()  # the loop's own clock only ticks in milliseconds under uvloop
        arrival = self._arrival
        if within_s < arrival.deadline_s:
            arrival = replace(arrival, deadline_s=within_s)
        self._state, hold = capacity.decide(self._state, arrival, now_s)
        if hold is None:
            await asyncio.sleep(arrival.deadline_s)
            return False
        self._holds.append(hold)
        await asyncio.sleep(hold.end_s - time.monotonic())
        return True

    def busy_ratio(self, window_s: float, *, now_s: float) -> float:
        """Busy slot-seconds over slot-seconds in the last `window_s`."""
        self._forget(now_s - REMEMBERED_S)
        since_s = now_s - window_s
        busy_s = 0.0
        for hold in reversed(self._holds):
            if hold.end_s <= since_s - self._out_of_order_s:
                break
            busy_s += max(0.0, min(hold.end_s, now_s) - max(hold.start_s, since_s))
        return busy_s / self._slot_seconds(since_s, now_s)

    def _slot_seconds(self, since_s: float, now_s: float) -> float:
        ends_s = [*(at_s for at_s, _ in self._totals), now_s][1:]
        return sum(
            slots * max(0.0, min(end_s, now_s) - max(start_s, since_s))
            for (start_s, slots), end_s in zip(self._totals, ends_s, strict=True)
        )

    def busy(self, now_s: float) -> int:
        return sum(1 for hold in self._unfinished(now_s) if hold.start_s <= now_s)

    def waiting(self, now_s: float) -> int:
        return sum(1 for hold in self._unfinished(now_s) if hold.start_s > now_s)

    def _unfinished(self, now_s: float) -> list[capacity.Hold]:
        found = []
        for hold in reversed(self._holds):
            if hold.end_s <= now_s - self._out_of_order_s:
                break
            if hold.end_s > now_s:
                found.append(hold)
        return found

    def _forget(self, before_s: float) -> None:
        while self._holds and self._holds[0].end_s < before_s:
            self._holds.popleft()
        while len(self._totals) > 1 and self._totals[1][0] < before_s:
            self._totals.popleft()
