"""Runs the compose command: `docker compose` (version 2) or `docker-compose` (version 1.29), whichever there is.

Both read the same file. The engine is pinned by DOCKER_HOST, whatever the operator's context is or
DOCKER_CONTEXT says.
"""

import asyncio
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from harness.errors import TargetError

COMMAND = "GAMEDAY_COMPOSE"  # environment variable: which of the two, where there are both
BUILD_TIMEOUT_S = 900.0
UP_TIMEOUT_S = 120.0
DOWN_TIMEOUT_S = 60.0
GIVE_UP_TIMEOUT_S = 15.0  # between SIGTERM and SIGKILL: it waits for what the engine is just doing for it
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

    async def build(self, service: str) -> None:
        """Make the image that all services share; quick where nothing has changed."""
        await self._run("build", service, timeout_s=BUILD_TIMEOUT_S)

    async def up(self, services: Sequence[str]) -> None:
        """Create and start these, and what they depend on, in the order of their dependencies."""
        await self._run("up", "--detach", "--no-build", "--force-recreate", *services, timeout_s=UP_TIMEOUT_S)

    async def down(self) -> None:
        """Remove containers, networks and volumes of the project."""
        await self._run("down", "--volumes", "--remove-orphans", "--timeout", "3", timeout_s=DOWN_TIMEOUT_S)

    async def version(self) -> str:
        return (await self._run("version", "--short", timeout_s=30)).strip()

    async def _run(self, *words: str, timeout_s: float) -> str:
        """Its output; whoever gives up waiting ends it, and a terminal's Ctrl-C reaches us alone."""
        environment = {**os.environ, **self.variables, "DOCKER_HOST": self.engine}
        environment.pop("DOCKER_CONTEXT", None)
        call = [*self.command, "--project-name", self.project, "--file", str(self.file), *words]
        process = await asyncio.create_subprocess_exec(
            *call,
            env=environment,
            cwd=self.file.parent,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            async with asyncio.timeout(timeout_s):
                output = (await process.communicate())[0].decode(errors="replace")
        except TimeoutError as error:
            raise TargetError(f"`{' '.join(call)}` has not ended within {timeout_s:g} s.") from error
        finally:
            await asyncio.shield(_ended(process))
        if process.returncode != 0:
            last = "\n".join(f"  {line}" for line in output.splitlines()[-LAST_LINES:])
            raise TargetError(f"`{' '.join(call)}` ended with {process.returncode}:\n{last}")
        return output


async def _ended(process: asyncio.subprocess.Process) -> None:
    """Ask it to end if it has not, with what it has started itself, and wait for it."""
    if process.returncode is not None:
        return
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    try:
        await asyncio.wait_for(process.communicate(), GIVE_UP_TIMEOUT_S)
    except TimeoutError:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
