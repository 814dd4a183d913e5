"""The networks that a container is in: out of one, and back into it as it was."""

from typing import Any

from harness.target.container_target import NetworkAttachment
from harness.target.engine import Engine


def attachments_of(inspected: dict[str, Any]) -> tuple[NetworkAttachment, ...]:
    return tuple(
        NetworkAttachment(
            network=name,
            aliases=tuple(sorted({*(one["Aliases"] or ())} - {inspected["Id"][:12]})),
            ipv4_address=(one.get("IPAMConfig") or {}).get("IPv4Address") or "",
        )
        for name, one in sorted(inspected["NetworkSettings"]["Networks"].items())
    )


def disconnect(engine: Engine, container_id: str, network: str) -> None:
    with engine.container(container_id):
        pass  # it is ours
    with engine.client() as client:
        client.api.disconnect_container_from_network(container_id, network)


def connect(engine: Engine, container_id: str, attachment: NetworkAttachment) -> None:
    with engine.client() as client:
        client.api.connect_container_to_network(
            container_id,
            attachment.network,
            ipv4_address=attachment.ipv4_address or None,
            aliases=list(attachment.aliases),
        )
