"""The one table of runtimes: where a target can run, and what can be done to it there."""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from harness.errors import ExperimentError
from harness.target import processes
from harness.target.docker_state import DockerFolder
from harness.target.processes_target import ProcessesTarget
from harness.target.running_state import StateFolder
from harness.target.running_target import Power, RunningTarget
from harness.target.target import TargetSpec

RUNTIMES: Mapping[str, frozenset[Power]] = {
    "processes": ProcessesTarget.powers,
    "docker": frozenset(Power),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which runtime, and what it has to know: its loopback address and, for Docker, an engine other than the usual."""

    runtime: str = "processes"
    loopback: str = "127.0.0.1"
    engine: str | None = None


def check_runtime(name: str) -> None:
    """ExperimentError with the nearest known name for a runtime that there is not."""
    if name not in RUNTIMES:
        near = get_close_matches(name, RUNTIMES, n=1)
        hint = f' Did you mean "{near[0]}"?' if near else ""
        raise ExperimentError(f'"{name}" is not a runtime.{hint} Known: {", ".join(RUNTIMES)}.')


def with_power(power: Power) -> list[str]:
    return [name for name, powers in RUNTIMES.items() if power in powers]


async def up(
    choice: Choice, spec: TargetSpec, spec_path: Path, *, state_dir: Path, defect: str | None
) -> RunningTarget:
    """Start the target and wait until all of it is healthy; TargetError says what was in the way."""
    check_runtime(choice.runtime)
    if choice.runtime == "docker":
        from harness.target import docker  # noqa: PLC0415 - the SDK takes longer to load than a short command to run

        return await docker.up(
            spec, spec_path, state_dir=state_dir, loopback=choice.loopback, defect=defect, engine=choice.engine
        )
    return await processes.up(spec, spec_path, state_dir=state_dir, loopback=choice.loopback, defect=defect)


def running(spec: TargetSpec, state_dir: Path) -> RunningTarget | None:
    """The target that is up in a state folder, whoever started it and wherever it runs; None where none is. TargetError
    where that cannot be told."""
    return next((target for target in known(spec, state_dir) if target.is_up), None)


def known(spec: TargetSpec, state_dir: Path) -> list[RunningTarget]:
    """What was started in a state folder and not taken down, whether or not anything of it is still there."""
    found: list[RunningTarget] = []
    if StateFolder(state_dir).read() is not None:
        found.append(processes.attach(spec, state_dir))
    if DockerFolder(state_dir).read() is not None:
        from harness.target import docker  # noqa: PLC0415 - as above

        found.append(docker.attach(spec, state_dir))
    return found
