"""One fault injected by hand: no load and no verdict, but the same journal, guard and canary as in a run."""

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path

from harness import clock
from harness.errors import UncleanError
from harness.faults.injector import Injector
from harness.faults.journal import Journal
from harness.faults.lease import Guard
from harness.interrupts import Interrupts
from harness.plan import PlannedFault
from harness.record import rows
from harness.runner import Stop
from harness.target.running_target import RunningTarget


async def by_hand(
    target: RunningTarget,
    faults: tuple[PlannedFault, ...],
    folder: Path,
    *,
    interrupts: Interrupts,
    on_stage: Callable[[str], None],
) -> None:
    """Inject, tell what the canary sees, and revert when the time is over or the operator says so. All `faults` are one
    that was written, or the parts of it; their times count from now.

    Raises FaultError when it could not be injected, UncleanError when it could not be shown to be reverted.
    """

    def tell(event: rows.Event) -> None:
        if isinstance(event, rows.CanaryReading):
            where = f"{event.path} " if len(faults) > 1 else ""
            on_stage(f"{where}{event.stage}: {event.detail or ('answers' if event.answered else 'no answer')}")
        elif isinstance(event, rows.FaultEdge):
            on_stage(
                f"{event.action} {event.fault}: {'confirmed' if event.confirmed else 'NOT confirmed'}. {event.detail}"
            )

    journal = Journal(folder / "journal.jsonl", run=folder.name)
    injector = Injector(target, faults, journal, on_event=tell)
    stop = Stop()
    with interrupts.lead_to(partial(stop.ask, "operator")):
        guard = await asyncio.to_thread(Guard.start, journal.path)
        try:
            await injector.prepare()
            await _live(injector, guard, faults, stop)
        except ExceptionGroup as errors:
            raise _worst(errors) from errors
        finally:
            await injector.revert_all()
            await asyncio.to_thread(guard.release)
            journal.close()


async def _live(injector: Injector, guard: Guard, faults: tuple[PlannedFault, ...], stop: Stop) -> None:
    """Each fault from its injection to its revert, and the guard held meanwhile; a stop ends all of them."""
    now_ns = clock.now_ns()
    async with asyncio.TaskGroup() as living:
        holding = living.create_task(guard.hold())
        lives = [living.create_task(_live_one(injector, fault, stop, from_ns=now_ns)) for fault in faults]
        await asyncio.wait(lives)
        holding.cancel()


async def _live_one(injector: Injector, fault: PlannedFault, stop: Stop, *, from_ns: int) -> None:
    if await stop.asked_before(from_ns + int(fault.inject_s * clock.NS_PER_S)):
        return
    await injector.inject(fault.id)
    async with asyncio.TaskGroup() as watching:
        watching.create_task(injector.watch(fault.id))
        await stop.asked_before(clock.now_ns() + int((fault.revert_s - fault.inject_s) * clock.NS_PER_S))
        await injector.revert(fault.id)


def _worst(errors: ExceptionGroup[Exception]) -> BaseException:
    """One of what went wrong in several parts: what is unclean outweighs the rest."""
    worst: BaseException = errors.subgroup(UncleanError) or errors
    while isinstance(worst, BaseExceptionGroup):
        worst = worst.exceptions[0]
    return worst
