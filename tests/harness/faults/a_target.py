"""A small running target to be attacked, and what tests ask of it."""

import asyncio
import http.client
import json
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness.experiment.faults import Fault
from harness.faults import procfs
from harness.faults.injector import Injector
from harness.faults.journal import Journal, State, last_states, read_journal
from harness.loader import load_target
from harness.plan import PlannedFault
from harness.record import rows
from harness.target.processes import up
from harness.target.processes_target import ProcessesTarget
from tests.loopback import loopback

LOOPBACK = loopback(14)
SMALL = Path(__file__).parent / "small"
SPEC_PATH = SMALL / "target.yaml"
SPEC = load_target(SPEC_PATH)
REDIS, POSTGRES, WEB = "web->redis", "web->postgres", "edge->web"


async def a_running_target(state_dir: Path) -> ProcessesTarget:
    return await up(SPEC, SPEC_PATH, state_dir=state_dir, loopback=LOOPBACK)


def planned(fault: Fault, *, id: str = "fault-1", lasts_s: float = 60.0) -> PlannedFault:
    return PlannedFault(id=id, fault=fault, inject_s=0.0, revert_s=lasts_s)


class Attempt:
    """An injector on the target with the events it gave."""

    def __init__(
        self, target: ProcessesTarget, folder: Path, *faults: PlannedFault, harness_defect: str | None = None
    ) -> None:
        folder.mkdir(exist_ok=True)
        self.events: list[rows.Event] = []
        self.journal = Journal(folder / "journal.jsonl")
        self.injector = Injector(
            target, faults, self.journal, on_event=self.events.append, harness_defect=harness_defect
        )

    def readings(self, stage: str, fault: str = "fault-1") -> list[rows.CanaryReading]:
        return [
            event
            for event in self.events
            if isinstance(event, rows.CanaryReading) and (event.stage, event.fault) == (stage, fault)
        ]

    def edge(self, action: str, fault: str = "fault-1") -> rows.FaultEdge:
        return next(
            event
            for event in self.events
            if isinstance(event, rows.FaultEdge) and (event.action, event.fault) == (action, fault)
        )


def snapshot(target: ProcessesTarget) -> dict[str, Any]:
    """Everything that a fault could have changed: proxies with toxics, which services run, which are stopped."""
    return {"proxies": proxies(), "services": {service: _state(target, service) for service in SPEC.services}}


def proxies() -> dict[str, Any]:
    status, answer = toxiproxy("GET", "/proxies")
    assert status == 200
    return {
        name: {key: proxy[key] for key in ("listen", "upstream", "enabled", "toxics")} for name, proxy in answer.items()
    }


def toxiproxy(method: str, path: str, body: object = None) -> tuple[int, Any]:
    connection = http.client.HTTPConnection(LOOPBACK, 21474, timeout=3.0)
    try:
        connection.request(method, path, body=None if body is None else json.dumps(body))
        response = connection.getresponse()
        text = response.read()
        return response.status, json.loads(text) if text else None
    finally:
        connection.close()


def _state(target: ProcessesTarget, service: str) -> str:
    identity = target.identity(service)
    if identity is None:
        return "ended"
    found = procfs.stat_of(identity.pid)
    if found is not None and procfs.stopped_family(found.pid, found.start_ticks):
        return "stopped"
    return "healthy" if asyncio.run(target.is_healthy(service)) else "sick"


def until(condition: Callable[[], object], what: str, *, within_s: float = 10.0) -> float:
    """Wait for another process; how long it took. AssertionError with the words where it does not happen."""
    start_s = time.monotonic()
    while not condition():
        assert time.monotonic() - start_s < within_s, f"not within {within_s:g} s: {what}"
        time.sleep(0.05)
    return time.monotonic() - start_s


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex((LOOPBACK, port)) == 0


def states_in(folder: Path) -> dict[str, State]:
    return {fault: entry.state for fault, entry in last_states(read_journal(folder / "journal.jsonl")).items()}
