"""Faults on containers of a real engine: each bites, each leaves everything as it was, whoever dies meanwhile."""

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from harness import clock
from harness.experiment.faults import (
    CpuLimitFault,
    CrashFault,
    DestroyFault,
    Fault,
    KillFault,
    MemoryLimitFault,
    NetworkLossFault,
    OutOfMemoryFault,
    PauseFault,
    RestartFault,
    StopFault,
)
from harness.faults.injector import Injector
from harness.faults.journal import Journal, State, last_states, read_journal
from harness.plan import planned_faults
from harness.record import rows
from harness.target import docker
from harness.target.docker_target import DockerTarget
from harness.units import Ratio, Seconds
from tests.e2e.docker.system import LOOPBACK, PROJECT_FOLDER, SPEC, SPEC_PATH, snapshot

pytestmark = [pytest.mark.docker, pytest.mark.e2e, pytest.mark.slow]

AT, LASTS = Seconds(0), Seconds(30)
WITHIN_S = 10.0  # everything is as before within this after the runner has died
API = "us-east-api-1"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerTarget]:
    state_dir = tmp_path_factory.mktemp("state")
    target = asyncio.run(docker.up(SPEC, SPEC_PATH, state_dir=state_dir, loopback=LOOPBACK))
    yield target
    asyncio.run(target.down())


@pytest.fixture
def target(running: DockerTarget) -> Iterator[DockerTarget]:
    """The target, which has to be after a test what it was before it."""
    before = snapshot()
    assert len(before["containers"]) == len(SPEC.services)
    yield running
    until_s = time.monotonic() + WITHIN_S
    while snapshot() != before and time.monotonic() < until_s:
        time.sleep(0.2)
    assert snapshot() == before
    for service in SPEC.services:
        asyncio.run(running.until_ready(service))


@pytest.mark.parametrize(
    "fault",
    [
        KillFault(service=API, at=AT, lasts=LASTS),
        KillFault(service="us-east-postgres", at=AT, lasts=LASTS),
        DestroyFault(service="us-east-postgres", at=AT, lasts=LASTS),
        DestroyFault(service=API, at=AT, lasts=LASTS),
        StopFault(service=API, at=AT, lasts=LASTS),
        StopFault(service="us-east-postgres", at=AT, lasts=LASTS),
        PauseFault(service=API, at=AT, lasts=LASTS),
        NetworkLossFault(service=API, at=AT, lasts=LASTS),
    ],
    ids=str,
)
def test_a_fault_bites_and_leaves_nothing(target: DockerTarget, tmp_path: Path, fault: Fault) -> None:
    events = asyncio.run(inject_and_revert(target, tmp_path, fault))

    assert [(edge.action, edge.confirmed) for edge in events] == [("inject", True), ("revert", True)]
    assert set(states_in(tmp_path).values()) == {State.VERIFIED}


def test_a_limit_on_the_cpu_bites_and_leaves_nothing(target: DockerTarget, tmp_path: Path) -> None:
    """A service that is asked nothing would not feel it."""
    fault = CpuLimitFault(service=API, at=AT, lasts=LASTS, share=Ratio(0.05))

    with kept_busy(target, API):
        events = asyncio.run(inject_and_revert(target, tmp_path, fault))

    assert [(edge.action, edge.confirmed) for edge in events] == [("inject", True), ("revert", True)], events
    assert set(states_in(tmp_path).values()) == {State.VERIFIED}


def test_a_limit_on_the_memory_bites_and_leaves_nothing(target: DockerTarget, tmp_path: Path) -> None:
    """Just above what the service uses: one below that ends it, where the kernel takes such a limit at all."""
    usage = target.memory_usage(API)
    assert usage is not None
    share = Ratio(1.03 * usage.used_bytes / usage.allowed_bytes)

    events = asyncio.run(
        inject_and_revert(target, tmp_path, MemoryLimitFault(service=API, at=AT, lasts=LASTS, share=share))
    )

    assert [(edge.action, edge.confirmed) for edge in events] == [("inject", True), ("revert", True)], events
    assert set(states_in(tmp_path).values()) == {State.VERIFIED}


def test_the_edge_of_a_fault_is_when_the_engine_says_it_was(target: DockerTarget, tmp_path: Path) -> None:
    asked_ns = clock.now_ns()
    inject, _ = asyncio.run(inject_and_revert(target, tmp_path, KillFault(service=API, at=AT, lasts=LASTS)))

    killed = [event for event in target._events.all() if (event.service, event.action) == (API, "die")]
    assert abs(inject.at_ns - clock.anchor().monotonic_of(killed[-1].unix_ns)) < 5_000_000
    assert asked_ns < inject.at_ns < inject.done_ns


