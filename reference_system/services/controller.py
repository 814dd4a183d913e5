"""The only decider of the degradation level and of alerts: `python -m reference_system.services.controller`.

Once a period it asks every replica for its raw observations and tells it the level, merges what came, decides, and
tells a changed level at once. Depends on neither Redis nor Postgres. A replica that does not answer in time is left
out; an evaluation that nobody answered is none, and the level stays. A controller that has just been started goes on
from the level that it finds the replicas at. What waits and how full things are, for alerts, it asks the worker.
"""

import asyncio
import math
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import msgspec
from prometheus_client import CollectorRegistry, Counter, Gauge

from reference_system import defects
from reference_system.policies import degradation
from reference_system.services import exchange
from reference_system.services.alerts import Alerts, inputs_of
from reference_system.services.autoscaler import Autoscaler
from reference_system.services.exchange import Backlogs, Instruction, Observations
from reference_system.services.light_httpx import httpx
from reference_system.services.log import Log
from reference_system.services.operator_app import operator_app
from reference_system.services.parts import ControllerParts
from reference_system.services.server import run
from reference_system.services.settings import ControllerSettings, controller_settings

# Shares of the period.
ANSWER_WITHIN = 0.6  # the rest is for deciding and telling
WORKER_ANSWERS_WITHIN = 0.2  # a silent worker must not delay the level
WORKER_HOLDS_FOR = 3.0  # a busy worker's last answer is still worth something
Told = TypeVar("Told", Observations, Backlogs)


class ControllerMetrics:
    def __init__(self, registry: CollectorRegistry) -> None:
        self.evaluations = Counter("degradation_evaluations_total", "Evaluations so far", registry=registry)
        self.level = Gauge("degradation_level", "Level decided by the last evaluation", registry=registry)
        self.input = Gauge("degradation_input", "Inputs of the last evaluation", ["input"], registry=registry)
        self.feature = Gauge("feature_enabled", "1 if the feature is on", ["feature"], registry=registry)
        self.replicas = Gauge("degradation_input_replicas", "Replicas that answered", registry=registry)

    def show(self, evaluated: "Evaluated", *, features_off: frozenset[str]) -> None:
        """All of one evaluation in one step: no await in here, so no scrape sees half of it."""
        self.evaluations.inc()
        self.level.set(evaluated.decision.level)
        for name, value in evaluated.named_inputs().items():
            self.input.labels(name).set(value)
        for feature in degradation.FEATURES:
            self.feature.labels(feature).set(feature not in features_off)
        self.replicas.set(evaluated.replicas)


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluated:
    number: int
    replicas: int
    inputs: degradation.Inputs
    decision: degradation.Decision

    def named_inputs(self) -> dict[str, float]:
        return {
            "latency_p99_ms": self.inputs.latency_p99_ms,
            "error_ratio": self.inputs.error_ratio,
            "cpu_ratio": self.inputs.cpu_ratio,
        }


