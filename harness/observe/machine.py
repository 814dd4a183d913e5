"""How short of CPU the machine is, once a second, as Linux tells it: of it all, and of each service of the target.

The machine's figure is its pressure stall time; a service's is how long its main process waited in a run queue (its
others wait alike, and to look at all of them would take from the CPU that is being watched). Judges nothing. What the
kernel does not tell is not recorded.
https://docs.kernel.org/accounting/psi.html, https://docs.kernel.org/scheduler/sched-stats.html
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from harness import clock
from harness.clock import NS_PER_S
from harness.errors import TargetError
from harness.observe.schedule import moments
from harness.record import rows

EVERY_S = 1.0
US_PER_S = 1_000_000
PLACES = 4  # of a ratio; a tenth of a millisecond in a second


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What the kernel has counted so far, in nanoseconds; `waited` is service → (main process, how long it waited)."""

    at_ns: int
    pressure: int | None
    waited: Mapping[str, tuple[int, int]]

    def since(self, before: "Account") -> rows.MachinePressure:
        took_ns = self.at_ns - before.at_ns
        known = None if self.pressure is None or before.pressure is None else self.pressure - before.pressure
        waiting = {}
        for service, (pid, waited) in self.waited.items():
            known_pid, known_waited = before.waited.get(service, (pid, 0))
            waiting[service] = _ratio(waited - (known_waited if known_pid == pid else 0), took_ns)
        return rows.MachinePressure(
            at_ns=self.at_ns,
            cpu_waiting_ratio=None if known is None else _ratio(known, took_ns),
            services_waiting=waiting,
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
        waited = {}
        for service in self._services:
            with suppress(OSError, ValueError, IndexError, TargetError):
                if pid := await self._main_pid(service):
                    waited[service] = (pid, int(self._told(str(pid), "schedstat").split()[1]))
        pressure = None
        with suppress(OSError):
            pressure = pressure_ns(self._told("pressure", "cpu"))
        return Account(at_ns=clock.now_ns(), pressure=pressure, waited=waited)

    def _told(self, *where: str) -> str:
        return self._proc.joinpath(*where).read_text()


def pressure_ns(text: str) -> int | None:
    """Since the machine began, the time in which something could have run and had no CPU; None where it is not told."""
    with suppress(ValueError, KeyError):
        for line in text.splitlines():
            what, *figures = line.split()
            if what == "some":
                return int(dict(figure.split("=") for figure in figures)["total"]) * (NS_PER_S // US_PER_S)
    return None


def _ratio(waited_ns: int, took_ns: int) -> float:
    return round(min(max(waited_ns / took_ns, 0.0), 1.0), PLACES)
