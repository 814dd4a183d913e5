"""The regions and links of a running target as they are now: one look at the metrics and at the Toxiproxies.

For people. What does not answer has no figures. Judges nothing and records nothing.
"""

import asyncio
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass

import aiohttp

from harness.observe.exposition import parse
from harness.target.running_target import RunningTarget

TIMEOUT_S = 2.0
_LABEL = re.compile(r'(\w+)="([^"]*)"')

Samples = list[tuple[str, dict[str, str], str, float]]  # service, labels, metric, value


@dataclass(frozen=True, slots=True, kw_only=True)
class RegionView:
    """`level` of degradation; `share` of its own users that the edge sends to it. None where nobody says."""

    region: str
    services: int
    healthy: int
    level: int | None
    share: float | None
    takes_writes: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkView:
    """`state` is "whole", "down", the toxics on it, or "no answer"; `lag_s` is that of replication over it."""

    link: str
    state: str
    lag_s: float | None


async def overview(target: RunningTarget, healthy: Iterable[str]) -> tuple[list[RegionView], list[LinkView]]:
    """`healthy`: the services that are known to be."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT_S)) as client:
        samples, states = await asyncio.gather(_samples(client, target), _link_states(client, target))
    return _regions(target, set(healthy), samples), _links(target, samples, states)


def _regions(target: RunningTarget, healthy: set[str], samples: Samples) -> list[RegionView]:
    names, services = target.spec.metrics, target.spec.services
    views = []
    for region in target.spec.regions:
        own = {name for name, service in services.items() if service.region == region}
        levels = [
            value
            for service, _, metric, value in samples
            if metric == names.level and service in own and math.isfinite(value)
        ]
        by_edge = {metric: value for _, labels, metric, value in samples if labels.get("region") == region}
        takes_writes = by_edge.get(names.region_takes_writes)
        views.append(
            RegionView(
                region=region,
                services=len(own),
                healthy=len(own & healthy),
                level=int(max(levels)) if levels else None,
                share=by_edge.get(names.region_share),
                takes_writes=None if takes_writes is None else takes_writes > 0,
            )
        )
    return views


def _links(target: RunningTarget, samples: Samples, states: dict[str, str]) -> list[LinkView]:
    name = target.spec.metrics.replication_lag
    lags = {labels.get("link"): value for _, labels, metric, value in samples if metric == name}
    return [
        LinkView(link=link, state=states.get(link, "no answer"), lag_s=lags.get(link)) for link in target.spec.links
    ]


async def _samples(client: aiohttp.ClientSession, target: RunningTarget) -> Samples:
    async def of(service: str, path: str) -> Samples:
        try:
            url = "http://{}:{}{}".format(*target.address(service), path)
            async with client.get(url, raise_for_status=True) as answer:
                told = parse(await answer.text())
        except (aiohttp.ClientError, TimeoutError, ValueError):
            return []
        return [(service, dict(_LABEL.findall(labels)), name, value) for name, labels, value in told]

    asked = [of(name, service.metrics) for name, service in target.spec.services.items() if service.metrics]
    return [sample for samples in await asyncio.gather(*asked) for sample in samples]


async def _link_states(client: aiohttp.ClientSession, target: RunningTarget) -> dict[str, str]:
    async def of(url: str) -> dict[str, str]:
        try:
            async with client.get(f"{url}/proxies", raise_for_status=True) as answer:
                proxies = await answer.json()
        except (aiohttp.ClientError, TimeoutError, ValueError):
            return {}
        return {name: _state(proxy) for name, proxy in proxies.items() if isinstance(proxy, dict) and "toxics" in proxy}

    urls = {target.toxiproxy_url(link) for link in target.spec.links}
    return {name: state for states in await asyncio.gather(*map(of, urls)) for name, state in states.items()}


def _state(proxy: dict[str, object]) -> str:
    if not proxy["enabled"]:
        return "down"
    toxics = proxy["toxics"]
    assert isinstance(toxics, list), "as Toxiproxy says"
    return ", ".join(sorted({toxic["type"] for toxic in toxics})) or "whole"
