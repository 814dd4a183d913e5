"""The conductor: target, load, faults and observers, in the order that the plan says. Reads like the experiment.

It writes facts and nothing else. What it watches while the run is live may *stop* the run, never pass or fail it; the
verdict is made later, from the record alone.
"""

import asyncio
import gc
import math
import os
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Literal

from harness import clock
from harness.environment import environment
from harness.errors import FaultError, GamedayError, UncleanError
from harness.experiment.faults import ServiceFault
from harness.faults.injector import Injector
from harness.faults.journal import Journal
from harness.faults.lease import Guard
from harness.interrupts import Interrupts
from harness.load.locust_driver import LiveFigures, LocustDriver
from harness.observe import logs
from harness.observe.health_probe import HealthProbe
from harness.observe.machine import MachineWatch
from harness.observe.scraper import ScrapeHole, Scraper
from harness.observe.stop_conditions import StopWatch
from harness.plan import Plan, rate_at
from harness.record import rows
from harness.record.writer import RunWriter, Sample, create_run_folder
from harness.target.running_target import Exit, RunningTarget

LEAD_S = 1.0  # between the last preparation and the first arrival, so that every shard has its order in time
SCRAPE_EVERY_S = 0.5  # twice per evaluation of the reference system's controller, so that none goes unseen
FIRST_SCRAPE_WITHIN_S = 5.0
EXITS_EVERY_S = 0.5
WRITTEN_WITHIN_S = 20.0  # or the disk has so much else to do that one more delay does not matter

