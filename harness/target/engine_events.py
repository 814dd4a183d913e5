"""What the engine says has happened to a project's containers: the truth about when something died, and about whose
doing it was not.

A thread reads the engine's stream from the moment of `start`. An engine that goes away ends it; from then on nothing is
known any more, and whoever asks is told so. Instants are nanoseconds of the wall clock, as the engine gives them.
"""

import threading
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import docker.errors
import requests

from harness.errors import TargetError
from harness.target.engine import PROJECT_LABEL, SERVICE_LABEL, Engine

# Not the health checks, which make three events each time.
ACTIONS = ("start", "kill", "die", "oom", "stop", "pause", "unpause", "update", "destroy", "connect", "disconnect")


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineEvent:
    """`action` is one of ACTIONS, the engine's own words."""

    unix_ns: int
    service: str
    action: str
    exit_code: str = ""


class EngineEvents:
    """The events of one project, from `start` on. `services` maps container id → service."""

    def __init__(self, engine: Engine, services: dict[str, str]) -> None:
        self._engine = engine
        self._services = services
        self._seen: list[EngineEvent] = []
        self._listening = threading.Event()
        self._stream: Any = None
        self._closed = False
        self._thread = threading.Thread(target=self._follow, name="engine events", daemon=True)

    def start(self) -> None:
        """Listen from now on, if not yet; returns once the engine has taken the question."""
        if self._thread.ident is None:  # never started; one that has ended stays ended
            self._thread.start()
            self._listening.wait(timeout=5)

    def close(self) -> None:
        self._closed = True
        if self._stream is not None:
            with suppress(OSError, docker.errors.DockerException, requests.RequestException):
                self._stream.close()

    def since(self, unix_ns: int, service: str, actions: tuple[str, ...]) -> EngineEvent | None:
        """The first event of these kinds at or after an instant."""
        for event in self._seen:
            if event.unix_ns >= unix_ns and event.service == service and event.action in actions:
                return event
        return None

    def last(self, service: str, action: str) -> EngineEvent | None:
        return next((one for one in reversed(self._seen) if (one.service, one.action) == (service, action)), None)

    def all(self) -> list[EngineEvent]:
        """Every event so far; TargetError once the engine has stopped telling."""
        if self._listening.is_set() and not self._thread.is_alive() and not self._closed:
            raise TargetError(f"{self._engine.url}: the engine has stopped telling what happens to the containers.")
        return list(self._seen)

    def _follow(self) -> None:
        with suppress(TargetError, AttributeError, ValueError), self._engine.client() as client:  # closed under us
            self._stream = client.events(decode=True, filters={"type": ["container", "network"], "event": [*ACTIONS]})
            self._listening.set()
            for raw in self._stream:
                if event := self._event(raw):
                    self._seen.append(event)
        self._listening.set()

    def _event(self, raw: dict[str, Any]) -> EngineEvent | None:
        attributes = raw["Actor"].get("Attributes") or {}
        if raw["Type"] == "network":
            service = self._services.get(attributes.get("container", ""))
        elif attributes.get(PROJECT_LABEL) == self._engine.project:
            service = attributes.get(SERVICE_LABEL)
        else:
            service = None
        if service is None:
            return None
        return EngineEvent(
            unix_ns=raw["timeNano"],
            service=service,
            action=raw["Action"],
            exit_code=attributes.get("exitCode", ""),
        )
