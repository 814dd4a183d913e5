"""Runs a target in containers, through the compose command and one pinned engine.

The same compose file as everywhere; `PUBLISH` and `NETWORK` make room for several systems on one machine. What is
started belongs to one compose project, named after its loopback address, and nothing outside it is ever touched.
"""

import asyncio
import ipaddress
import os
from contextlib import suppress
from pathlib import Path

import msgspec

from harness.errors import TargetError
from harness.target.compose_command import Compose, compose_command
from harness.target.defects import check_defect
from harness.target.docker_state import DockerFolder, DockerState
from harness.target.docker_target import DockerTarget
from harness.target.engine import Engine, engine_url
from harness.target.ports import refuse_ports_in_use
from harness.target.project import claim, owner, project_of, removal
from harness.target.target import TargetSpec

REMOVALS, BETWEEN_REMOVALS_S = 4, 1.0


async def up(
    spec: TargetSpec,
    spec_path: Path,
    *,
    state_dir: Path,
    loopback: str = "127.0.0.1",
    defect: str | None = None,
    engine: str | None = None,
) -> DockerTarget:
    """Build the image where it is not up to date, start everything and wait until it is healthy."""
    check_defect(spec, defect)
    state_folder = DockerFolder(state_dir)
    url, project = engine_url(engine), project_of(loopback)
    pinned = Engine(url, project)
    await asyncio.to_thread(pinned.info)  # says clearly where there is none
    if await asyncio.to_thread(pinned.containers):
        whose = f", started from {folder}" if (folder := owner(project)) else ""
        raise TargetError(
            f"Containers of the project {project} exist already{whose}. Run: gameday down, or else {removal(project)}"
        )
    refuse_ports_in_use(loopback, _ports(spec))
    state = DockerState(
        engine=url,
        project=project,
        compose_command=await asyncio.to_thread(compose_command),
        compose_file=str((spec_path.parent / spec.compose).resolve()),
        variables=_variables(spec, loopback=loopback, defect=defect),
        loopback=loopback,
        defect=defect,
    )
    state_folder.write(state)
    claim(project, state_folder.folder)
    compose = Compose(
        command=state.compose_command,
        file=Path(state.compose_file),
        project=project,
        engine=url,
        variables=state.variables,
    )
    try:
        await compose.down()  # what is left of a system whose containers somebody has removed: its databases
        await compose.build(spec.entry)
        await compose.up(tuple(spec.services))
        state_folder.write(msgspec.structs.replace(state, containers=await asyncio.to_thread(pinned.containers)))
        target = DockerTarget(spec, state_folder)
        await asyncio.gather(*(target.until_ready(service) for service in spec.services))
    except BaseException:
        await asyncio.shield(_remove(compose, pinned))
        state_folder.end()
        raise
    return target


async def _remove(compose: Compose, engine: Engine) -> None:
    """The engine may still be making what a compose command has asked it for that was broken off since."""
    for _ in range(REMOVALS):
        with suppress(TargetError):
            await compose.down()
            if not await asyncio.to_thread(engine.containers):
                return
        await asyncio.sleep(BETWEEN_REMOVALS_S)
    await compose.down()


def attach(spec: TargetSpec, state_dir: Path) -> DockerTarget:
    """The target that another process started in this state folder."""
    return DockerTarget(spec, DockerFolder(state_dir))


def network_of(loopback: str) -> str:
    """The first three numbers of the addresses of a system's network: another network for each loopback address."""
    _, _, third, last = ipaddress.IPv4Address(loopback).packed
    return f"172.{30 - third % 10}.{last}"


def _variables(spec: TargetSpec, *, loopback: str, defect: str | None) -> dict[str, str]:
    """What the compose file may use; the variables of the other runtime are emptied, whatever the shell has."""
    return {
        **spec.variables,
        "PUBLISH": loopback,
        "NETWORK": os.environ.get("NETWORK") or network_of(loopback),
        "LOOPBACK": "",
        "DATA": "",
        "TOXIPROXY_SERVER": "",
        spec.defect_variable: defect or "",
    }


def _ports(spec: TargetSpec) -> list[tuple[str, int]]:
    services = [(name, service.port) for name, service in spec.services.items()]
    return services + [(f'the link "{name}"', link.listen) for name, link in spec.links.items()]
