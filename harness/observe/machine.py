"""Who uses the machine, every five seconds, as Linux tells it: how long each service of the target waited for a CPU,
and how much of all CPUs was used by others, who are neither the target nor the harness (time stolen from a virtual
machine is used by others, too).

Of a service its main process is looked at; its other processes wait alike. Judges nothing. What the kernel does not
tell is not recorded. https://docs.kernel.org/scheduler/sched-stats.html, proc_pid_stat(5), proc_stat(5)
"""

import os
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from harness import clock
from harness.errors import TargetError
from harness.observe.schedule import moments
from harness.record import rows

EVERY_S = 5.0
PLACES = 4  # of a ratio
IDLE, IOWAIT, GUEST = 3, 4, 8  # columns of the line of all CPUs; guests' time is in the users' already


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One process; times in clock ticks, the start since boot."""

    pid: int
    parent: int
    used: int
    start: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What the kernel has counted until now.

    `waited` is service → (its main process, nanoseconds in which that waited for a CPU); `used` is (process, start) →
    ticks, of the target's and the harness's processes; `busy` and `passed` are ticks of all CPUs together.
    """

    at_ns: int
    waited: Mapping[str, tuple[int, int]]
    used: Mapping[tuple[int, int], int]
    busy: int
    passed: int

    def since(self, before: "Account") -> rows.MachinePressure:
        waiting = {}
        for service, (pid, waited) in self.waited.items():
            pid_before, waited_before = before.waited.get(service, (pid, 0))
            waiting[service] = waited - (waited_before if pid_before == pid else 0)
        ours = sum(used - before.used.get(process, 0) for process, used in self.used.items())
        passed = self.passed - before.passed
        return rows.MachinePressure(
            at_ns=self.at_ns,
            services_waiting={service: _ratio(ns, self.at_ns - before.at_ns) for service, ns in waiting.items()},
            others_ratio=_ratio(self.busy - before.busy - ours, passed) if passed > 0 else None,
        )


class MachineWatch:
    """`main_pid` (e.g. `RunningTarget.main_pid`) is the main process of a service, None where it does not run."""

    def __init__(
        self,
        main_pid: Callable[[str], Awaitable[int | None]],
        services: Sequence[str],
        *,
        on_event: Callable[[rows.Event], None],
        proc: Path = Path("/proc"),
    ) -> None:
        self._main_pid = main_pid
        self._services = tuple(services)
        self._on_event = on_event
        self._proc = proc

    async def run(self) -> None:
        """Watch until cancelled."""
        before: Account | None = None
        async for _ in moments(EVERY_S):
            account = await self._account()
            if before is not None:
                self._on_event(account.since(before))
            before = account

    async def _account(self) -> Account:
        roots, waited = [os.getpid()], {}
        for service in self._services:
            with suppress(TargetError):
                if pid := await self._main_pid(service):
                    roots.append(pid)
                    with suppress(OSError, ValueError, IndexError):
                        waited[service] = (pid, int(self._told(str(pid), "schedstat").split()[1]))
        used = {(one.pid, one.start): one.used for one in families(roots, self._processes())}
        busy, passed = 0, 0
        with suppress(OSError, ValueError):
            busy, passed = all_cpus(self._told("stat"))
        return Account(at_ns=clock.now_ns(), waited=waited, used=used, busy=busy, passed=passed)

    def _processes(self) -> list[Process]:
        found = []
        for entry in os.listdir(self._proc):
            if entry.isdecimal():
                with suppress(OSError, ValueError, IndexError):  # it has ended meanwhile
                    found.append(process_of(self._told(entry, "stat")))
        return found

    def _told(self, *where: str) -> str:
        with open(os.path.join(self._proc, *where)) as file:
            return file.read()


def families(roots: Iterable[int], processes: Sequence[Process]) -> list[Process]:
    """These processes and all that descend from them, each once."""
    known = {process.pid: process for process in processes}
    children: dict[int, list[int]] = {}
    for process in processes:
        children.setdefault(process.parent, []).append(process.pid)
    members = dict.fromkeys(pid for pid in roots if pid in known)
    unseen = list(members)
    while unseen:
        born = [child for child in children.get(unseen.pop(), ()) if child not in members]
        members.update(dict.fromkeys(born))
        unseen += born
    return [known[pid] for pid in members]


def process_of(text: str) -> Process:
    """From a `/proc/PID/stat`; the name in it may hold spaces and brackets."""
    fields = text[text.rindex(")") + 2 :].split()
    used = int(fields[11]) + int(fields[12])
    return Process(pid=int(text.split(" ", 1)[0]), parent=int(fields[1]), used=used, start=int(fields[19]))


def all_cpus(text: str) -> tuple[int, int]:
    """From `/proc/stat`: ticks of all CPUs in which they were used, and in which they were there."""
    ticks = [int(word) for word in text.split("\n", 1)[0].split()[1:]][:GUEST]
    return sum(ticks) - ticks[IDLE] - ticks[IOWAIT], sum(ticks)


def _ratio(part: int, whole: int) -> float:
    return round(min(max(part / whole, 0.0), 1.0), PLACES)
