"""Tells a region's gateway whose pages it has to forget; the edge hears of it there."""

from collections.abc import Collection

from reference_system.services.light_httpx import httpx

PATH = "/gateway/changed"
WITHIN_S = 0.5


class GatewayCache:
    """`url` is the gateway's base URL; without one nobody is told."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._client = httpx.AsyncClient(timeout=WITHIN_S, trust_env=False)

    async def forget(self, users: Collection[str]) -> bool:
        """Whether it has heard."""
        if not self._url:
            return False
        try:
            answer = await self._client.post(f"{self._url}{PATH}", json=sorted(users))
        except httpx.HTTPError:
            return False
        return answer.is_success

    async def close(self) -> None:
        await self._client.aclose()
