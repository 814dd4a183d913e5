"""Creates the links of a target in its Toxiproxies. Preparation only: faults are put on links elsewhere.

A link that exists as declared is left alone, with whatever is on it; one that exists otherwise is an error, because
changing it would drop its connections behind somebody's back.
"""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from harness.errors import TargetError

TIMEOUT_S = 5.0
EVERYWHERE = "0.0.0.0"  # noqa: S104 - inside a container, whose ports are published on loopback only


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkAddresses:
    """Where a link listens and where it leads, as `host:port`."""

    listen: str
    upstream: str


async def ensure_links(toxiproxy_url: str, links: Mapping[str, LinkAddresses]) -> None:
    """Create what is missing."""
    try:
        no_tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # never used; the default one reads all certificates first
        async with httpx.AsyncClient(
            base_url=toxiproxy_url, timeout=TIMEOUT_S, trust_env=False, verify=no_tls
        ) as client:
            answer = await client.get("/proxies")
            answer.raise_for_status()
            existing = answer.json()
            for name, addresses in links.items():
                if name in existing:
                    _check(toxiproxy_url, name, addresses, existing[name])
                else:
                    await _create(client, name, addresses)
    except httpx.HTTPError as error:
        raise TargetError(f"Toxiproxy at {toxiproxy_url} did not answer as expected: {error!r}") from error


async def _create(client: httpx.AsyncClient, name: str, addresses: LinkAddresses) -> None:
    wanted = {"name": name, "listen": addresses.listen, "upstream": addresses.upstream, "enabled": True}
    answer = await client.post("/proxies", json=wanted)
    if answer.status_code != httpx.codes.CREATED:
        raise TargetError(f'The link "{name}" could not be created at {addresses.listen}: {answer.text.strip()}')
    _check(str(client.base_url), name, addresses, answer.json())


def _check(toxiproxy_url: str, name: str, wanted: LinkAddresses, found: Mapping[str, Any]) -> None:
    listens = found["listen"].replace("[::]", EVERYWHERE)  # as Toxiproxy shows it
    if (listens, found["upstream"]) != (wanted.listen, wanted.upstream):
        raise TargetError(
            f'The link "{name}" of {toxiproxy_url} goes from {found["listen"]} to {found["upstream"]}; '
            f"declared is from {wanted.listen} to {wanted.upstream}. Is it another system's Toxiproxy?"
        )