@pytest.mark.parametrize("service", [API, "us-east-postgres", "us-east-redis"])
def test_what_crashes_is_brought_back_by_its_policy_and_not_by_us(
    target: DockerTarget, tmp_path: Path, service: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(service: str) -> None:
        raise AssertionError("the harness started it")

    monkeypatch.setattr(target, "start", refuse)
    life = target.identity(service)

    edges = asyncio.run(inject_and_revert(target, tmp_path, CrashFault(service=service, at=AT)))

    assert all(edge.confirmed for edge in edges), edges
    assert target.identity(service) not in (None, life)
    assert set(states_in(tmp_path).values()) == {State.VERIFIED}


def test_what_runs_out_of_memory_is_ended_by_the_kernel_and_brought_back_by_its_policy(
    target: DockerTarget, tmp_path: Path
) -> None:
    life = target.identity(API)

    asyncio.run(inject_and_revert(target, tmp_path, OutOfMemoryFault(service=API, at=AT)))

    assert target.identity(API) not in (None, life)
    assert target._events.last(API, "oom") is not None
    assert set(states_in(tmp_path).values()) == {State.VERIFIED}


def test_a_restart_is_over_once_the_service_is_healthy(target: DockerTarget, tmp_path: Path) -> None:
    events = asyncio.run(inject_and_revert(target, tmp_path, RestartFault(service=API, at=AT)))

    assert all(edge.confirmed for edge in events)


def test_a_container_that_somebody_else_kills_is_noticed(target: DockerTarget) -> None:
    assert target.exited() == {}
    subprocess.run(["docker", "kill", target.container(API).id], check=True, capture_output=True)

    until_s = time.monotonic() + 5
    while not target.exited() and time.monotonic() < until_s:
        time.sleep(0.05)
    assert set(target.exited()) == {API}
    assert target.exited()[API].by_somebody
    assert target.exited()[API].detail.endswith("was ended by somebody's call to the engine, exit code 137")
    asyncio.run(target.start(API))


@pytest.mark.parametrize(
    "fault",
    [
        "{kind: pause, service: us-east-api-1}",
        "{kind: network_loss, service: us-east-api-1}",
        "{kind: cpu_limit, service: us-east-api-1, share: 20%}",
        "{kind: memory_limit, service: us-east-api-1, share: 75%}",
        "{kind: kill, service: us-east-redis}",
        "{kind: stop, service: us-east-redis}",
        "{kind: destroy, service: us-east-postgres}",
    ],
)
def test_killing_the_runner_in_a_fault_reverts_it_within_ten_seconds(
    target: DockerTarget, tmp_path: Path, fault: str
) -> None:
    """By hand, so that the fault is on the target as it is up; the state folder is the project's own."""
    runner = subprocess.Popen(
        [sys.executable, "-c", RUNNER, str(target._folder.folder), fault, str(tmp_path)],
        cwd=PROJECT_FOLDER,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    journal = tmp_path / "journal.jsonl"
    until_s = time.monotonic() + 30
    while not (journal.exists() and "INJECTED" in journal.read_text()) and time.monotonic() < until_s:
        assert runner.poll() is None, runner.communicate()[0]
        time.sleep(0.05)
    os.kill(runner.pid, signal.SIGKILL)
    runner.communicate()

    until_s = time.monotonic() + WITHIN_S
    while set(states_in(tmp_path).values()) != {State.VERIFIED} and time.monotonic() < until_s:
        time.sleep(0.1)
    assert set(states_in(tmp_path).values()) == {State.VERIFIED}


async def inject_and_revert(target: DockerTarget, folder: Path, fault: Fault) -> list[rows.FaultEdge]:
    """One fault, whole; its edges."""
    planned = planned_faults((fault,), target=SPEC, disturbed_s=0.0)
    journal = Journal(folder / "journal.jsonl", run="test")
    events: list[rows.Event] = []
    injector = Injector(target, planned, journal, on_event=events.append)
    await injector.prepare()
    await injector.inject(planned[0].id)
    await injector.revert_all()
    journal.close()
    return [event for event in events if isinstance(event, rows.FaultEdge)]


@contextmanager
def kept_busy(target: DockerTarget, service: str) -> Iterator[None]:
    """It is asked for its health over and over, each time as soon as it has answered."""
    host, port = target.address(service)
    url = f"http://{host}:{port}{SPEC.services[service].health}"
    enough = threading.Event()

    def ask() -> None:
        with httpx.Client(trust_env=False, timeout=5) as client:
            while not enough.is_set():
                client.get(url)

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        yield
    finally:
        enough.set()
        asking.join()


def states_in(folder: Path) -> dict[str, State]:
    return {fault: entry.state for fault, entry in last_states(read_journal(folder / "journal.jsonl")).items()}


RUNNER = """
import asyncio, sys
from pathlib import Path
from harness.faults.injector import Injector
from harness.faults.journal import Journal
from harness.faults.lease import Guard
from harness.loader import load_fault
from harness.plan import planned_faults
from harness.target import docker
from harness.units import Seconds
from tests.e2e.docker.system import SPEC

async def main(state_dir, text, folder):
    target = docker.attach(SPEC, Path(state_dir))
    planned = planned_faults((load_fault(text, lasts=Seconds(60), target=SPEC),), target=SPEC, disturbed_s=0.0)
    journal = Journal(Path(folder) / "journal.jsonl", run="test")
    guard = Guard.start(journal.path)
    injector = Injector(target, planned, journal, on_event=print)
    await injector.prepare()
    await injector.inject(planned[0].id)
    await guard.hold()

asyncio.run(main(*sys.argv[1:]))
"""
