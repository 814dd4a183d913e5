"""The controller against fake replicas that answer in this process."""

import asyncio
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import httpx
import msgspec
import pytest
from prometheus_client import CollectorRegistry
from starlette.types import Receive, Scope, Send

from reference_system import defects
from reference_system.policies import alerting
from reference_system.services.controller import Controller, merged
from reference_system.services.exchange import Backlogs, Instruction, Observations
from reference_system.services.parts import ControllerParts
from reference_system.services.settings import controller_settings

HEALTHY = Observations(latencies_ms=[20.0] * 100, ok=100, error=0, shed=0, disabled=0, cpu_ratio=0.3)
NOTHING_WAITS = Backlogs(
    fanout_depth=0, fanout_lag_s=0.0, replication_lag_s=0.3, cache_memory_ratio=0.1, memory_ratio=0.5
)
AT_ONCE = [replace(rule, for_s=0, keep_firing_for_s=0) for rule in alerting.RULES]
SLOW = msgspec.structs.replace(HEALTHY, latencies_ms=[450.0] * 100)


@dataclass
class FakeReplica:
    """An ASGI application that answers what it is told to, and remembers the levels it heard."""

    answers: Observations | None = HEALTHY
    levels: list[int | None] = field(default_factory=list)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        del scope
        message = await receive()
        self.levels.append(msgspec.json.decode(message["body"], type=Instruction).level)
        status, body = (503, b"") if self.answers is None else (200, msgspec.json.encode(self.answers))
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": body})


@dataclass
class FakeWorker:
    answers: Backlogs | None = NOTHING_WAITS

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        del receive
        assert scope["path"] == "/internal/backlogs"
        status, body = (503, b"") if self.answers is None else (200, msgspec.json.encode(self.answers))
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": body})


