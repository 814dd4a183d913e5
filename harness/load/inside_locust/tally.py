"""What one second of a shard looked like: its load, its ends, and its own health."""

import os
import resource

import numpy as np
import psutil

from harness.clock import NS_PER_S, now_ns
from harness.load.latency_buckets import histogram
from harness.load.messages import Second


class Tally:
    """Gathers figures; `second` reports them and starts anew."""

    def __init__(self) -> None:
        self.scheduled = 0
        self.outcomes: dict[str, int] = {}
        self.lags_ns: list[int] = []
        self.latencies_ns: list[int] = []
        self._process = psutil.Process(os.getpid())
        self._since_ns, self._cpu_s = now_ns(), _cpu_s()

    def ended(self, outcome: str) -> None:
        self.outcomes[outcome] = self.outcomes.get(outcome, 0) + 1

    def second(self, number: int, *, in_flight: int) -> Second:
        at_ns, cpu_s = now_ns(), _cpu_s()
        lags_s = np.array(self.lags_ns, dtype=np.float64) / NS_PER_S
        second = Second(
            at_ns=at_ns,
            number=number,
            scheduled=self.scheduled,
            sent=len(self.lags_ns),
            in_flight=in_flight,
            lag_s_p99=float(np.quantile(lags_s, 0.99)) if len(lags_s) else 0.0,
            cpu_ratio=(cpu_s - self._cpu_s) * NS_PER_S / max(at_ns - self._since_ns, 1),
            open_files=self._process.num_fds(),
            outcomes=self.outcomes,
            latencies=histogram(np.array(self.latencies_ns, dtype=np.float64) / NS_PER_S),
        )
        self.scheduled, self.outcomes, self.lags_ns, self.latencies_ns = 0, {}, [], []
        self._since_ns, self._cpu_s = at_ns, cpu_s
        return second


def _cpu_s() -> float:
    """CPU time of this process, all threads, in seconds."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime
