"""Asks each service for its health once a second and reports changes."""

from collections.abc import Awaitable, Callable, Sequence

from harness.record import rows


class HealthProbe:
    """Asks `is_healthy` (e.g. `RunningTarget.is_healthy`) for each service; the first answer counts as a change."""

    def __init__(
        self,
        is_healthy: Callable[[str], Awaitable[bool]],
        services: Sequence[str],
        *,
        every_s: float = 1.0,
        on_event: Callable[[rows.Event], None],
    ) -> None: ...

    async def run(self) -> None:
        """Probe until cancelled."""
