"""Creates the links of a target in its Toxiproxies. Preparation only: faults are put on links elsewhere.

A link that exists as declared is left alone, with whatever is on it; one that exists otherwise is an error, because
changing it would drop its connections behind somebody's back.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import aiohttp

from harness.errors import TargetError

TIMEOUT_S = 5.0  # for all of them
EVERYWHERE = "0.0.0.0"  # noqa: S104 - inside a container, whose ports are published on loopback only


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkAddresses:
    """Where a link listens and where it leads, as `host:port`."""

    listen: str
    upstream: str


async def ensure_links(toxiproxy_url: str, links: Mapping[str, LinkAddresses]) -> None:
    """Create what is missing."""
    try:
        async with asyncio.timeout(TIMEOUT_S), aiohttp.ClientSession(toxiproxy_url) as client:
            async with client.get("/proxies", raise_for_status=True) as answer:
                existing = await answer.json()
            for name, addresses in links.items():
                found = existing[name] if name in existing else await _created(client, name, addresses)
                _check(toxiproxy_url, name, addresses, found)
    except (aiohttp.ClientError, TimeoutError) as error:
        raise TargetError(f"Toxiproxy at {toxiproxy_url} did not answer as expected: {error!r}") from error


async def _created(client: aiohttp.ClientSession, name: str, addresses: LinkAddresses) -> Mapping[str, Any]:
    wanted = {"name": name, "listen": addresses.listen, "upstream": addresses.upstream, "enabled": True}
    async with client.post("/proxies", json=wanted) as answer:
        if answer.status != HTTPStatus.CREATED:
            said = (await answer.text()).strip()
            raise TargetError(f'The link "{name}" could not be created at {addresses.listen}: {said}')
        found: Mapping[str, Any] = await answer.json()
        return found


def _check(toxiproxy_url: str, name: str, wanted: LinkAddresses, found: Mapping[str, Any]) -> None:
    listens = found["listen"].replace("[::]", EVERYWHERE)  # as Toxiproxy shows it
    if (listens, found["upstream"]) != (wanted.listen, wanted.upstream):
        raise TargetError(
            f'The link "{name}" of {toxiproxy_url} goes from {found["listen"]} to {found["upstream"]}; '
            f"declared is from {wanted.listen} to {wanted.upstream}. Is it another system's Toxiproxy?"
        )
