"""The networks that a container is in: out of one, and back into it as it was."""

from collections.abc import Mapping
from typing import Any

from harness.target.container_target import NetworkAttachment
from harness.target.engine import Engine

KEPT = ("IPAMConfig", "MacAddress", "DriverOpts", "Links")  # besides the aliases; all else follows from these
ADDRESSES = {"IPv4Address": "IPAddress", "IPv6Address": "GlobalIPv6Address"}  # as asked for → as it is


def attachments_of(inspected: dict[str, Any]) -> tuple[NetworkAttachment, ...]:
    own_alias = inspected["Id"][:12]  # which the engine adds by itself
    return tuple(
        NetworkAttachment(
            network=name,
            endpoint={
                "Aliases": sorted({*(one["Aliases"] or ())} - {own_alias}),
                **{key: one[key] for key in KEPT if one.get(key)},
            },
            chosen=_chosen(one),
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
        url = client.api._url("/networks/{0}/connect", attachment.network)  # the same call as the guard's
        body = {"Container": container_id, "EndpointConfig": attachment.endpoint}
        client.api._raise_for_status(client.api._post_json(url, data=body))


def _chosen(attached: Mapping[str, Any]) -> tuple[str, ...]:
    asked_for = attached.get("IPAMConfig") or {}
    return tuple(
        attached[is_now] for asked, is_now in ADDRESSES.items() if attached.get(is_now) and not asked_for.get(asked)
    )
