"""One fault injected by hand: no load and no verdict, but the same journal, guard and canary as in a run."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from harness import clock
from harness.faults.injector import Injector
from harness.faults.journal import Journal
from harness.faults.lease import Guard
from harness.plan import PlannedFault
from harness.record import rows
from harness.record.writer import create_run_folder
from harness.runner import Stop, stopped_by_signals
from harness.target.target import RunningTarget


async def by_hand(target: RunningTarget, planned: PlannedFault, runs: Path, *, on_stage: Callable[[str], None]) -> None:
    """Inject, tell what the canary sees, and revert when the time is over or the operator says so.

    Raises FaultError when it could not be injected, UncleanError when it could not be shown to be reverted.
    """

    def tell(event: rows.Event) -> None:
        if isinstance(event, rows.CanaryReading):
            on_stage(f"{event.stage}: {event.detail or ('answers' if event.answered else 'no answer')}")
        elif isinstance(event, rows.FaultEdge):
            on_stage(
                f"{event.action} {event.fault}: {'confirmed' if event.confirmed else 'NOT confirmed'}. {event.detail}"
            )

    folder = create_run_folder(runs, name=f"by-hand-{planned.id}", at=clock.utc_now())
    journal = Journal(folder / "journal.jsonl", run=folder.name)
    guard = await asyncio.to_thread(Guard.start, journal.path)
    injector = Injector(target, (planned,), journal, on_event=tell)
    stop = Stop()
    try:
        with stopped_by_signals(stop):
            await injector.prepare()
            await injector.inject(planned.id)
            await _wait(injector, guard, planned, stop)
    finally:
        await injector.revert_all()
        await asyncio.to_thread(guard.release)
        journal.close()


async def _wait(injector: Injector, guard: Guard, planned: PlannedFault, stop: Stop) -> None:
    async with asyncio.TaskGroup() as watching:
        tasks = [watching.create_task(guard.hold()), watching.create_task(injector.watch(planned.id))]
        await stop.asked_before(clock.now_ns() + int((planned.revert_s - planned.inject_s) * clock.NS_PER_S))
        for task in tasks:
            task.cancel()
