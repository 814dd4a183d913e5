"""Two servers with three slots of 20 ms each, as a record: what users of `gameday knee` have in front of them, whose
capacity is known. A request waits for its server's next free slot, first come first served; who waits for more than a
second has gone, and its work is done all the same.
"""

import heapq

import msgspec
import pandas as pd

from harness.experiment.expectations.check import Check
from harness.experiment.load import Arrivals
from harness.plan import Plan
from harness.record.reader import Run
from harness.units import PerSecond
from tests.harness import simulation
from tests.harness.a_run import a_run

SERVERS, SLOTS, SERVICE_S, DEADLINE_S = 2, 3, 0.02, 1.0
CAPACITY_PER_S = SERVERS * SLOTS / SERVICE_S


def a_queue(rate: PerSecond, *checks: Check, arrivals: Arrivals = Arrivals.CONSTANT, seed: int = 1) -> Run:
    """Ten seconds of warming up and twenty of baseline at a rate."""
    built = a_run().with_seed(seed).with_rate(rate, arrivals).with_phases(warm_up=10.0, baseline=20.0)
    run = built.without_shedding().expecting(*checks).altering_requests(_queued).built()
    plan = msgspec.structs.replace(run.plan, variables={"rate": str(rate)})
    return Run(**{**vars(run), "plan": plan})


def a_plan(rate: PerSecond, *checks: Check) -> Plan:
    """Without the run that takes its time."""
    plan = a_run().with_rate(1.0).with_phases(warm_up=10.0, baseline=20.0).expecting(*checks).built().plan
    load = msgspec.structs.replace(plan.load, rate=rate)
    return msgspec.structs.replace(plan, load=load, variables={"rate": str(rate)})


def _queued(frame: pd.DataFrame) -> pd.DataFrame:
    """Requests go to the servers in turns."""
    free_at_s = [[0.0] * SLOTS for _ in range(SERVERS)]
    took_s = []
    for number, sent_s in enumerate(frame["sent_s"]):
        server = free_at_s[number % SERVERS]
        ends_s = max(sent_s, server[0]) + SERVICE_S
        heapq.heapreplace(server, ends_s)
        took_s.append(ends_s - sent_s)
    took = pd.Series(took_s, index=frame.index)
    gone = took > DEADLINE_S
    frame = frame.assign(
        finished_ns=frame["sent_ns"] + (took.clip(upper=DEADLINE_S) * 1e9).round().astype("int64"),
        outcome=frame["outcome"].mask(gone, "failed"),
        error=frame["error"].mask(gone, "deadline"),
    )
    return simulation.with_run_time(frame)