class Bench:
    """One controller, two fake replicas and a fake worker."""

    def __init__(self, defect: str = "", *, rules: Sequence[alerting.Rule] | None = None) -> None:
        self.replicas = {"one": FakeReplica(), "two": FakeReplica()}
        self.worker = FakeWorker()
        self.registry = CollectorRegistry()
        settings = controller_settings({"REPLICAS": "http://one, two", "WORKER": "worker", "SERVICE": "controller"})
        parts = defects.for_controller(
            defect, ControllerParts() if rules is None else ControllerParts(alert_rules=rules)
        )
        self._controller = Controller(settings, parts=parts, registry=self.registry)

    def both_answer(self, answers: Observations | None) -> None:
        for replica in self.replicas.values():
            replica.answers = answers

    def evaluate(self, times: int = 1) -> None:
        async def turns() -> None:
            services: dict[str, FakeReplica | FakeWorker] = {**self.replicas, "worker": self.worker}
            mounts = {f"http://{name}": httpx.ASGITransport(app=app) for name, app in services.items()}
            async with httpx.AsyncClient(mounts=mounts) as client:
                for _ in range(times):
                    await self._controller.turn(client)

        asyncio.run(turns())

    def firing(self) -> set[str]:
        return {rule.alert for rule in alerting.RULES if self.metric("alert_firing", alert=rule.alert) == 1}

    def metric(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(name, labels)


def test_a_changed_level_is_told_at_once_and_shown_with_its_inputs() -> None:
    bench = Bench()
    bench.both_answer(SLOW)

    bench.evaluate()

    assert bench.replicas["one"].levels == bench.replicas["two"].levels == [None, 2]
    assert bench.metric("degradation_level") == 2
    assert bench.metric("degradation_evaluations_total") == 1
    assert bench.metric("degradation_input", input="latency_p99_ms") == 450.0
    assert bench.metric("degradation_input", input="cpu_ratio") == pytest.approx(0.3)
    assert bench.metric("feature_enabled", feature="media_previews") == 0
    assert bench.metric("feature_enabled", feature="search") == 1
    assert bench.metric("alert_firing", alert="degradation_level") == 1


def test_a_controller_that_was_started_again_goes_on_from_the_highest_level_that_a_replica_acts_at() -> None:
    bench = Bench()
    bench.replicas["one"].answers = msgspec.structs.replace(HEALTHY, level=4)

    bench.evaluate(4)
    at_first = bench.metric("degradation_level")
    bench.evaluate()

    assert at_first == 4
    assert bench.metric("degradation_level") == 3
    assert bench.replicas["two"].levels == [None, 4, 4, 4, 4, 3]


def test_a_controller_that_nobody_has_answered_tells_nobody_a_level() -> None:
    bench = Bench()
    bench.both_answer(None)
    bench.evaluate(3)

    assert bench.replicas["one"].levels == [None, None, None]


def test_a_replica_that_does_not_answer_is_left_out() -> None:
    bench = Bench()
    bench.replicas["one"].answers = None
    bench.replicas["two"].answers = SLOW

    bench.evaluate()

    assert bench.metric("degradation_input_replicas") == 1
    assert bench.metric("degradation_level") == 2


def test_a_region_none_of_whose_replicas_answers_any_more_has_nothing_but_errors() -> None:
    bench = Bench(rules=AT_ONCE)
    bench.both_answer(None)
    bench.evaluate()
    at_first = bench.firing()
    bench.both_answer(HEALTHY)
    bench.evaluate()
    well = bench.firing()
    bench.both_answer(None)
    bench.evaluate()

    assert (at_first, well, bench.firing()) == (set(), set(), {"api_errors"})
    assert bench.metric("alert_input", input="error_ratio") == 1.0


def test_when_nobody_answers_the_level_stays_and_nothing_counts_as_evaluated() -> None:
    bench = Bench()
    bench.both_answer(SLOW)
    bench.evaluate()
    bench.both_answer(None)

    bench.evaluate(20)

    assert bench.metric("degradation_level") == 2
    assert bench.metric("degradation_evaluations_total") == 1
    assert bench.metric("degradation_input_replicas") == 0


def test_changes_and_alerts_are_logged(capsys: pytest.CaptureFixture[str]) -> None:
    bench = Bench()
    bench.both_answer(SLOW)
    bench.evaluate(2)
    bench.both_answer(HEALTHY)
    bench.evaluate(5)

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    assert [line["event"] for line in lines] == ["level_changed", "alert_fired", "level_changed", "alert_resolved"]
    first = lines[0]
    assert (first["from"], first["to"], first["evaluation"], first["service"]) == (0, 2, 1, "controller")
    assert first["inputs"] == {"latency_p99_ms": 450.0, "error_ratio": 0.0, "cpu_ratio": pytest.approx(0.3)}
    assert (lines[1]["alert"], lines[1]["level"]) == ("degradation_level", 2)


def _replicas(**changes: object) -> Observations:
    return msgspec.structs.replace(HEALTHY, **changes)


def _worker(**changes: object) -> Backlogs:
    return msgspec.structs.replace(NOTHING_WAITS, **changes)


ALERTS = [
    ("all is well", HEALTHY, NOTHING_WAITS, set()),
    ("slow answers", _replicas(latencies_ms=[301.0] * 100), NOTHING_WAITS, {"api_latency"}),
    ("one error in five hundred", _replicas(ok=499, error=1), NOTHING_WAITS, {"api_errors"}),
    ("busy replicas", _replicas(cpu_ratio=0.81), NOTHING_WAITS, {"cpu"}),
    ("WARNING", _replicas(cpu_ratio=0.86), NOTHING_WAITS, {"cpu", "degradation_level"}),
    ("a pool in use up to the last connection", _replicas(pool_ratio=1.0), NOTHING_WAITS, {"connection_pool"}),
    ("caches lack an eighth", _replicas(cached=70, built=10), NOTHING_WAITS, {"cache_hit_ratio"}),
    ("caches lack a twentieth", _replicas(cached=76, built=4), NOTHING_WAITS, set()),
    ("caches have nothing, or are out of reach", _replicas(cached=0, built=80), NOTHING_WAITS, {"cache_hit_ratio"}),
    ("caches lack all, but were hardly asked", _replicas(cached=0, built=9), NOTHING_WAITS, set()),
    ("a full machine", HEALTHY, _worker(memory_ratio=0.86), {"memory"}),
    ("a full Redis", HEALTHY, _worker(cache_memory_ratio=0.91), {"cache_memory"}),
    ("another region is late", HEALTHY, _worker(replication_lag_s=11.0), {"replication_lag"}),
    ("posts wait for long", HEALTHY, _worker(fanout_lag_s=61.0), {"fanout_lag"}),
    ("many posts wait", HEALTHY, _worker(fanout_depth=1_000_001), {"fanout_depth"}),
    ("nobody knows", None, None, set()),
]


@pytest.mark.parametrize(("replicas", "worker", "fires"), [row[1:] for row in ALERTS], ids=[row[0] for row in ALERTS])
def test_an_alert_fires_by_what_replicas_and_worker_tell(
    replicas: Observations | None, worker: Backlogs | None, fires: set[str]
) -> None:
    bench = Bench(rules=AT_ONCE)
    bench.both_answer(replicas)
    bench.worker.answers = worker

    bench.evaluate()

    assert bench.firing() == fires


def test_alerts_are_logged_with_what_was_seen(capsys: pytest.CaptureFixture[str]) -> None:
    bench = Bench(rules=AT_ONCE)
    bench.worker.answers = _worker(fanout_lag_s=61.0)
    bench.evaluate(2)
    bench.worker.answers = NOTHING_WAITS
    bench.evaluate(2)

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    assert [(line["event"], line["alert"], line["value"]) for line in lines] == [
        ("alert_fired", "fanout_lag", 61.0),
        ("alert_resolved", "fanout_lag", 0.0),
    ]


def test_a_worker_that_misses_one_question_is_believed_for_a_while() -> None:
    bench = Bench(rules=AT_ONCE)
    bench.worker.answers = _worker(fanout_lag_s=61.0)
    bench.evaluate()
    bench.worker.answers = None

    bench.evaluate()

    assert bench.firing() == {"fanout_lag"}
    assert bench.metric("alert_input", input="fanout_lag_s") == 61.0


def test_what_was_never_told_is_shown_as_unknown() -> None:
    bench = Bench(rules=AT_ONCE)
    bench.worker.answers = None

    bench.evaluate()

    shown = bench.metric("alert_input", input="fanout_lag_s")
    assert shown is not None
    assert math.isnan(shown)


def test_latencies_of_replicas_are_merged_not_their_percentiles() -> None:
    fast = msgspec.structs.replace(HEALTHY, latencies_ms=[1.0] * 990, ok=990)
    slow = msgspec.structs.replace(HEALTHY, latencies_ms=[900.0] * 10, ok=5, error=5, shed=50, cpu_ratio=0.5)

    inputs = merged([fast, slow])

    assert inputs.latency_p99_ms == 1.0
    assert inputs.error_ratio == pytest.approx(5 / 1000)
    assert inputs.cpu_ratio == pytest.approx(0.4)


def test_few_requests_prove_nothing() -> None:
    few = Observations(latencies_ms=[9000.0] * 5, ok=0, error=5, shed=0, disabled=0, cpu_ratio=0.0)

    inputs = merged([few, few])

    assert (inputs.latency_p99_ms, inputs.error_ratio) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("defect", "shown"),
    [
        ("", {"level": [2, 1, 0], "alert": [1, 0, 0], "told": 2, "logged": True}),
        ("never_leaves_a_level", {"level": [2, 2, 2], "alert": [1, 1, 1], "told": 2, "logged": True}),
        ("leaves_at_once", {"level": [2, 0, 0], "alert": [1, 0, 0], "told": 2, "logged": True}),
        ("skips_warning", {"level": [1, 0, 0], "alert": [0, 0, 0], "told": 1, "logged": True}),
        ("alerts_already_at_advisory", {"level": [2, 1, 0], "alert": [1, 1, 0], "told": 2, "logged": True}),
        ("no_alert_at_warning", {"level": [2, 1, 0], "alert": [0, 0, 0], "told": 2, "logged": True}),
        ("no_level_log", {"level": [2, 1, 0], "alert": [1, 0, 0], "told": 2, "logged": False}),
        ("level_not_pushed", {"level": [2, 1, 0], "alert": [1, 0, 0], "told": 0, "logged": True}),
    ],
)
def test_planted_defects_of_the_controller(
    defect: str, shown: dict[str, object], capsys: pytest.CaptureFixture[str]
) -> None:
    bench = Bench(defect)
    levels, alerts = [], []
    bench.both_answer(SLOW)
    for evaluations in (1, 5, 5):
        bench.evaluate(evaluations)
        levels.append(bench.metric("degradation_level"))
        alerts.append(bench.metric("alert_firing", alert="degradation_level"))
        bench.both_answer(HEALTHY)

    assert levels == shown["level"]
    assert alerts == shown["alert"]
    assert max(level or 0 for level in bench.replicas["one"].levels) == shown["told"]
    assert ("level_changed" in capsys.readouterr().out) == shown["logged"]
