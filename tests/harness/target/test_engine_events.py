"""What the engine tells of a project's containers, and what is said when it stops telling."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import docker
import pytest

from harness.errors import TargetError
from harness.target.engine import PROJECT_LABEL, SERVICE_LABEL, Engine
from harness.target.engine_events import EngineEvent, EngineEvents

DIES = {
    "Type": "container",
    "Action": "die",
    "timeNano": 17,
    "Actor": {"Attributes": {PROJECT_LABEL: "ours", SERVICE_LABEL: "api", "exitCode": "137"}},
}
SOMEBODY_ELSES = {**DIES, "Actor": {"Attributes": {PROJECT_LABEL: "theirs", SERVICE_LABEL: "api"}}}
LEAVES = {"Type": "network", "Action": "disconnect", "timeNano": 18, "Actor": {"Attributes": {"container": "0a1b"}}}


class TellingEngine(Engine):
    """Tells some events, and nothing more until it goes away."""

    def __init__(self, *told: dict[str, Any]) -> None:
        super().__init__("unix:///nowhere.sock", "ours")
        self._told = told
        self.gone = threading.Event()

    @contextmanager
    def client(self) -> Iterator[docker.DockerClient]:
        yield cast(docker.DockerClient, self)  # only its events are asked for

    def events(self, decode: bool, filters: dict[str, list[str]]) -> "TellingEngine":
        return self

    def __iter__(self) -> Iterator[dict[str, Any]]:
        yield from self._told
        self.gone.wait(10)

    def close(self) -> None:
        self.gone.set()


def all_of(events: EngineEvents, count: int) -> list[EngineEvent]:
    until_s = time.monotonic() + 5
    while len(events.all()) < count and time.monotonic() < until_s:
        time.sleep(0.001)
    return events.all()


def test_only_what_happens_to_the_projects_own_containers_is_kept() -> None:
    engine = TellingEngine(SOMEBODY_ELSES, DIES, LEAVES)
    events = EngineEvents(engine, {"0a1b": "redis"})
    events.start()

    found = all_of(events, 2)

    engine.gone.set()
    assert found == [
        EngineEvent(unix_ns=17, service="api", action="die", exit_code="137"),
        EngineEvent(unix_ns=18, service="redis", action="disconnect"),
    ]


def test_an_engine_that_has_gone_away_is_an_error_and_not_silence() -> None:
    engine = TellingEngine(DIES)
    events = EngineEvents(engine, {})
    events.start()
    assert len(all_of(events, 1)) == 1

    engine.gone.set()
    events._thread.join(timeout=5)

    events.start()  # as whatever is done next to a service does
    with pytest.raises(TargetError, match="has stopped telling"):
        events.all()


def test_one_that_was_let_go_is_not() -> None:
    engine = TellingEngine(DIES)
    events = EngineEvents(engine, {})
    events.start()
    all_of(events, 1)

    events.close()
    events._thread.join(timeout=5)

    assert len(events.all()) == 1
