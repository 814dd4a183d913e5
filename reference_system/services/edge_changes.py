"""Whose pages have changed: asked of every region's gateway once a second, and told to the edge's nginx.

Where a region cannot be asked, or nginx not told, what the edge keeps ends by itself a few seconds later.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from reference_system.policies.regions import Region
from reference_system.services.gateway_cache import PATH
from reference_system.services.light_httpx import httpx

ASK_EVERY_S = 1.0
ANSWER_WITHIN_S = 1.0


@dataclass(slots=True, kw_only=True)
class Changes:
    """`gateways`: region → `host:port`."""

    gateways: Mapping[Region, str]
    folder: Path
    _told: dict[str, float] = field(default_factory=dict)

    async def work(self) -> None:
        socket = httpx.AsyncHTTPTransport(uds=str(self.folder / "control.sock"))
        async with (
            httpx.AsyncClient(timeout=ANSWER_WITHIN_S, trust_env=False) as regions,
            httpx.AsyncClient(timeout=ANSWER_WITHIN_S, transport=socket, base_url="http://nginx") as nginx,
        ):
            while True:
                heard = await asyncio.gather(*(self._heard(regions, region) for region in self.gateways))
                await self._tell(nginx, {name: at for known in heard for name, at in known.items()})
                await asyncio.sleep(ASK_EVERY_S)

    async def _heard(self, client: httpx.AsyncClient, region: Region) -> dict[str, float]:
        """`region user` → when, by the region's clock."""
        try:
            answer = await client.get(f"http://{self.gateways[region]}{PATH}")
            answer.raise_for_status()
            known = msgspec.json.decode(answer.content, type=dict[str, float])
        except (httpx.HTTPError, msgspec.DecodeError):
            return {}
        return {f"{region} {user}": at for user, at in known.items()}

    async def _tell(self, nginx: httpx.AsyncClient, known: Mapping[str, float]) -> None:
        news = {name: at for name, at in known.items() if self._told.get(name) != at}
        if not news:
            return
        try:
            (await nginx.post("/changes", json=news)).raise_for_status()
        except httpx.HTTPError:
            return
        self._told = {**known}
