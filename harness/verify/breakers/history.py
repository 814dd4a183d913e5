"""One circuit breaker of one replica: its changes of state as the replica logged them, and its counters.

Log lines tell when to the millisecond, scrapes only to half a second; counters tell how many, whatever was logged.
"""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

from harness.record.reader import Run
from harness.verify import windows
from harness.verify.windows import Floats

CHANGED = "breaker_changed"  # the event of the log line, with `dependency` and `to`
CLOSED, HALF_OPEN, OPEN = "closed", "half_open", "open"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    at_s: float
    to: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """Closed before its first change. `probes` is by how much the counter rose in the run. `is_told` is False where the
    log cannot be believed: there is none, or it says nothing of a breaker that has probed."""

    service: str
    region: str | None
    dependency: str
    changes: tuple[Change, ...]
    probes: float
    is_told: bool

    def state_at(self, at_s: float) -> str:
        return next((change.to for change in reversed(self.changes) if change.at_s < at_s), CLOSED)

    def first_to(self, state: str, start_s: float, end_s: float) -> float | None:
        return next((float(at_s) for at_s in self.times_to(state) if start_s <= at_s < end_s), None)

    def times_to(self, state: str) -> Floats:
        return np.array([change.at_s for change in self.changes if change.to == state], dtype=np.float64)

    def not_closed_s(self, end_s: float) -> float:
        """How long in all it let no ordinary call through."""
        ends_s = (*self.changes, Change(at_s=end_s, to=CLOSED))
        return sum(after.at_s - before.at_s for before, after in pairwise(ends_s) if before.to != CLOSED)


def breakers_of(run: Run, dependency: str) -> tuple[list[Breaker], list[str]]:
    """Of every replica that exports one for it; and the replicas that do not, though others of their region do."""
    found, silent = [], []
    for service in windows.services_with_role(run, "api"):
        counters = windows.by_label(run, service, run.plan.target.metrics.breaker_probes, "dependency")
        region = run.plan.target.services[service].region
        if dependency not in counters:
            silent.append((service, region))
            continue
        changes, probes = _changes(run, service, dependency), risen(counters[dependency])
        found.append(
            Breaker(
                service=service,
                region=region,
                dependency=dependency,
                changes=changes,
                probes=probes,
                is_told=bool(changes or (run.logs.get(service) and probes == 0)),
            )
        )
    regions = {breaker.region for breaker in found}
    return found, [service for service, region in silent if region in regions]


def calls_made(run: Run, breaker: Breaker, start_s: float, end_s: float) -> float:
    """Those that it surely let through between the two moments: by the scrapes that lie within."""
    counters = windows.by_label(run, breaker.service, run.plan.target.metrics.dependency_calls, "dependency")
    if breaker.dependency not in counters:
        return 0.0
    calls = counters[breaker.dependency]
    return risen(calls[(calls.index >= start_s) & (calls.index <= end_s)])


def risen(counter: pd.Series) -> float:
    """By how much a counter rose; one that fell was started anew."""
    values = counter.dropna()
    rise = values.diff().iloc[1:]
    return float(rise.where(rise >= 0, values.iloc[1:]).sum())


def _changes(run: Run, service: str, dependency: str) -> tuple[Change, ...]:
    found = [
        Change(at_s=float(str(line["at_s"])), to=str(line.get("to")))
        for line in run.logs.get(service, ())
        if line.get("event") == CHANGED and line.get("dependency") == dependency and line.get("at_s") is not None
    ]
    return tuple(sorted(found, key=lambda change: change.at_s))
