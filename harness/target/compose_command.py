"""Runs the compose command: `docker compose` (version 2) or `docker-compose` (version 1.29), whichever there is.

Both read the same file. The engine is pinned by DOCKER_HOST, whatever the operator's context is.
"""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.errors import TargetError

COMMAND = "GAMEDAY_COMPOSE"  # environment variable: which of the two, where there are both
BUILD_TIMEOUT_S = 900.0
UP_TIMEOUT_S = 120.0
DOWN_TIMEOUT_S = 60.0
LAST_LINES = 25


def compose_command() -> tuple[str, ...]:
    """The words that begin every call; TargetError where neither version is installed."""
    if chosen := os.environ.get(COMMAND):
        return tuple(chosen.split())
    if shutil.which("docker") and _answers("docker", "compose"):
        return ("docker", "compose")
    if shutil.which("docker-compose"):
        return ("docker-compose",)
    raise TargetError(
        "Neither `docker compose` nor `docker-compose` is installed. On Debian: apt install docker-compose; or run "
        "without Docker: --runtime processes"
    )


def _answers(*words: str) -> bool:
    return subprocess.run([*words, "version"], capture_output=True, timeout=30, check=False).returncode == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Compose:
    """One project of one compose file on one engine. `variables` are what the file may use besides the environment."""

    command: tuple[str, ...]
    file: Path
    project: str
    engine: str
    variables: Mapping[str, str]

    def build(self, service: str) -> None:
        """Make the image that all services share; quick where nothing has changed."""
        self._run("build", service, timeout_s=BUILD_TIMEOUT_S)

    def up(self, services: Sequence[str]) -> None:
        """Create and start these, and what they depend on, in the order of their dependencies."""
        self._run("up", "--detach", "--no-build", "--force-recreate", *services, timeout_s=UP_TIMEOUT_S)

    def down(self) -> None:
        """Remove containers, networks and volumes of the project."""
        self._run("down", "--volumes", "--remove-orphans", "--timeout", "3", timeout_s=DOWN_TIMEOUT_S)

    def version(self) -> str:
        return self._run("version", "--short", timeout_s=30).strip()

    def _run(self, *words: str, timeout_s: float) -> str:
        call = [*self.command, "--project-name", self.project, "--file", str(self.file), *words]
        environment = {**os.environ, **self.variables, "DOCKER_HOST": self.engine}
        try:
            done = subprocess.run(
                call,
                env=environment,
                cwd=self.file.parent,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                timeout=timeout_s,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise TargetError(f"`{' '.join(call)}` has not ended within {timeout_s:g} s.") from error
        if done.returncode != 0:
            last = "\n".join(f"  {line}" for line in done.stdout.splitlines()[-LAST_LINES:])
            raise TargetError(f"`{' '.join(call)}` ended with {done.returncode}:\n{last}")
        return done.stdout
