"""What a replica remembers of its recent past: arrivals for the rate, ended answers for the controller."""

from collections import deque

from reference_system.data.timelines import Cache
from reference_system.services.exchange import Observations
from reference_system.services.outcomes import HANDLED, Outcome

REMEMBERED_S = 30.0


class Arrivals:
    """The exact arrival rate over a trailing window."""

    def __init__(self, window_s: float) -> None:
        self._window_s = window_s
        self._times_s: deque[float] = deque()

    def add(self, now_s: float) -> None:
        self._times_s.append(now_s)

    def rate_per_s(self, now_s: float) -> float:
        while self._times_s and self._times_s[0] <= now_s - self._window_s:
            self._times_s.popleft()
        return len(self._times_s) / self._window_s


class Ended:
    """Answers by the time they ended."""

    def __init__(self) -> None:
        self._rows: deque[tuple[float, Outcome, float, Cache]] = deque()

    def add(self, now_s: float, outcome: Outcome, latency_ms: float, cache: Cache = Cache.NONE) -> None:
        self._rows.append((now_s, outcome, latency_ms, cache))
        while self._rows[0][0] < now_s - REMEMBERED_S:
            self._rows.popleft()

    def observations(self, window_s: float, *, now_s: float, cpu_ratio: float) -> Observations:
        counts, caches = dict.fromkeys(Outcome, 0), dict.fromkeys(Cache, 0)
        latencies_ms = []
        for at_s, outcome, latency_ms, cache in reversed(self._rows):
            if at_s < now_s - window_s:
                break
            counts[outcome] += 1
            caches[cache] += 1
            if outcome in HANDLED:
                latencies_ms.append(round(latency_ms, 3))
        return Observations(
            latencies_ms=latencies_ms,
            ok=counts[Outcome.OK],
            error=counts[Outcome.ERROR],
            shed=counts[Outcome.SHED],
            disabled=counts[Outcome.DISABLED],
            cpu_ratio=cpu_ratio,
            cached=sum(caches[layer] for layer in (Cache.PROCESS, Cache.REDIS, Cache.DISK)),
            built=sum(caches[made] for made in (Cache.BUILT, Cache.JOINED, Cache.FALLBACK)),
        )
