"""Starts, commands and watches the load shards: one Locust process each, never a library call.

`import locust` patches the whole interpreter, so the harness only ever talks to it: lines of JSON over a pipe, evidence
over files. The driver decides nothing about the load; the plan and the seed did, before it was started.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from harness.plan import Plan
from harness.record import rows


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How scheduled requests ended; `offered` is always the sum of the others plus those still open."""

    offered: int = 0
    ok: int = 0
    shed: int = 0
    disabled: int = 0
    failed: int = 0
    unknown: int = 0
    not_sent: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveFigures:
    """What the load saw lately, merged over all shards; for display and stop conditions, never for verdicts.

    `second` counts the newest second that every living shard has reported, by the time requests *ended* (so that an
    outage shows at once); `at_ns` is the end of it. `latency_s_p99` counts from the scheduled time, over all requests
    that got an answer or gave up in that second (to 2 %), None where there was none.
    """

    at_ns: int | None = None
    second: Counts = Counts()
    total: Counts = Counts()
    latency_s_p99: float | None = None
    in_flight: int = 0
    lag_s_p99: float = 0.0
    shards_alive: int = 0

    @property
    def error_ratio(self) -> float | None:
        """Failed, unknown and unsent over everything that ended in the last second; None where nothing ended."""
        raise NotImplementedError


class LocustDriver:
    """All shards of one run. Every method but `begin` may wait; all raise LoadError where the generator is at fault."""

    def __init__(
        self,
        plan: Plan,
        plan_path: Path,
        run_folder: Path,
        entry_url: str,
        *,
        on_event: Callable[[rows.Event], None],
        harness_defect: str | None = None,
    ) -> None:
        raise NotImplementedError

    @property
    def live(self) -> LiveFigures:
        raise NotImplementedError

    async def start(self, *, within_s: float = 60.0) -> None:
        """Start every shard and wait until all have prepared their visitors; LoadError with the log's tail if not."""
        raise NotImplementedError

    def begin(self, load_start_ns: int) -> None:
        """Tell every shard the zero of the timeline (CLOCK_MONOTONIC, a little in the future); returns at once."""
        raise NotImplementedError

    async def wait(self) -> None:
        """Return once every shard has ended: its schedule is done and drained, it was stopped, or it died."""
        raise NotImplementedError

    async def stop(self, reason: str) -> None:
        """End the load now: nothing more is offered, open requests get their deadline; returns when all have ended."""
        raise NotImplementedError

    async def close(self) -> None:
        """Leave no process behind, whatever happened; safe to repeat and at any time."""
        raise NotImplementedError
