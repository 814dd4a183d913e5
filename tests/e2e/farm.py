"""Runs experiments side by side, as many as the machine can carry without one changing another's verdict.

Capacity is modelled, so a planted defect shows on a busy machine too, as long as there is idle time left. Each
experiment costs what it was seen to use; the costs in flight stay well below what the cores give. A run that has to
pass is alone: starting and judging another one would be in its latencies. On two cores so is overload, whose servers
have little room above what it offers: what was shed beside another one's start was not what the load demanded.
"""

import itertools
import os
import threading
from collections.abc import Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from harness.gameday import make_plan
from tests.e2e.gameday_process import EXPERIMENTS, RUNTIME, Finished, run_experiment
from tests.e2e.matrix import CAPACITY, LOSING_US_EAST, OVERLOAD, REGIONS, SCALING, STAMPEDE, TAKEN_AWAY

# Tenths of a core at the experiment's highest rate, generator and system together, measured on two cores; 10 keeps all
# others away there. Containers cost most while they are started and stopped.
COSTS = {
    **dict.fromkeys((SCALING, CAPACITY, STAMPEDE, TAKEN_AWAY), 9),
    **dict.fromkeys((OVERLOAD, LOSING_US_EAST, *REGIONS), 10),
}
USUAL_COST = 4 if RUNTIME == "processes" else 6
BUDGET = 5 * (os.cpu_count() or 1)  # half of the cores: on a slow machine more was seen to starve
MOST = 4
FIRST_LOOPBACK = 31


class Farm:
    """Every submitted experiment gets a loopback address and a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._pool = ThreadPoolExecutor(max_workers=100)  # they mostly wait: for their share, then for a process
        self._addresses = list(range(FIRST_LOOPBACK, FIRST_LOOPBACK + MOST))
        self._numbers = itertools.count()
        self._left = BUDGET
        self._waiting: list[tuple[int, float]] = []  # cost and duration
        self._changed = threading.Condition()
        self._closed = False

    def submit(self, experiment: str, *options: str, alone: bool = False) -> Future[Finished]:
        runs = self.folder / f"runs-{next(self._numbers)}"
        cost = BUDGET if alone else min(COSTS.get(experiment, USUAL_COST), BUDGET)
        return self._pool.submit(self._run, experiment, options, runs, (cost, _duration_s(experiment, options)))

    def close(self) -> None:
        """Begin nothing more, and wait for what runs."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._pool.shutdown()

    def _run(self, experiment: str, options: tuple[str, ...], runs: Path, price: tuple[int, float]) -> Finished:
        with self._share(price) as address:
            return run_experiment(experiment, *options, runs=runs, loopback=f"127.0.0.{address}")

    @contextmanager
    def _share(self, price: tuple[int, float]) -> Iterator[int]:
        cost, _ = price
        with self._changed:
            self._waiting.append(price)
            self._changed.wait_for(lambda: self._closed or self._may_begin(price))
            self._waiting.remove(price)
            if self._closed:
                raise CancelledError
            self._left -= cost
            address = self._addresses.pop()
            self._changed.notify_all()
        try:
            yield address
        finally:
            with self._changed:
                self._left += cost
                self._addresses.append(address)
                self._changed.notify_all()

    def _may_begin(self, price: tuple[int, float]) -> bool:
        """The dearest of those that fit goes first, the longest of them, so that it does not wait for the end when all
        others are done."""
        fitting = [waiting for waiting in self._waiting if waiting[0] <= self._left]
        return bool(self._addresses) and price in fitting and price == max(fitting)


def _duration_s(experiment: str, options: tuple[str, ...]) -> float:
    overrides = dict(value.split("=", 1) for option, value in itertools.pairwise(options) if option == "--set")
    return make_plan(EXPERIMENTS / f"{experiment}.yaml", short=True, overrides=overrides, runtime=RUNTIME).duration_s
