"""The only decider of the degradation level: `python -m reference_system.services.controller`.

Once a period it asks every replica for its raw observations and tells it the level, merges what came, decides, and
tells a changed level at once. Depends on neither Redis nor Postgres. A replica that does not answer in time is left
out; an evaluation that nobody answered is none, and the level stays.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import httpx
import msgspec
from prometheus_client import CollectorRegistry, Counter, Gauge

from reference_system import defects
from reference_system.policies import degradation
from reference_system.services import exchange
from reference_system.services.exchange import Instruction, Observations
from reference_system.services.log import Log
from reference_system.services.operator_app import operator_app
from reference_system.services.parts import ControllerParts
from reference_system.services.server import run
from reference_system.services.settings import ControllerSettings, controller_settings

ANSWER_WITHIN = 0.6  # share of the period; the rest is for deciding and telling
ALERT = "degradation_level"


class ControllerMetrics:
    def __init__(self, registry: CollectorRegistry) -> None:
        self.evaluations = Counter("degradation_evaluations_total", "Evaluations so far", registry=registry)
        self.level = Gauge("degradation_level", "Level decided by the last evaluation", registry=registry)
        self.input = Gauge("degradation_input", "Inputs of the last evaluation", ["input"], registry=registry)
        self.feature = Gauge("feature_enabled", "1 if the feature is on", ["feature"], registry=registry)
        self.alert = Gauge("alert_firing", "1 while the alert fires", ["alert"], registry=registry)
        self.replicas = Gauge("degradation_input_replicas", "Replicas that answered", registry=registry)

    def show(self, evaluated: "Evaluated", *, features_off: frozenset[str], alert: bool) -> None:
        """All of one evaluation in one step: no await in here, so no scrape sees half of it."""
        self.evaluations.inc()
        self.level.set(evaluated.decision.level)
        for name, value in evaluated.named_inputs().items():
            self.input.labels(name).set(value)
        for feature in degradation.FEATURES:
            self.feature.labels(feature).set(feature not in features_off)
        self.alert.labels(ALERT).set(alert)
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
        self._evaluations = 0
        self._alerting = False
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
        answers = await self._ask_all(client)
        if not answers:
            self._metrics.replicas.set(0)
            return
        evaluated = self._evaluate(answers)
        self._show(evaluated)
        if evaluated.decision.changed:
            await self._ask_all(client)

    async def _ask_all(self, client: httpx.AsyncClient) -> list[Observations]:
        """Tell every replica the present level and take its observations."""
        level = self._parts.announced(self._state.level)
        instruction = msgspec.json.encode(Instruction(level=level, window_s=self._settings.input_window_s))
        asked = (_ask(client, url, instruction) for url in self._settings.replicas)
        return [answer for answer in await asyncio.gather(*asked) if answer is not None]

    def _evaluate(self, answers: Sequence[Observations]) -> Evaluated:
        self._evaluations += 1
        inputs = merged(answers)
        now_s = asyncio.get_running_loop().time()
        self._state, decision = self._parts.evaluate(self._state, inputs, now_s, self._settings.leave_after)
        return Evaluated(number=self._evaluations, replicas=len(answers), inputs=inputs, decision=decision)

    def _show(self, evaluated: Evaluated) -> None:
        decision = evaluated.decision
        alert = self._parts.alert_fires(decision.level)
        self._metrics.show(evaluated, features_off=self._parts.features_off(decision.level), alert=alert)
        if decision.changed and self._parts.logs_change_to(decision.level):
            facts = {"inputs": evaluated.named_inputs(), "evaluation": evaluated.number}
            self._log("level_changed", **{"from": int(decision.previous), "to": int(decision.level)}, **facts)
        if alert != self._alerting:
            self._alerting = alert
            self._log("alert_fired" if alert else "alert_resolved", alert=ALERT, level=int(decision.level))


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


async def _ask(client: httpx.AsyncClient, url: str, instruction: bytes) -> Observations | None:
    try:
        answer = await client.post(f"{url}{exchange.PATH}", content=instruction)
        answer.raise_for_status()
        return msgspec.json.decode(answer.content, type=Observations)
    except (httpx.HTTPError, msgspec.DecodeError):
        return None


def main() -> None:
    settings = controller_settings()
    parts = defects.for_controller(settings.place.defect, ControllerParts())
    registry = CollectorRegistry()
    run(operator_app(Controller(settings, parts=parts, registry=registry), registry), settings.place)


if __name__ == "__main__":
    main()
