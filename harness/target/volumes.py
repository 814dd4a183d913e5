"""What a service keeps in named volumes: emptied, or looked at, by a short-lived container that shares them.

The service's own container stays what it is, so that it comes back under the same id, name and address. Only volumes
of the target's own compose project are touched. The short-lived container belongs to the project, too, has no network
and carries a name by which whoever undoes a fault can end it.
"""

from contextlib import suppress
from typing import Any

import docker.errors

from harness.errors import TargetError
from harness.target.engine import PROJECT_LABEL, SERVICE_LABEL, Engine

ENDS_WITHIN_S = 20.0  # a container starts in half a second; removing some thousand files takes less
# First out of the service's sight, each in one step; then for good.
EMPTY = """
set -e
for folder; do
    mkdir -p "$folder/.lost"
    find "$folder" -mindepth 1 -maxdepth 1 ! -name .lost -exec mv {} "$folder/.lost/" ';'
    rm -rf "$folder/.lost"
done
"""
IS_EMPTY = 'for folder; do [ -z "$(ls -A "$folder")" ] || exit 1; done'


def folders_of(inspected: dict[str, Any]) -> list[str]:
    """Where the container has named volumes."""
    return [mount["Destination"] for mount in _volumes(inspected)]


def _volumes(inspected: dict[str, Any]) -> list[dict[str, Any]]:
    return [mount for mount in inspected["Mounts"] if mount["Type"] == "volume"]


def empty(engine: Engine, container_id: str, *, name: str) -> None:
    """Remove all that is in the container's volumes; TargetError where that fails, where one is not the project's, and
    where the container runs."""
    status, output = _run(engine, container_id, EMPTY, name=name, only_at_rest=True)
    if status != 0:
        raise TargetError(f"{name} could not empty the volumes (exit code {status}): {output}")


def are_empty(engine: Engine, container_id: str, *, name: str) -> bool:
    return _run(engine, container_id, IS_EMPTY, name=name)[0] == 0


def end(engine: Engine, *, name: str) -> None:
    """Make sure that the short-lived container of this name is gone."""
    with engine.client() as client, suppress(docker.errors.NotFound):
        client.containers.get(name).remove(force=True)


def _run(engine: Engine, container_id: str, script: str, *, name: str, only_at_rest: bool = False) -> tuple[int, str]:
    """The script's exit code and output; the volumes' folders are its arguments."""
    inspected = engine.inspect(container_id)
    with engine.client() as client:
        for mount in _volumes(inspected):
            labels = client.volumes.get(mount["Name"]).attrs.get("Labels") or {}
            if labels.get(PROJECT_LABEL) != engine.project:
                raise TargetError(f"Volume {mount['Name']} is not the project {engine.project}'s; it is left alone.")
        container = client.containers.create(
            inspected["Image"],
            entrypoint=["/bin/sh", "-c", script, name],
            command=folders_of(inspected),
            name=name,
            user="0:0",
            network_mode="none",
            read_only=True,
            volumes_from=[container_id],
            labels={PROJECT_LABEL: engine.project, SERVICE_LABEL: name},
        )
        try:
            # Subtle: looked at only now, because whoever undoes the fault meanwhile removes the container that there is
            # by now, or has started the service before.
            if only_at_rest:
                _refuse_running(engine.inspect(container_id))
            container.start()
            status = int(container.wait(timeout=ENDS_WITHIN_S)["StatusCode"])
            return status, container.logs().decode(errors="replace")
        finally:
            with suppress(docker.errors.NotFound):  # whoever undoes the fault was quicker
                container.remove(force=True)


def _refuse_running(inspected: dict[str, Any]) -> None:
    if inspected["State"]["Running"]:
        raise TargetError(f"{inspected['Config']['Labels'][SERVICE_LABEL]} runs: its data are not taken from under it.")
