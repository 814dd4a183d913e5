"""How long something waited for a CPU, as the kernel tells it."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness.clock import NS_PER_S
from harness.errors import TargetError
from harness.observe import machine
from harness.observe.machine import Account, MachineWatch, pressure_ns
from harness.record import rows

SHOWN = "some avg10=1.53 avg60=0.87 avg300=0.73 total={}\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=17\n"


@pytest.mark.parametrize(
    ("shown", "nanoseconds"),
    [
        (SHOWN.format(2_500_000), 2_500_000_000),
        ("", None),
        ("\n", None),
        ("full total=1\n", None),
        ("some total=?\n", None),
        ("some avg10=0.00\n", None),
        ("some total\n", None),
    ],
)
def test_the_pressure_is_read_where_it_is_told(shown: str, nanoseconds: int | None) -> None:
    assert pressure_ns(shown) == nanoseconds


def test_shares_are_of_the_time_between_two_accounts() -> None:
    before = Account(at_ns=0, pressure=5, waited={"api": (7, 100), "redis": (8, 100), "gone": (9, 100)})
    restarted = NS_PER_S // 4
    now = Account(
        at_ns=2 * NS_PER_S,
        pressure=5 + NS_PER_S,
        waited={"api": (7, 100 + NS_PER_S), "redis": (18, restarted), "new": (19, restarted)},
    )

    told = now.since(before)

    assert told.cpu_waiting_ratio == pytest.approx(0.5)
    assert told.services_waiting == pytest.approx({"api": 0.5, "redis": 0.125, "new": 0.125})


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
    assert {event.cpu_waiting_ratio for event in events} == {None}
    assert all(event.services_waiting == {"redis": 0.0} for event in events)


BUSY = "import time\nuntil = time.monotonic() + 20\nwhile time.monotonic() < until: pass"


def test_a_process_that_shares_its_cpu_with_three_others_waits_most_of_the_time() -> None:
    cpu = min(os.sched_getaffinity(0))
    crowd = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(4)]
    try:
        for process in crowd:
            os.sched_setaffinity(process.pid, {cpu})

        events = asyncio.run(events_of({"api": crowd[0].pid}, Path("/proc"), for_s=3.5))
    finally:
        for process in crowd:
            process.kill()
            process.wait()

    assert 0.5 < events[-1].services_waiting["api"] <= 1.0
