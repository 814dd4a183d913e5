"""Injects and reverts the planned faults, one journalled step at a time, and shows through the data path that each one
bites and is gone again.
"""

from collections.abc import Callable
from typing import Literal

from harness.faults.journal import Journal
from harness.plan import PlannedFault
from harness.record import rows
from harness.target.target import RunningTarget, TargetSpec

HarnessDefect = Literal["toxic_not_applied", "fault_not_reverted"]


class Injector:
    """The faults of one run. Every method is safe to repeat; different faults may be handled at the same time."""

    def __init__(
        self,
        target: RunningTarget,
        faults: tuple[PlannedFault, ...],
        journal: Journal,
        *,
        on_event: Callable[[rows.Event], None],
        harness_defect: str | None = None,
    ) -> None:
        raise NotImplementedError

    async def prepare(self) -> None:
        """Take the snapshot and a reading "before" for each fault. Raise UncleanError when something is left over from
        another run, FaultError when a path does not answer."""

    async def inject(self, fault_id: str) -> None:
        """Inject, read back, confirm by canary. A restart returns once the service is healthy again, and is then over.
        Raise FaultError when it could not be injected (it has been undone), or when the guard has taken over."""

    async def watch(self, fault_id: str) -> None:
        """A reading "during" every second until the fault is being reverted; returns then. Run it as a task."""

    async def revert(self, fault_id: str) -> None:
        """Undo, read back, and read "after" until the effect is gone; nothing happens when it is gone already.
        Raise UncleanError (with the commands that fix it) when that cannot be shown within bounded time."""

    async def revert_all(self) -> None:
        """Revert everything that is not verified as reverted, going on after errors; raise one UncleanError at the end."""


def refusals(faults: tuple[PlannedFault, ...], target: TargetSpec) -> list[str]:
    """Why these faults may not be injected into this target, in sentences; empty when they may."""
    raise NotImplementedError
