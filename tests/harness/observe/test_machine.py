"""Who uses the machine, as the kernel tells it."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from harness.clock import NS_PER_S
from harness.errors import TargetError
from harness.observe import machine
from harness.observe.machine import Account, MachineWatch, Process, all_cpus, families, process_of
from harness.record import rows


def test_a_process_is_read_whatever_its_name_is() -> None:
    text = "17 (a) b ) (c) S 4 17 17 0 -1 4194560 100 0 0 0 250 50 7 8 20 0 1 0 98765 1 2"

    assert process_of(text) == Process(pid=17, parent=4, used=300, start=98765)


def test_all_cpus_are_busy_without_idling_and_guests_count_once() -> None:
    assert all_cpus("cpu  100 1 20 800 9 2 3 65 40 1\ncpu0 1 1 1 1\n") == (191, 1000)


def test_families_are_the_roots_and_all_that_descend_from_them() -> None:
    parents = {1: 0, 10: 1, 11: 10, 12: 11, 20: 1, 21: 20, 30: 1}
    processes = [Process(pid=pid, parent=parent, used=0, start=0) for pid, parent in parents.items()]

    assert {one.pid for one in families([10, 11, 30, 99], processes)} == {10, 11, 12, 30}


def account(at_s: float, **told: object) -> Account:
    nothing = {"waited": {}, "used": {}, "busy": 0, "passed": 0}
    return Account(at_ns=int(at_s * NS_PER_S), **{**nothing, **told})  # type: ignore[arg-type]


def test_a_service_waits_for_a_share_of_the_time_and_a_new_process_starts_from_nothing() -> None:
    before = account(0, waited={"api": (7, 100), "redis": (8, 900_000_000), "gone": (9, 100)})
    now = account(2, waited={"api": (7, 100 + NS_PER_S), "redis": (18, NS_PER_S // 4), "new": (19, NS_PER_S // 4)})

    assert now.since(before).services_waiting == pytest.approx({"api": 0.5, "redis": 0.125, "new": 0.125})


def test_others_used_what_is_left_when_ours_is_taken_away() -> None:
    before = account(0, used={(7, 1): 500, (8, 1): 100}, busy=10_000, passed=20_000)
    now = account(5, used={(7, 1): 600, (8, 2): 50}, busy=10_750, passed=21_000)  # 8 is another process by now

    assert now.since(before).others_ratio == pytest.approx(0.6)


def test_nothing_is_said_of_others_where_the_kernel_does_not_tell() -> None:
    assert account(5).since(account(0)).others_ratio is None


async def events_of(pids: dict[str, int | None], proc: Path, *, for_s: float) -> list[rows.MachinePressure]:
    events: list[rows.Event] = []

    async def main_pid(service: str) -> int | None:
        if service == "unknown":
            raise TargetError("no such service")
        return pids[service]

    watching = asyncio.create_task(MachineWatch(main_pid, list(pids), on_event=events.append, proc=proc).run())
    await asyncio.sleep(for_s)
    watching.cancel()
    return [event for event in events if isinstance(event, rows.MachinePressure)]


def test_what_is_not_told_is_not_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "EVERY_S", 0.02)
    (tmp_path / "8").mkdir()
    (tmp_path / "8" / "schedstat").write_text("17 4000 3")

    events = asyncio.run(events_of({"down": None, "silent": 7, "redis": 8, "unknown": 9}, tmp_path, for_s=0.2))

    assert events
    assert {event.others_ratio for event in events} == {None}
    assert all(event.services_waiting == {"redis": 0.0} for event in events)


BUSY = """
import os, time
if os.fork() == 0:
    time.sleep(60)
until = time.monotonic() + 30
while time.monotonic() < until:
    pass
"""


@contextmanager
def crowd(count: int) -> Iterator[list[int]]:
    """So many processes that all want the same CPU, all the time."""
    processes = [subprocess.Popen([sys.executable, "-c", BUSY], start_new_session=True) for _ in range(count)]
    try:
        for process in processes:
            os.sched_setaffinity(process.pid, {min(os.sched_getaffinity(0))})
        yield [process.pid for process in processes]
    finally:
        for process in processes:
            os.killpg(process.pid, 9)
            process.wait()


def test_who_shares_a_cpu_with_three_others_waits_most_of_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "EVERY_S", 1.0)
    with crowd(4) as pids:
        events = asyncio.run(events_of({"api": pids[0]}, Path("/proc"), for_s=3.5))

    assert 0.5 < events[-1].services_waiting["api"] <= 1.0


def test_the_services_and_their_children_are_ours_and_so_are_our_own_children(monkeypatch: pytest.MonkeyPatch) -> None:
    async def ours(**pids: int | None) -> set[int]:
        async def main_pid(service: str) -> int | None:
            return pids[service]

        account = await MachineWatch(main_pid, list(pids), on_event=lambda event: None)._account()
        return {pid for pid, _ in account.used}

    with crowd(1) as [pid]:
        assert asyncio.run(ours()) >= {os.getpid(), pid}
        monkeypatch.setattr(os, "getpid", lambda: -1)  # whoever runs this test is a stranger now
        assert not asyncio.run(ours(api=None))
        assert pid in asyncio.run(ours(api=pid))
