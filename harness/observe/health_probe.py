"""Asks each service for its health once a second and reports changes.

Shows in the record when a service was seen down and up again. Restarts nothing and judges nothing.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from harness import clock
from harness.errors import TargetError
from harness.observe.schedule import moments, one_after_the_other
from harness.record import rows


class HealthProbe:
    """Asks `is_healthy` (e.g. `RunningTarget.is_healthy`) for each service; the first answer counts as a change.

    No answer within a period, and a TargetError, are "not healthy".
    """

    def __init__(
        self,
        is_healthy: Callable[[str], Awaitable[bool]],
        services: Sequence[str],
        *,
        every_s: float = 1.0,
        on_event: Callable[[rows.Event], None],
    ) -> None:
        self._is_healthy = is_healthy
        self._services = tuple(services)
        self._every_s = every_s
        self._on_event = on_event

    async def run(self) -> None:
        """Probe until cancelled."""
        starts = one_after_the_other(len(self._services), self._every_s)
        async with asyncio.TaskGroup() as tasks:
            for service, start_ns in zip(self._services, starts, strict=True):
                tasks.create_task(self._follow(service, start_ns))

    async def _follow(self, service: str, start_ns: int) -> None:
        before: bool | None = None
        async for _ in moments(self._every_s, start_ns=start_ns):
            healthy = await self._ask(service)
            if healthy != before:
                self._on_event(rows.HealthChanged(at_ns=clock.now_ns(), service=service, healthy=healthy))
            before = healthy

    async def _ask(self, service: str) -> bool:
        try:
            async with asyncio.timeout(self._every_s):
                return await self._is_healthy(service)
        except (TimeoutError, TargetError):
            return False
