"""The edge, in front of all regions: `python -m reference_system.services.edge`.

An agent with nginx as its child. The agent asks every region twice a second whether it can serve, through the same link
that users take, decides by `policies.region_failover`, and tells nginx over a socket of their own. nginx serves by what
it was last told, so a request needs no agent; where the agent dies, whoever runs the service starts both again.
"""

import asyncio
import math
import signal
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from reference_system.policies import region_failover
from reference_system.policies.region_failover import Route, Seen
from reference_system.policies.regions import Region
from reference_system.services import edge_nginx
from reference_system.services.binaries import service_folder
from reference_system.services.edge_changes import Changes
from reference_system.services.edge_memory import EdgeMemory
from reference_system.services.edge_parts import EdgeParts
from reference_system.services.light_httpx import httpx
from reference_system.services.log import Log
from reference_system.services.nginx import program
from reference_system.services.settings import EdgeSettings, edge_settings

PATH = "/region/health"
ANSWER_WITHIN_S = 1.0  # a region that needs longer to say that it is well is not
STOP_WITHIN_S = 5.0
NAMES_WITHIN_S = 60.0
NAME_AGAIN_S = 0.2


class RegionHealth(msgspec.Struct, frozen=True):
    """What a region says of itself; ages of the other regions' heartbeats in seconds."""

    lag_s: dict[Region, float] = {}
    error_ratio: float | None = None
    latency_p99_ms: float | None = None


@dataclass(slots=True, kw_only=True)
class Agent:
    """Probes, decides, tells."""

    settings: EdgeSettings
    folder: Path
    log: Log
    parts: EdgeParts
    _memory: EdgeMemory = field(init=False)
    _state: region_failover.State = field(init=False)
    _well_once: set[Region] = field(default_factory=set)
    _told: dict[str, str] = field(default_factory=dict)
    _reasons: dict[Region, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._memory = EdgeMemory(self.folder)
        self._state = region_failover.at_first(self.settings.gateways)

    async def work(self) -> None:
        """On a fixed beat, as long as no round takes longer; a round is all regions at once."""
        loop = asyncio.get_running_loop()
        socket = httpx.AsyncHTTPTransport(uds=str(self.folder / "control.sock"))
        async with (
            httpx.AsyncClient(timeout=ANSWER_WITHIN_S) as regions,
            httpx.AsyncClient(timeout=ANSWER_WITHIN_S, transport=socket, base_url="http://nginx") as nginx,
        ):
            started_s = loop.time() + self.settings.starting_for_s
            if self._recall(loop.time()):
                await self._decide({}, loop.time(), nginx)
            while True:
                began_s = loop.time()
                seen = self._without_starting(await self._look(regions), starting=began_s < started_s)
                await self._decide(seen, loop.time(), nginx)
                await asyncio.sleep(max(0.0, began_s + self.settings.probe_interval_s - loop.time()))

    def _recall(self, now_s: float) -> bool:
        """Whether an agent before this one has left word."""
        known = self._memory.recall(set(self.settings.gateways), now_s)
        if known is None:
            return False
        self._state = known
        self._well_once = set(known)  # it has seen them start
        self.log("recalled", away=[region for region, it in known.items() if not it.healthy or it.share < 1.0])
        return True

    async def _look(self, client: httpx.AsyncClient) -> dict[Region, Seen]:
        asked = {region: _ask(client, address) for region, address in self.settings.gateways.items()}
        return dict(zip(asked, await asyncio.gather(*asked.values()), strict=True))

    def _without_starting(self, seen: Mapping[Region, Seen], *, starting: bool) -> dict[Region, Seen]:
        """At first, what was never seen well is not ill: where everything starts at once, the edge is there early."""
        self._well_once.update(region for region, one in seen.items() if one.probe)
        return {
            region: one if one.probe or region in self._well_once or not starting else Seen()
            for region, one in seen.items()
        }

    async def _decide(self, seen: Mapping[Region, Seen], now_s: float, nginx: httpx.AsyncClient) -> None:
        self._state, routes = self.parts.decide(
            self._state, seen, now_s, probe_interval_s=self.settings.probe_interval_s, rules=self.settings.rules
        )
        self._note(routes)
        self._memory.keep(self._state, now_s)
        told = edge_nginx.decisions(routes)
        if told != self._told:
            try:
                (await nginx.post("/decisions", json=told)).raise_for_status()
            except httpx.HTTPError as error:
                self.log("not_told", error=repr(error))  # and again at the next round
                return
            self._told = told
            self.log("routes_changed", routes={name: what for name, what in told.items() if name != "metrics"})

    def _note(self, routes: Mapping[Region, Route]) -> None:
        for region, route in routes.items():
            if self._reasons.get(region) != route.reason:
                self._reasons[region] = route.reason
                self.log("decided", region=region, share=route.share, healthy=route.healthy, reason=route.reason)


async def _ask(client: httpx.AsyncClient, address: str) -> Seen:
    try:
        answer = await client.get(f"http://{address}{PATH}")
        answer.raise_for_status()
        health = msgspec.json.decode(answer.content, type=RegionHealth)
    except (httpx.HTTPError, msgspec.DecodeError):
        return Seen(probe=False)
    lag_s = {region: age_s for region, age_s in health.lag_s.items() if math.isfinite(age_s)}
    return Seen(probe=True, lag_s=lag_s, error_ratio=health.error_ratio, latency_p99_ms=health.latency_p99_ms)


async def serve(settings: EdgeSettings, parts: EdgeParts) -> int:
    """Until nginx ends, or somebody asks us to; nginx' exit code."""
    folder, log = service_folder(), Log(settings.place.service)
    await _names_known(settings.gateways.values())
    edge_nginx.write_files(
        folder,
        settings.gateways,
        service=settings.place.service,
        host=settings.place.host,
        port=settings.place.port,
        past_the_cache=parts.past_the_cache,
    )
    (folder / "control.sock").unlink(missing_ok=True)  # nginx does not take over one that a killed edge has left
    nginx = await asyncio.create_subprocess_exec(*program(folder))
    agent = asyncio.create_task(_agents(settings, folder, log, parts))
    ended = asyncio.create_task(nginx.wait())
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    stopped = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({agent, ended, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if agent.done():
            agent.result()  # it never ends well
    finally:
        for task in (agent, stopped):
            task.cancel()
        if nginx.returncode is None:
            nginx.terminate()
            await asyncio.wait({ended}, timeout=STOP_WITHIN_S)
        if nginx.returncode is None:
            nginx.kill()
    return await ended


async def _agents(settings: EdgeSettings, folder: Path, log: Log, parts: EdgeParts) -> None:
    async with asyncio.TaskGroup() as both:
        both.create_task(Agent(settings=settings, folder=folder, log=log, parts=parts).work())
        both.create_task(Changes(gateways=settings.gateways, folder=folder).work())


async def _names_known(addresses: Iterable[str]) -> None:
    """nginx looks names up once, when it starts, and ends where there is none: in containers they come one by one."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(NAMES_WITHIN_S):
        for address in addresses:
            host, _, port = address.rpartition(":")
            while True:
                try:
                    await loop.getaddrinfo(host, int(port))
                    break
                except OSError:
                    await asyncio.sleep(NAME_AGAIN_S)


def main() -> None:
    settings = edge_settings()
    sys.exit(asyncio.run(serve(settings, _parts(settings.place.defect))))


def _parts(defect: str) -> EdgeParts:
    if not defect:
        return EdgeParts()
    from reference_system import defects  # noqa: PLC0415 - and with them all that replicas are made of

    return defects.for_edge(defect, EdgeParts())


if __name__ == "__main__":
    main()
