"""Runs of two replicas whose way to Redis is reset from 30 s to 40 s, with breakers that keep their promises.

Each argument of `History` breaks one thing. What the replicas logged and what their metrics show agree with each other,
unless an argument says otherwise.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from harness.experiment.faults import ResetFault
from harness.record.reader import Run
from harness.units import Seconds
from tests.harness import simulation
from tests.harness.a_run import RunBuilder, a_run
from tests.harness.simulation import LINK, REPLICAS

CUT_S, OVER_S, END_S = 30.0, 40.1, 80.0  # the revert call takes a tenth of a second
OPEN_FOR_S = 0.5
Change = tuple[float, str]


@dataclass(frozen=True)
class History:
    """`opens` and `closes` are by how much after the injection and the revert; None: never. `pause_s` draws a pause."""

    opens: float | None = 0.2
    closes: float | None = 0.4
    pause_s: Callable[[random.Random], float] = lambda chance: OPEN_FOR_S * (1 + chance.random())
    also: tuple[Change, ...] = ()  # changes of the first replica besides
    unlogged_probes: float = 0.0  # that its counter shows
    in_use: float = 0.0  # connections of the first replica from the fault on, at work or not
    late: float = 0.0  # requests that took each replica longer than two seconds
    same_seed: bool = False
    phase_s: tuple[float, float] = (0.0, 0.0)
    faults: bool = True
    builder: RunBuilder = field(default_factory=a_run)

    def built(self) -> Run:
        reset = ResetFault(link=LINK, at=Seconds(CUT_S - 25.0), lasts=Seconds(10.0))
        builder = self.builder.with_fault(reset) if self.faults else self.builder
        changes = {replica: self._changes(number) for number, replica in enumerate(REPLICAS)}
        run = builder.altering_metrics(lambda frame: self._with_metrics(frame, changes)).built()
        started = {"at_s": -5.0, "event": "started"}
        logs = {replica: (started, *(_line(replica, *change) for change in its)) for replica, its in changes.items()}
        return replace(run, logs={**run.logs, **logs})

    def _changes(self, number: int) -> list[Change]:
        also = list(self.also) if number == 0 else []
        if self.opens is None or not self.faults:
            return also
        chance = random.Random(1 if self.same_seed else number)
        opened_s = CUT_S + self.opens
        found = [(opened_s, "open")]
        last_s = END_S - 1.0 if self.closes is None else OVER_S + self.closes
        probe_s = opened_s + self.phase_s[number] + self.pause_s(chance)
        while probe_s < last_s:
            found += [(probe_s, "half_open"), (probe_s + 0.002, "open")]
            probe_s += 0.002 + self.pause_s(chance)
        if self.closes is not None:
            found += [(last_s - 0.002, "half_open"), (last_s, "closed")]
        return sorted([*found, *also])

    def _with_metrics(self, frame: pd.DataFrame, changes: dict[str, list[Change]]) -> pd.DataFrame:
        at_s = np.arange(-1.0, END_S + 1.0, simulation.SCRAPE_PERIOD_S) + 0.05
        parts = [frame]
        for number, replica in enumerate(REPLICAS):
            probes_s = np.array([moment for moment, to in changes[replica] if to == "half_open"])
            count = np.searchsorted(np.sort(probes_s), at_s) + (number == 0) * self.unlogged_probes * (at_s > CUT_S)
            at_work = (np.arange(len(at_s)) % 3 == 0).astype(float)
            leaked = self.in_use * (at_s > CUT_S) if number == 0 else np.zeros(len(at_s))
            answered = np.floor(50.0 * (at_s + 10.0))
            late = np.where(at_s > CUT_S, self.late, 0.0)
            shown = {
                ("circuit_breaker_probes_total", 'dependency="redis"'): count,
                ("requests_at_work", ""): at_work,
                ("postgres_pool_in_use", ""): np.maximum(at_work, leaked),
                ("http_request_duration_seconds_bucket", 'le="2.0",operation="home"'): answered - late,
                ("http_request_duration_seconds_bucket", 'le="+Inf",operation="home"'): answered,
            }
            for (metric, labels), values in shown.items():
                row = {"service": replica, "metric": metric, "labels": labels, "value": values, "at_s": at_s}
                parts.append(pd.DataFrame(row))
        return pd.concat(parts, ignore_index=True)


def _line(replica: str, at_s: float, to: str) -> dict[str, object]:
    return {"at_s": at_s, "service": replica, "event": "breaker_changed", "dependency": "redis", "from": "?", "to": to}