class Controller:
    def __init__(self, settings: ControllerSettings, *, parts: ControllerParts, registry: CollectorRegistry) -> None:
        self._settings = settings
        self._parts = parts
        self._metrics = ControllerMetrics(registry)
        self._log = Log(settings.place.service)
        self._state = degradation.State()
        self._level_known = False
        self._evaluations = 0
        self._alerts = Alerts(parts.alert_rules, registry=registry, log=self._log)
        self._autoscaler: Autoscaler | None = None
        if settings.autoscaling:
            self._autoscaler = Autoscaler(
                parts.scaling,
                processes=len(settings.replicas),
                window_s=settings.input_window_s,
                registry=registry,
                log=self._log,
            )
        self._backlogs: Backlogs | None = None
        self._backlogs_at_s = -math.inf
        self.healthy = False

    async def work(self) -> None:
        """Evaluate on a fixed beat; a beat that was missed (a paused process) is skipped, not made up for."""
        period_s = self._settings.evaluation_period_s
        loop = asyncio.get_running_loop()
        beat_s = loop.time()
        async with httpx.AsyncClient(timeout=ANSWER_WITHIN * period_s) as client:
            self.healthy = True
            while True:
                await self.turn(client)
                beat_s += period_s * max(1, 1 + (loop.time() - beat_s) // period_s)
                await asyncio.sleep(beat_s - loop.time())

    async def turn(self, client: httpx.AsyncClient) -> None:
        """One evaluation, from asking to telling."""
        told, backlogs = await asyncio.gather(self._ask_all(client), self._ask_worker(client))
        answers = [answer for answer in told if answer is not None]
        now_s = asyncio.get_running_loop().time()
        self._find_level(answers)
        evaluated = self._evaluate(answers) if answers else None
        # No await from here until all is shown, so that a scrape sees all of one evaluation.
        if evaluated is None:
            self._metrics.replicas.set(0)
        else:
            self._show(evaluated)
        inputs = inputs_of(
            evaluated.inputs if evaluated else None,
            answers,
            backlogs,
            level=self._state.level,
            replicas_were_there=self._level_known,
        )
        self._alerts.evaluate(inputs, now_s)
        if self._autoscaler is not None:
            self._autoscaler.sync(told, now_s)
        if evaluated is not None and evaluated.decision.changed:
            await self._ask_all(client)

    async def _ask_all(self, client: httpx.AsyncClient) -> list[Observations | None]:
        """Tell every replica the present level, and how many slots it has, and take its observations."""
        level = self._parts.announced(self._state.level) if self._level_known else None
        window_s = self._settings.input_window_s
        asked = []
        for number, url in enumerate(self._settings.replicas):
            slots = self._autoscaler.slots(number) if self._autoscaler is not None else None
            asked.append(_replica(client, url, Instruction(level=level, window_s=window_s, slots=slots)))
        return await asyncio.gather(*asked)

    async def _ask_worker(self, client: httpx.AsyncClient) -> Backlogs | None:
        """The worker's answer, or its last one if that is not old."""
        url, period_s = self._settings.worker, self._settings.evaluation_period_s
        if not url:
            return None
        asked = client.get(f"{url}{exchange.BACKLOGS_PATH}", timeout=WORKER_ANSWERS_WITHIN * period_s)
        told, now_s = await _told(asked, Backlogs), asyncio.get_running_loop().time()
        if told is not None:
            self._backlogs, self._backlogs_at_s = told, now_s
        return self._backlogs if now_s - self._backlogs_at_s < WORKER_HOLDS_FOR * period_s else None

    def _find_level(self, answers: Sequence[Observations]) -> None:
        """The highest that a replica acts at is the one that the controller before this one has told last."""
        if answers and not self._level_known:
            self._level_known = True
            found = degradation.Level(max(answer.level for answer in answers))
            self._state = degradation.State(level=found)

    def _evaluate(self, answers: Sequence[Observations]) -> Evaluated:
        self._evaluations += 1
        inputs = merged(answers)
        now_s = asyncio.get_running_loop().time()
        self._state, decision = self._parts.evaluate(self._state, inputs, now_s, self._settings.leave_after)
        return Evaluated(number=self._evaluations, replicas=len(answers), inputs=inputs, decision=decision)

    def _show(self, evaluated: Evaluated) -> None:
        decision = evaluated.decision
        self._metrics.show(evaluated, features_off=self._parts.features_off(decision.level))
        if decision.changed and self._parts.logs_change_to(decision.level):
            facts = {"inputs": evaluated.named_inputs(), "evaluation": evaluated.number}
            self._log("level_changed", **{"from": int(decision.previous), "to": int(decision.level)}, **facts)


def merged(answers: Sequence[Observations]) -> degradation.Inputs:
    """The cluster's inputs: exact p99 of all latencies, errors over all handled, mean of the busy shares."""
    latencies_ms = [latency for answer in answers for latency in answer.latencies_ms]
    return degradation.Inputs(
        latency_p99_ms=degradation.exact_p99(latencies_ms),
        error_ratio=degradation.error_ratio(
            ok=sum(answer.ok for answer in answers), error=sum(answer.error for answer in answers)
        ),
        cpu_ratio=sum(answer.cpu_ratio for answer in answers) / len(answers),
    )


async def _replica(client: httpx.AsyncClient, url: str, instruction: Instruction) -> Observations | None:
    return await _told(client.post(f"{url}{exchange.PATH}", content=msgspec.json.encode(instruction)), Observations)


async def _told(asked: Awaitable[httpx.Response], kind: type[Told]) -> Told | None:
    try:
        answer = await asked
        answer.raise_for_status()
        return msgspec.json.decode(answer.content, type=kind)
    except (httpx.HTTPError, msgspec.DecodeError):
        return None


def main() -> None:
    settings = controller_settings()
    parts = defects.for_controller(settings.place.defect, ControllerParts())
    registry = CollectorRegistry()
    run(operator_app(Controller(settings, parts=parts, registry=registry), registry), settings.place)


if __name__ == "__main__":
    main()