Action = Callable[[], Coroutine[None, None, None]]
StoppedBy = Literal["operator", "stop_condition", "error"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """What a person may see of a live run."""

    phase: str
    left_s: float
    run_left_s: float
    load: LiveFigures
    offered_per_s: float
    level: int | None
    active_faults: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """Where the record is, and how the conducting ended (which is no verdict)."""

    folder: Path
    stopped_by: StoppedBy | None
    reason: str
    unclean: str  # how to clean up by hand, empty when clean


@dataclass(slots=True)
class Stop:
    """The one way to end a run early; the first reason counts, and so does its time."""

    asked: asyncio.Event = field(default_factory=asyncio.Event)
    by: StoppedBy | None = None
    reason: str = ""
    asked_ns: int = 0

    def ask(self, by: StoppedBy, reason: str) -> None:
        if self.by is None:
            self.by, self.reason, self.asked_ns = by, reason, clock.now_ns()
            self.asked.set()

    def event(self) -> rows.RunStopped | None:
        """For the record, where a stop was asked for; what was open then ended later."""
        if self.by is None:
            return None
        return rows.RunStopped(at_ns=self.asked_ns, by=self.by, reason=self.reason)

    async def asked_before(self, at_ns: int) -> bool:
        """Wait until an instant or a stop, whichever comes first; whether it was the stop."""
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, (at_ns - clock.now_ns()) / clock.NS_PER_S)):
                await self.asked.wait()
        return self.asked.is_set()

    async def interrupts(self, work: Coroutine[None, None, None]) -> bool:
        """Do some work unless a stop comes first; whether it was done."""
        working = asyncio.ensure_future(work)
        waiting = asyncio.ensure_future(self.asked.wait())
        await asyncio.wait({working, waiting}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if not working.done():
            working.cancel()
            await asyncio.wait({working})
            return False
        working.result()
        return not self.asked.is_set()


class Conductor:
    """One run on a started target."""

    def __init__(
        self,
        plan: Plan,
        target: RunningTarget,
        runs: Path,
        *,
        log_marks: Mapping[str, logs.LogMark],
        interrupts: Interrupts,
        harness_defect: str | None = None,
        on_progress: Callable[[Progress], None] = lambda progress: None,
        meanwhile: Callable[[], object] = lambda: None,
    ) -> None:
        self.plan = plan
        self.target = target
        self.folder = create_run_folder(runs, name=plan.experiment, at=clock.utc_now())
        self.writer = RunWriter(self.folder)
        self.stop = Stop()
        self._on_progress = on_progress
        self._meanwhile = meanwhile
        self._interrupts = interrupts
        self._log_marks = log_marks
        self._journal = Journal(self.folder / "journal.jsonl", run=self.writer.run_id)
        self._guard: Guard | None = None
        self._harness_defect = harness_defect
        self._active_faults: list[str] = []
        self._levels: dict[str, int] = {}  # by the service that reports it
        self._scraped = asyncio.Event()
        self._unclean = ""
        self._injector = Injector(
            target, plan.faults, self._journal, on_event=self.writer.event, harness_defect=harness_defect
        )
        self._driver = LocustDriver(
            plan,
            self.folder / "plan.json",
            self.folder,
            "http://{}:{}".format(*target.address(plan.target.entry)),
            on_event=self.writer.event,
            harness_defect=harness_defect,
        )

    async def conduct(self) -> RunResult:
        """Run the plan from the first preparation to the seal; what goes wrong stops the run and is recorded.

        A signal asks the run to stop and clean up; a second one changes nothing, cleaning goes on.
        """
        self.writer.write_plan(self.plan)
        with self._interrupts.lead_to(partial(self.stop.ask, "operator")):
            about = await self.target.about()
            self.writer.write_environment(
                environment(self.writer.run_id, self.plan, about=about, harness_defect=self._harness_defect)
            )
            try:
                if await self.stop.interrupts(self._prepare()):
                    await self._load_and_disturb()
            except* UncleanError as errors:
                unclean = UncleanError.of(_leaves(errors))
                self._unclean = str(unclean)
                self.stop.ask("error", unclean.sentence)
            except* GamedayError as errors:
                self.stop.ask("error", "\n".join(map(str, _leaves(errors))))
            finally:
                await self._clean_up()
        return RunResult(folder=self.folder, stopped_by=self.stop.by, reason=self.stop.reason, unclean=self._unclean)

    async def _prepare(self) -> None:
        """What takes long, then what has to be looked after: nothing else is done while a run is observed."""
        await asyncio.gather(self._driver.start(), asyncio.to_thread(self._meanwhile))
        self._guard = await asyncio.to_thread(Guard.start, self._journal.path)
        await self._injector.prepare()
        await _written_to_disk()
        gc.collect()
        gc.freeze()  # what exists now stays for the run: looking through it takes a tenth of a second, again and again

    async def _load_and_disturb(self) -> None:
        """Observers first, then the load: what happens in the first second is as much evidence as the rest."""
        async with asyncio.TaskGroup() as observers:
            watching = [observers.create_task(watch) for watch in self._observers()]
            try:
                if not await self.stop.interrupts(self._first_scrape()):
                    return
                start_ns = clock.now_ns() + int(LEAD_S * clock.NS_PER_S)
                self.writer.event(rows.RunStarted(at_ns=clock.now_ns(), load_start_ns=start_ns))
                self._driver.begin(start_ns)
                watching.append(observers.create_task(self._watch_second(start_ns)))
                await self._follow_plan(start_ns)
            finally:
                for task in watching:
                    task.cancel()

    async def _first_scrape(self) -> None:
        with suppress(TimeoutError):  # a target without metrics is driven too; what is missing is the judge's business
            async with asyncio.timeout(FIRST_SCRAPE_WITHIN_S):
                await self._scraped.wait()

    async def _follow_plan(self, start_ns: int) -> None:
        """Do what the plan says when it says it; an action that takes long does not delay the next."""
        async with asyncio.TaskGroup() as actions:
            for at_s, action in self._timeline():
                if await self.stop.asked_before(start_ns + int(at_s * clock.NS_PER_S)):
                    actions.create_task(self._driver.stop(self.stop.reason))
                    break
                actions.create_task(action())
            actions.create_task(self._revert_all())
        await self._driver.wait()

    async def _revert_all(self) -> None:
        try:
            await self._injector.revert_all()
        except UncleanError as error:
            self._unclean = str(error)

    def _timeline(self) -> list[tuple[float, Action]]:
        moments: list[tuple[float, Action]] = []
        for phase in self.plan.phases:
            moments.append((phase.start_s, partial(self._phase_starts, phase.name)))
            moments.append((phase.end_s, partial(self._phase_ends, phase.name)))
        for fault in self.plan.faults:
            moments.append((fault.inject_s, partial(self._inject, fault.id)))
            moments.append((fault.revert_s, partial(self._revert, fault.id)))
        return sorted(moments, key=lambda moment: moment[0])

    async def _phase_starts(self, phase: str) -> None:
        self.writer.event(rows.PhaseStarted(at_ns=clock.now_ns(), phase=phase))

    async def _phase_ends(self, phase: str) -> None:
        self.writer.event(rows.PhaseEnded(at_ns=clock.now_ns(), phase=phase))

    async def _inject(self, fault: str) -> None:
        self._active_faults.append(fault)
        try:
            await self._injector.inject(fault)
            await self._injector.watch(fault)
        except GamedayError as error:
            self.stop.ask("error", str(error))

    async def _revert(self, fault: str) -> None:
        try:
            await self._injector.revert(fault)
        except UncleanError as error:
            self.stop.ask("error", error.sentence)
        finally:
            self._active_faults.remove(fault)

    def _observers(self) -> list[Coroutine[None, None, None]]:
        metrics = {name: service for name, service in self.plan.target.services.items() if service.metrics}
        endpoints = {
            name: "http://{}:{}{}".format(*self.target.address(name), service.metrics)
            for name, service in metrics.items()
        }
        hole = ScrapeHole(start_s=5.0, lasts_s=6.0) if self._harness_defect == "scrape_hole" else None
        scraper = Scraper(
            endpoints, every_s=SCRAPE_EVERY_S, on_samples=self._take_samples, on_event=self.writer.event, hole=hole
        )
        services = list(self.plan.target.services)
        machine = MachineWatch(self.target.main_pid, services, on_event=self.writer.event)
        probe = HealthProbe(self.target.is_healthy, services, on_event=self.writer.event)
        return [scraper.run(), probe.run(), machine.run(), self._hold_guard(), self._notice_exits()]

    def _take_samples(self, samples: list[Sample]) -> None:
        self._scraped.set()
        self.writer.metrics(samples)
        for sample in samples:
            if sample.metric == self.plan.target.metrics.level and math.isfinite(sample.value):
                self._levels[sample.service] = int(sample.value)

    async def _hold_guard(self) -> None:
        assert self._guard is not None, "observers run after the preparation"
        try:
            await self._guard.hold()
        except FaultError as error:
            self.stop.ask("error", str(error))

    async def _notice_exits(self) -> None:
        known: set[str] = set()
        while True:
            exited = self.target.exited()
            for service in exited.keys() - known:
                attacked = service in self._attacked_services()
                self.writer.event(_exit_event(service, exited[service], expected=attacked))
            known = set(exited)
            await asyncio.sleep(EXITS_EVERY_S)

    def _attacked_services(self) -> set[str]:
        active = [fault.fault for fault in self.plan.faults if fault.id in self._active_faults]
        return {fault.service for fault in active if isinstance(fault, ServiceFault)}

    async def _watch_second(self, start_ns: int) -> None:
        """Once a second: the stop conditions, and what a person may see."""
        watch = StopWatch(self.plan.stop_when)
        second = 0
        while True:
            second += 1
            await asyncio.sleep(max(0.0, (start_ns - clock.now_ns()) / clock.NS_PER_S + second))
            live = self._driver.live
            reason = watch.observe(second, live.error_ratio, live.latency_s_p99)
            if reason is not None:
                self.stop.ask("stop_condition", reason)
            self._on_progress(self._progress(float(second), live))

    def _progress(self, now_s: float, live: LiveFigures) -> Progress:
        phase = next((span for span in self.plan.phases if span.start_s <= now_s < span.end_s), self.plan.phases[-1])
        return Progress(
            phase=phase.name,
            left_s=max(0.0, phase.end_s - now_s),
            run_left_s=max(0.0, self.plan.duration_s - now_s),
            load=live,
            offered_per_s=rate_at(self.plan, now_s),
            level=max(self._levels.values(), default=None),
            active_faults=self._active_as_written(),
        )

    def _active_as_written(self) -> tuple[str, ...]:
        """Active faults as the experiment names them: the parts of one are told as one."""
        written = {fault.id: fault.part_of or fault.id for fault in self.plan.faults}
        return tuple(dict.fromkeys(written[fault] for fault in self._active_faults))

    async def _clean_up(self) -> None:
        """Undo everything, whatever happened before, then close the record. The load is ended first: it is ours. A step
        that fails is in the record, and keeps none of the others from its turn."""
        await self._tried(self._driver.close())
        await self._revert_all()
        try:
            if self._guard is not None:
                await asyncio.to_thread(self._guard.release)
        except UncleanError as error:
            self._unclean = str(error)
        await self._tried(asyncio.to_thread(self.target.log_files))  # whole up to now
        stopped = self.stop.event()
        if stopped is not None:
            self.writer.event(stopped)
        self.writer.event(rows.RunEnded(at_ns=clock.now_ns(), clean=not self._unclean))
        logs.collect(self._log_marks, self.folder / "logs")
        self._journal.close()
        self.writer.seal()

    async def _tried(self, step: Awaitable[object]) -> None:
        try:
            await step
        except (GamedayError, OSError) as error:
            self.stop.ask("error", str(error))


async def _written_to_disk() -> None:
    """Let the kernel write now what starting has left it to write.

    It would do so half a minute later, amid the baseline, and a database's commits would wait for the same disk.
    """
    with suppress(TimeoutError):
        await asyncio.wait_for(asyncio.to_thread(os.sync), WRITTEN_WITHIN_S)


def _exit_event(service: str, ended: Exit, *, expected: bool) -> rows.ServiceExited:
    at_ns = clock.now_ns() if ended.unix_ns is None else clock.anchor().monotonic_of(ended.unix_ns)
    return rows.ServiceExited(
        at_ns=at_ns, service=service, expected=expected, detail=ended.detail, by_somebody=ended.by_somebody
    )


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error
