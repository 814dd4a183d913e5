"""The Toxiproxies and services that a run's faults touch: as they were, and made so again when one of them is lost.

The snapshot is what every fault has to return to. Nothing may be on a Toxiproxy before, as it could not be told from
ours afterwards. Faults are not injected or reverted here.
"""

import asyncio

import msgspec

from harness import clock
from harness.errors import FaultError, UncleanError
from harness.faults import undo
from harness.faults.journal import Container, Process, RemoveToxic, Snapshot, Toxiproxy
from harness.faults.network import restore_proxy, unfreeze
from harness.faults.running import running_service
from harness.faults.toxiproxy import ProxyState, ToxiproxyServer
from harness.target.running_target import RunningTarget


class Surroundings:
    """What a run's faults happen in."""

    def __init__(self, target: RunningTarget) -> None:
        self._target = target
        self._servers: dict[str, ToxiproxyServer] = {}
        self._originals: dict[str, dict[str, ProxyState]] = {}  # by URL, then by proxy

    async def look_at(self, link: str) -> None:
        """Note the state of the link's Toxiproxy; UncleanError where it is not untouched."""
        url = self._target.toxiproxy_url(link)
        if url not in self._servers:
            server = ToxiproxyServer(url)
            originals = await asyncio.to_thread(server.proxies)
            _refuse_leftovers(server, originals)
            self._servers[url], self._originals[url] = server, originals
        if link not in self._originals[url]:
            raise FaultError(f"{url} has no proxy {link}: the link is not set up.")

    def server_of(self, link: str) -> tuple[ToxiproxyServer, ProxyState]:
        url = self._target.toxiproxy_url(link)
        return self._servers[url], self._originals[url][link]

    def snapshot(self) -> Snapshot:
        processes: dict[str, Process] = {}
        containers: dict[str, Container] = {}
        for service in self._target.spec.services:
            found = running_service(self._target, service)
            if isinstance(found, Process):
                processes[service] = found
            elif found is not None:
                containers[service] = found
        return Snapshot(
            at_ns=clock.now_ns(),
            toxiproxies=tuple(self._toxiproxy(url, processes, containers) for url in self._servers),
            services=tuple(processes.values()),
            containers=tuple(containers.values()),
        )

    async def revive(self, server: ToxiproxyServer) -> bool:
        """Make a Toxiproxy answer again that is frozen or has ended, with its proxies and without any toxic; whether
        that was necessary. FaultError or TargetError where it cannot be done."""
        if await asyncio.to_thread(undo.answers, server.url):
            return False
        originals = tuple(self._originals[server.url].values())
        await unfreeze(self._target, self._service_of(server.url), server, originals)
        return True

    def _toxiproxy(self, url: str, processes: dict[str, Process], containers: dict[str, Container]) -> Toxiproxy:
        service = self._service_of(url)
        return Toxiproxy(
            url=url,
            service=service,
            process=processes.get(service),
            container=containers.get(service),
            start=self._target.start_command(service),
            proxies=tuple(restore_proxy(url, proxy) for proxy in self._originals[url].values()),
        )

    def _service_of(self, url: str) -> str:
        links = self._target.spec.links
        return next(links[link].toxiproxy for link in links if self._target.toxiproxy_url(link) == url)


def _refuse_leftovers(server: ToxiproxyServer, proxies: dict[str, ProxyState]) -> None:
    commands = [
        undo.command(msgspec.to_builtins(RemoveToxic(url=server.url, proxy=proxy.name, toxic=toxic.name)))
        for proxy in proxies.values()
        for toxic in proxy.toxics
    ]
    commands += [
        undo.command(msgspec.to_builtins(restore_proxy(server.url, proxy)) | {"enabled": True})
        for proxy in proxies.values()
        if not proxy.enabled
    ]
    if commands:
        lines = "\n".join(f"  {command}" for command in commands)
        raise UncleanError(f"{server.url} has toxics or disabled proxies already. Run: gameday revert", by_hand=lines)
