"""Starts, commands and watches the load shards: one Locust process each, never a library call.

`import locust` patches the whole interpreter, so the harness only ever talks to it: lines of JSON over a socket,
evidence over files. The driver decides nothing about the load; the plan and the seed did, before it was started.
"""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from harness.clock import now_ns
from harness.errors import LoadError
from harness.load.defects import LOAD_DEFECTS
from harness.load.live_figures import Counts, LiveFigures, merged
from harness.load.messages import Begin, Broken, Done, Drained, Ready, Report, Second, Started, Stop
from harness.load.shard_process import ShardProcess
from harness.plan import Plan
from harness.record import rows

__all__ = ["Counts", "LiveFigures", "LocustDriver"]

STOP_GRACE_S = 3.0  # beyond the deadline of the last request
SIGTERM_GRACE_S = 3.0


class LocustDriver:
    """All shards of one run; where the generator cannot start, LoadError, and a shard that dies later is an event.

    `plan_path` holds the plan as JSON. Rows go to `run_folder`/requests-<shard>.arrow, logs to `run_folder`/load/.
    """

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
        if plan.load.shards < 1:
            raise LoadError(f"$.load.shards is {plan.load.shards}; at least one process must make the load.")
        if urlsplit(entry_url).scheme != "http":
            raise LoadError(f"The load enters at {entry_url}: only http://host:port is supported.")
        self._on_event = on_event
        self._deadline_s = float(plan.load.deadline)
        self._reports: list[tuple[int, Second]] = []
        self._shards = [
            ShardProcess(
                number,
                plan.load.shards,
                plan_path=plan_path,
                run_folder=run_folder,
                entry_url=entry_url,
                harness_defect=harness_defect if harness_defect in LOAD_DEFECTS else None,
                on_report=self._on_report,
                on_death=self._on_death,
            )
            for number in range(plan.load.shards)
        ]

    @property
    def live(self) -> LiveFigures:
        return merged(self._reports, alive=frozenset(shard.number for shard in self._shards if shard.reporting))

    async def start(self, *, within_s: float = 60.0) -> None:
        """Start every shard and wait until all have prepared their visitors; LoadError with the log's end if not."""
        try:
            async with asyncio.timeout(within_s):
                await asyncio.gather(*(shard.start() for shard in self._shards))
                await asyncio.gather(*(shard.until_ready() for shard in self._shards))
        except TimeoutError as error:
            late = next(shard for shard in self._shards if not shard.is_ready)
            await self.close()
            raise LoadError(
                f"Load shard {late.number} was not ready within {within_s:g}s.\n{late.log_end()}"
            ) from error
        except BaseException:
            await self.close()
            raise

    def begin(self, load_start_ns: int) -> None:
        """Tell every shard the zero of the timeline (CLOCK_MONOTONIC, best a little in the future); returns at once."""
        for shard in self._shards:
            shard.say(Begin(at_ns=load_start_ns))

    async def wait(self) -> None:
        """Return once every shard has ended: its schedule is offered and drained, it was stopped, or it died."""
        await asyncio.gather(*(shard.until_ended() for shard in self._shards))

    async def stop(self, reason: str) -> None:
        """Offer nothing more, let open requests end within their deadline; returns when all shards have ended.

        A shard that does not follow is told by SIGTERM, then killed with its group.
        """
        for shard in self._shards:
            shard.say(Stop(reason=reason))
        if not await self._ended_within(self._deadline_s + STOP_GRACE_S):
            await self._end_by_signals()

    async def close(self) -> None:
        """Leave no process behind, whatever happened; safe to repeat and at any time."""
        await self._end_by_signals()
        for shard in self._shards:
            await shard.close()

    async def _end_by_signals(self) -> None:
        for shard in self._shards:
            shard.terminate()
        if not await self._ended_within(SIGTERM_GRACE_S):
            for shard in self._shards:
                shard.kill()
            await self.wait()

    async def _ended_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self.wait()
        except TimeoutError:
            return False
        return True

    def _on_report(self, shard: int, report: Report) -> None:
        match report:
            case Second():
                self._reports.append((shard, report))
                self._on_event(_health(shard, report))
            case Ready():
                self._state(shard, "ready", report.at_ns, f"{report.arrivals} arrivals scheduled")
            case Started():
                self._state(shard, "started", report.at_ns, "")
            case Drained():
                self._state(shard, "drained", report.at_ns, f"{report.given_up} given up")
            case Done():
                self._state(shard, "done", report.at_ns, f"{report.offered} offered, {report.rows} rows")
            case Broken():
                pass  # it dies of it, and then says so with this reason

    def _on_death(self, shard: int, why: str) -> None:
        self._state(shard, "died", now_ns(), why)

    def _state(
        self, shard: int, state: Literal["ready", "started", "drained", "done", "died"], at_ns: int, detail: str
    ) -> None:
        self._on_event(rows.ShardState(at_ns=at_ns, shard=shard, state=state, detail=detail))


def _health(shard: int, second: Second) -> rows.ShardHealth:
    return rows.ShardHealth(
        at_ns=second.at_ns,
        shard=shard,
        scheduled=second.scheduled,
        sent=second.sent,
        in_flight=second.in_flight,
        lag_s_p99=second.lag_s_p99,
        cpu_ratio=second.cpu_ratio,
        open_files=second.open_files,
    )
