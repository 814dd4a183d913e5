"""Runs a target as plain local processes: no Docker, no root, nothing left behind.

The compose file says what runs, `target.yaml` what it is. `up` starts everything in the order of the dependencies and
as much at once as they allow; if anything goes wrong, what was started is stopped again. The processes belong to no
terminal and outlive a starter that dies; `attach` finds them again from the state folder.
"""

import asyncio
import os
import sys
from pathlib import Path

from harness.errors import ExperimentError, TargetError
from harness.target import process_tree
from harness.target.compose_file import ComposeFile, ComposeService, Condition, read_compose_file
from harness.target.data_folder import data_folder_of, make_data_folder, remove_data_folder
from harness.target.defects import check_defect
from harness.target.ports import refuse_ports_in_use
from harness.target.processes_target import ProcessesTarget
from harness.target.running_state import ServiceState, StateFolder, TargetState
from harness.target.target import TargetSpec
from harness.target.toxiproxy_binary import find_or_build


async def up(
    spec: TargetSpec,
    spec_path: Path,
    *,
    state_dir: Path,
    loopback: str = "127.0.0.1",
    defect: str | None = None,
    profiles: frozenset[str] = frozenset(),
) -> ProcessesTarget:
    """Start the target and wait until all of it is healthy; TargetError says what was in the way."""
    folder = StateFolder(state_dir)
    _refuse_second(folder)
    check_defect(spec, defect)
    data = data_folder_of(folder.folder)
    variables = await _variables(spec, loopback=loopback, data=data, defect=defect)
    compose = read_compose_file((spec_path.parent / spec.compose).resolve(), variables, profiles=profiles)
    compose = _declared(compose, spec)
    refuse_ports_in_use(loopback, _ports(spec))

    remove_data_folder(data)  # an earlier system's, which has died with its machine
    folder.begin(_state_of(compose, spec_path, loopback=loopback, data=data, defect=defect))
    make_data_folder(data)
    target = ProcessesTarget(spec, folder)
    try:
        await _start_all(target, compose)
    except BaseException:
        await asyncio.shield(target.down())
        raise
    return target


def attach(spec: TargetSpec, state_dir: Path) -> ProcessesTarget:
    """The target that another process started (or began to start) in this state folder."""
    return ProcessesTarget(spec, StateFolder(state_dir))


async def _start_all(target: ProcessesTarget, compose: ComposeFile) -> None:
    """Every service as soon as its own dependencies allow, all at once."""
    reached = {name: {condition: asyncio.Event() for condition in Condition} for name in compose.services}

    async def start(service: ComposeService) -> None:
        for name, condition in service.depends_on.items():
            await reached[name][condition].wait()
        target.spawn(service.name)
        reached[service.name][Condition.STARTED].set()
        await target.until_ready(service.name)
        reached[service.name][Condition.HEALTHY].set()

    try:
        async with asyncio.TaskGroup() as starting:
            for service in compose.services.values():
                starting.create_task(start(service))
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None
    if exited := target.exited():
        how = ", ".join(f"{name} {ended.detail}" for name, ended in exited.items())
        raise TargetError(f"The target did not stay up: {how}")


def _refuse_second(folder: StateFolder) -> None:
    """One target per state folder; one that has died without `down` (a restart of the machine) does not count."""
    state = folder.read()
    if state is None:
        return
    alive = [service for service in state.services if process_tree.running(folder.identity(service))]
    if alive:
        raise TargetError(f"A target is up in {folder.folder} ({', '.join(alive)}): stop it with `gameday down`.")


async def _variables(spec: TargetSpec, *, loopback: str, data: Path, defect: str | None) -> dict[str, str]:
    """What the compose file may use: the environment, as with Compose, but nobody plants a defect by accident."""
    variables = {
        **os.environ,
        **spec.variables,
        "LOOPBACK": loopback,
        "DATA": str(data),
        spec.defect_variable: defect or "",
    }
    if any(service.role == "toxiproxy" for service in spec.services.values()):
        variables["TOXIPROXY_SERVER"] = str(await asyncio.to_thread(find_or_build))
    return variables


def _declared(compose: ComposeFile, spec: TargetSpec) -> ComposeFile:
    """What the target file declares: everything, unless it says that it is a part."""
    unknown = set(compose.services) - set(spec.services)
    if unknown and not spec.part_of:
        raise ExperimentError(
            f"{compose.path} has services that the target file of {spec.name} does not name: "
            f"{', '.join(sorted(unknown))}. What is started has to be declared."
        )
    return compose.part(spec.services)


def _ports(spec: TargetSpec) -> list[tuple[str, int]]:
    services = [(name, service.port) for name, service in spec.services.items()]
    return services + [(f'the link "{name}"', link.listen) for name, link in spec.links.items()]


def _state_of(compose: ComposeFile, spec_path: Path, *, loopback: str, data: Path, defect: str | None) -> TargetState:
    levels = {name: number for number, level in enumerate(compose.start_levels()) for name in level}
    return TargetState(
        spec_path=str(spec_path.resolve()),
        folder=str(compose.path.parent),
        loopback=loopback,
        data=str(data),
        defect=defect,
        services={name: _service_state(service, levels[name]) for name, service in compose.services.items()},
    )


def _service_state(service: ComposeService, level: int) -> ServiceState:
    program, *arguments = service.command
    return ServiceState(
        # The interpreter that runs us has the services' packages; the one on PATH may be another.
        command=(sys.executable if program in {"python", "python3"} else program, *arguments),
        environment=service.environment,
        stop_signal=service.stop_signal,
        stop_grace_s=service.stop_grace_s,
        level=level,
        after=tuple(service.depends_on),
    )
