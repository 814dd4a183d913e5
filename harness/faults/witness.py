"""Tells the record what was done to the target and what the canaries saw, reading by reading.

It only looks: nothing is injected, undone or journalled here, and whether a reading is good enough to go on is the
injector's business.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

from harness import clock
from harness.faults.attack import Attack
from harness.faults.canary import Reading
from harness.record import rows

MOST_AT_ONCE = 32  # a region's links and services, and a few more


class Witness:
    """Takes readings of attacks in a thread, and writes events."""

    def __init__(self, on_event: Callable[[rows.Event], None]) -> None:
        self._on_event = on_event
        # Their own threads: a canary waits out silence, and an injection or a revert must not queue behind it.
        self._threads = ThreadPoolExecutor(MOST_AT_ONCE, thread_name_prefix="canary")

    async def before(self, attack: Attack) -> None:
        """One reading of the undisturbed path, on top of the measured baseline."""
        reading = await self._read(attack)
        self._tell(attack, "before", reading, agrees=reading.gone)
        attack.forget_readings()

    async def during(self, attack: Attack) -> bool:
        """One reading; whether it shows the fault. Not written where somebody has begun to revert meanwhile: the fault
        may have been undone in the middle of it, so it shows nothing."""
        reading = await self._read(attack)
        if attack.reverting.is_set():
            return False
        self._tell(attack, "during", reading, agrees=reading.bites)
        return reading.bites

    async def after(
        self, attack: Attack, *, within_s: float, retry_s: float, is_disturbed: Callable[[], bool]
    ) -> Reading | None:
        """Readings until one shows that the fault is gone, or time is over; the last one. None, and nothing written,
        where another fault has begun to disturb the path."""
        attack.forget_readings()
        until_ns = clock.now_ns() + int(within_s * clock.NS_PER_S)
        while True:
            reading = await self._read(attack)
            if reading.gone or clock.now_ns() > until_ns:
                break
            await asyncio.sleep(retry_s)
            if is_disturbed():
                return None
        self._tell(attack, "after", reading, agrees=reading.gone)
        return reading

    def edge(
        self,
        attack: Attack,
        action: Literal["inject", "revert"],
        asked_ns: int,
        done_ns: int,
        *,
        confirmed: bool,
        detail: str,
    ) -> None:
        self._on_event(
            rows.FaultEdge(
                at_ns=asked_ns, fault=attack.id, action=action, done_ns=done_ns, confirmed=confirmed, detail=detail
            )
        )

    async def _read(self, attack: Attack) -> Reading:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, attack.expectation.read, attack.path, attack.before)

    def _tell(
        self, attack: Attack, stage: Literal["before", "during", "after"], reading: Reading, *, agrees: bool
    ) -> None:
        self._on_event(
            rows.CanaryReading(
                at_ns=clock.now_ns(),
                fault=attack.id,
                path=attack.path.name,
                stage=stage,
                connected=reading.answer.connected,
                answered=reading.answer.answered,
                round_trip_s=reading.answer.round_trip_s,
                dose=reading.dose,
                wanted_dose=attack.expectation.wanted_dose,
                dose_unit=attack.expectation.dose_unit,
                agrees=agrees,
                detail=reading.detail,
            )
        )
