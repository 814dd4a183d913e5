"""How short of CPU the machine is, which generator and target share: once a second, from Linux' pressure stall figures.

Judges nothing. Where the kernel has no such figures nothing is recorded.
https://docs.kernel.org/accounting/psi.html
"""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from harness import clock
from harness.clock import NS_PER_S
from harness.observe.schedule import moments
from harness.record import rows

PRESSURE = Path("/proc/pressure/cpu")
EVERY_S = 1.0
US_PER_S = 1_000_000


class MachineWatch:
    def __init__(self, *, on_event: Callable[[rows.Event], None], pressure: Path = PRESSURE) -> None:
        self._on_event = on_event
        self._pressure = pressure

    async def run(self) -> None:
        """Watch until cancelled."""
        before_ns, before_s = 0, None
        async for _ in moments(EVERY_S):
            now_ns, now_s = clock.now_ns(), self._waited_s()
            if before_s is not None and now_s is not None:
                ratio = (now_s - before_s) * NS_PER_S / (now_ns - before_ns)
                self._on_event(rows.MachinePressure(at_ns=now_ns, cpu_waiting_ratio=min(max(ratio, 0.0), 1.0)))
            before_ns, before_s = now_ns, now_s

    def _waited_s(self) -> float | None:
        with suppress(OSError):
            return waited_s(self._pressure.read_text())
        return None


def waited_s(text: str) -> float | None:
    """Since the machine began, the time in which something could have run and had no CPU; None where it is not told."""
    with suppress(ValueError, KeyError):
        for line in text.splitlines():
            what, *figures = line.split()
            if what == "some":
                return int(dict(figure.split("=") for figure in figures)["total"]) / US_PER_S
    return None
