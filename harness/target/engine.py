"""The Docker Engine that a target runs on: one, of this machine, pinned; and only the target's own containers on it.

An engine elsewhere is refused unless it was asked for, because faults would go there. Every call uses a client of its
own: the SDK's is not made for several threads, and a call that waits must not keep others waiting.
"""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import docker
import docker.errors
import requests
from docker.context import ContextAPI
from docker.context.config import get_current_context_name
from docker.models.containers import Container

from harness.errors import ExperimentError, TargetError

LOCAL = "unix:///var/run/docker.sock"
CALL_TIMEOUT_S = 30.0  # longer than any grace period of ours
PROJECT_LABEL = "com.docker.compose.project"
SERVICE_LABEL = "com.docker.compose.service"


def engine_url(asked: str | None) -> str:
    """The engine to use: what was asked for, else this machine's own; ExperimentError where that is not meant."""
    if asked is not None:
        if not asked.startswith("unix://"):
            raise ExperimentError(
                f'"{asked}" is not an engine of this machine: write it like {LOCAL}. The system is reached at loopback '
                "addresses, so an engine on another machine cannot be driven."
            )
        return asked
    elsewhere, by = _configured()
    if elsewhere not in (None, LOCAL, "unix:///run/docker.sock"):
        raise ExperimentError(
            f"Docker is set to {elsewhere} (by {by}). Faults would go there: if that is meant, say --engine {elsewhere}"
        )
    return LOCAL


def _configured() -> tuple[str | None, str]:
    """Where the docker command would go, and who says so: DOCKER_HOST, else DOCKER_CONTEXT, else its own settings."""
    if host := os.environ.get("DOCKER_HOST"):
        return host, "DOCKER_HOST"
    name = os.environ.get("DOCKER_CONTEXT") or get_current_context_name()
    by = f'the context "{name}"' + (" of DOCKER_CONTEXT" if os.environ.get("DOCKER_CONTEXT") else "")
    context = ContextAPI.get_context(name)
    if context is None:
        raise ExperimentError(
            f"Docker is set to {by}, which cannot be found. Say which engine is meant: --engine {LOCAL}"
        )
    if context.Host in (None, "", "http+unix:///var/run/docker.sock"):
        return None, ""
    return str(context.Host).removeprefix("http+"), by


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineInfo:
    """Which engine it is, for people and for the record."""

    url: str
    id: str
    name: str
    version: str

    def sentence(self) -> str:
        return f"Docker Engine {self.version} of {self.name} ({self.url})"


class Engine:
    """Calls to one engine about one compose project; TargetError where a call fails."""

    def __init__(self, url: str, project: str) -> None:
        self.url = url
        self.project = project
        self._api_version = "auto"  # asked for once; otherwise each call would ask first

    @contextmanager
    def client(self) -> Iterator[docker.DockerClient]:
        try:
            with socket.socket(socket.AF_UNIX) as knock:  # the SDK leaves its own socket open when nobody is there
                knock.connect(self.url.removeprefix("unix://"))
            client = docker.DockerClient(base_url=self.url, version=self._api_version, timeout=CALL_TIMEOUT_S)
            self._api_version = client.api.api_version
        except (OSError, docker.errors.DockerException) as error:
            raise TargetError(
                f"No Docker Engine answers at {self.url} ({error}). Start it, or run without: --runtime processes"
            ) from error
        try:
            yield client
        except (docker.errors.DockerException, requests.RequestException) as error:
            raise TargetError(f"{self.url}: {getattr(error, 'explanation', None) or error}") from error
        finally:
            client.close()

    def info(self) -> EngineInfo:
        with self.client() as client:
            about = client.info()
        return EngineInfo(url=self.url, id=about["ID"], name=about["Name"], version=about["ServerVersion"])

    def containers(self) -> dict[str, str]:
        """Service → container id, of every container of the project, running or not."""
        with self.client() as client:
            found = client.api.containers(all=True, filters={"label": f"{PROJECT_LABEL}={self.project}"})
        return {one["Labels"][SERVICE_LABEL]: one["Id"] for one in found}

    @contextmanager
    def container(self, container_id: str) -> Iterator[Container]:
        """One of our containers, freshly inspected; TargetError for anybody else's."""
        with self.client() as client:
            container = client.containers.get(container_id)
            if container.labels.get(PROJECT_LABEL) != self.project:
                raise TargetError(f"Container {container_id} is not the project {self.project}'s; it is left alone.")
            yield container

    def inspect(self, container_id: str) -> dict[str, Any]:
        with self.container(container_id) as container:
            return dict(container.attrs)
