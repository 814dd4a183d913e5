"""One API replica between the network and the handlers: level, shedding, deadlines, slots, and what it tells the
controller.

Never decides the level: the controller does, and a replica that hears nothing keeps the last one.
"""

import asyncio
import random
from collections.abc import Callable

import msgspec
from prometheus_client import CollectorRegistry, Counter, generate_latest

from reference_system.data import errands
from reference_system.data.dependency import DependencyError
from reference_system.data.errands import Errand
from reference_system.policies import load_shedding
from reference_system.policies.degradation import Level
from reference_system.services.answers import EXPIRED, TOO_LATE, Answer, refusal
from reference_system.services.exchange import Instruction, Observations
from reference_system.services.handlers import Handlers
from reference_system.services.operations import FEATURE_OF, WRITES, Call, Operation
from reference_system.services.outcomes import HANDLED
from reference_system.services.parts import ApiParts
from reference_system.services.placing import Placing
from reference_system.services.replica_metrics import ReplicaMetrics
from reference_system.services.settings import ApiSettings
from reference_system.services.slots import Slots
from reference_system.services.windows import Arrivals, Ended


class Replica:
    """`placing` is None where there is one region; `pool_ratio` tells how much of the database's pool is in use;
    `expired` counts what was dropped because nobody waited for it."""

    def __init__(
        self,
        settings: ApiSettings,
        *,
        parts: ApiParts,
        handlers: Handlers,
        placing: Placing | None,
        pool_ratio: Callable[[], float],
        expired: Counter,
        registry: CollectorRegistry,
    ) -> None:
        self._settings = settings
        self._pool_ratio = pool_ratio
        self._expired = {where: expired.labels(where) for where in ("arrival", "slot", "handler")}
        self._at_work: set[asyncio.Task[Answer]] = set()
        self._placing = placing
        self._parts = parts
        self._handlers = handlers
        self._registry = registry
        self._metrics = ReplicaMetrics(registry)
        self._chance = random.Random(f"{settings.seed} {settings.place.service}")
        self._arrivals = Arrivals(settings.rate_window_s)
        self._ended = Ended()
        self._off = {level.value: parts.features_off(level) for level in Level}
        self._live: set[asyncio.Event] = set()
        self.slots = Slots(settings.slots, service_time_s=settings.service_time_s, deadline_s=settings.deadline_s)
        self.level = 0
        self._take_level(0)

    def off(self, level: int) -> frozenset[str]:
        return self._off[level]

    def arrived(self, now_s: float) -> None:
        self._arrivals.add(now_s)

    def sheds(self, call: Call) -> bool:
        observation = load_shedding.Observation(
            rate_per_s=self._arrivals.rate_per_s(call.arrived_s),
            level=call.level,
            priority=call.priority,
            draw=self._chance.random(),
        )
        return load_shedding.decide(
            observation, target_per_s=self._target_rate_per_s, shed_ratio=self._parts.shed_ratio
        ).shed

    def replaced(self, call: Call) -> Answer | None:
        feature = FEATURE_OF.get(call.operation)
        if feature is None or feature not in call.off:
            return None
        return self._handlers.replacement(call.operation, feature)

    async def work(self, call: Call) -> Answer:
        if call.operation is Operation.UNKNOWN:
            return refusal(404, "no such route")
        if call.left_s <= 0:
            self._expired["arrival"].inc()
            return EXPIRED
        if self._placing is not None:
            return await self._placing.answer(call, self._here)
        return await self._here(call)

    async def _here(self, call: Call) -> Answer:
        """Only who is answered here takes a slot: another region's answer costs that region's."""
        if not await self.slots.work(call.left_s) or call.left_s <= 0:
            self._expired["slot"].inc()
            return EXPIRED
        # The handler is not cancelled: what it has asked a store for comes to its end, so that the connection is not
        # lost with it and the circuit breaker learns of it; but it asks for nothing more.
        handling = asyncio.create_task(self._handle(call))
        self._at_work.add(handling)
        handling.add_done_callback(self._at_work.discard)
        done, _ = await asyncio.wait((handling,), timeout=call.left_s)
        if done:
            return handling.result()
        handling.add_done_callback(_left_alone)
        self._expired["handler"].inc()
        return TOO_LATE

    async def _handle(self, call: Call) -> Answer:
        errands.begin(Errand(priority=call.priority, deadline_s=call.deadline_s, writes=call.operation in WRITES))
        return await self._handlers.answer(call)

    async def close(self) -> None:
        for handling in self._at_work:
            handling.cancel()
        await asyncio.gather(*self._at_work, return_exceptions=True)

    def ended(self, call: Call, answer: Answer, now_s: float) -> None:
        latency_s = now_s - call.arrived_s
        self._metrics.count(call, answer.outcome)
        if answer.decided_elsewhere:
            return  # a region must not degrade, or alert, because another one is ill
        if answer.outcome in HANDLED:
            self._metrics.took(call, latency_s)
        self._ended.add(now_s, self._parts.reported_outcome(answer.outcome), latency_s * 1000, answer.cache)

    def served_lately(self, window_s: float, now_s: float) -> Observations:
        busy = self.slots.busy_ratio(window_s, now_s=now_s)
        ended = self._ended.observations(window_s, now_s=now_s, cpu_ratio=busy)
        return msgspec.structs.replace(
            ended,
            pool_ratio=self._pool_ratio(),
            offered_per_s=self._arrivals.rate_per_s(now_s),
            slots=self.slots.total,
            level=self.level,
        )

    def exchange(self, instruction: Instruction, now_s: float) -> Observations:
        """One evaluation's conversation with the controller."""
        if instruction.level not in (None, self.level):
            self._take_level(instruction.level)
        if instruction.slots is not None:
            self.slots.resize(instruction.slots)
        return self.served_lately(instruction.window_s, now_s)

    def live(self) -> asyncio.Event:
        """Registers an open WebSocket; the event is set when live updates go off, or did while it was being opened."""
        off = asyncio.Event()
        self._live.add(off)
        if not self._is_live():
            off.set()
        return off

    def not_live(self, off: asyncio.Event) -> None:
        self._live.discard(off)

    def metrics(self, now_s: float) -> bytes:
        shown = self._metrics
        shown.slots_total.set(self.slots.total)
        shown.slots_busy.set(self.slots.busy(now_s))
        shown.slots_waiting.set(self.slots.waiting(now_s))
        shown.cpu_ratio.set(self.slots.busy_ratio(1.0, now_s=now_s))
        shown.sockets.set(len(self._live))
        shown.pool.set(self._pool_ratio())
        shown.at_work.set(len(self._at_work))
        rate, target = self._arrivals.rate_per_s(now_s), self._target_rate_per_s
        shown.overload.set(load_shedding.overload_ratio(rate, target_per_s=target, level=self.level))
        return generate_latest(self._registry)

    @property
    def _target_rate_per_s(self) -> float:
        """What is planned for a replica of `settings.slots`; more slots serve more."""
        return self._settings.target_rate_per_s * self.slots.total / self._settings.slots

    def _take_level(self, level: int) -> None:
        self.level = level
        self._metrics.show_level(level, self._parts.features_reported_off(level))
        if not self._is_live():
            for off in self._live:
                off.set()

    def _is_live(self) -> bool:
        return "real_time_updates" not in self.off(self.level)


def _left_alone(handling: asyncio.Task[Answer]) -> None:
    """The end of a handler whose answer nobody has waited for."""
    error = None if handling.cancelled() else handling.exception()
    if error is not None and not isinstance(error, DependencyError):
        report = {"message": "a handler crashed after its deadline", "exception": error}
        asyncio.get_running_loop().call_exception_handler(report)
