"""The reference system in containers, and everything on its engine that a run could change."""

from pathlib import Path
from typing import Any

from harness.errors import GamedayError
from harness.loader import load_target
from harness.target.compose_command import compose_command
from harness.target.engine import PROJECT_LABEL, Engine, engine_url
from tests.loopback import loopback

PROJECT_FOLDER = Path(__file__).parents[3]
SPEC_PATH = PROJECT_FOLDER / "reference_system" / "one_region.yaml"
SPEC = load_target(SPEC_PATH)
WHOLE = load_target(SPEC_PATH.with_name("target.yaml"))
LOOPBACK = loopback(51)
PROJECT = f"gameday-{LOOPBACK.replace('.', '-')}"


def why_not() -> str:
    """Why nothing can be tested here; empty where it can."""
    try:
        compose_command()
        Engine(engine_url(None), PROJECT).info()
    except GamedayError as error:
        return str(error)
    return ""


def snapshot(project: str = PROJECT) -> dict[str, Any]:
    """Every network and volume of the engine, and every container of the project with all that a fault could change."""
    engine = Engine(engine_url(None), project)
    with engine.client() as client:
        containers = client.containers.list(all=True, filters={"label": f"{PROJECT_LABEL}={project}"})
        return {
            "containers": {one.name: _container(one.attrs) for one in containers},
            "networks": sorted(network.id for network in client.networks.list()),
            "volumes": sorted(volume.name for volume in client.volumes.list()),
        }


def _container(attributes: dict[str, Any]) -> dict[str, Any]:
    state, host = attributes["State"], attributes["HostConfig"]
    own = attributes["Id"][:12]
    return {
        "id": attributes["Id"],
        "state": (state["Running"], state["Paused"]),
        "limits": (host["NanoCpus"], host["Memory"], host["MemorySwap"], host["CpuQuota"]),
        "networks": {
            name: (
                sorted({*(one["Aliases"] or ())} - {own}),
                *(one["IPAddress"], one["GlobalIPv6Address"], one["MacAddress"]),
                *(one[asked_for] or None for asked_for in ("IPAMConfig", "DriverOpts", "Links")),
            )
            for name, one in attributes["NetworkSettings"]["Networks"].items()
        },
        "ports": attributes["NetworkSettings"]["Ports"],
    }
