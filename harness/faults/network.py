"""Faults on a link: toxics on its proxy, or the proxy switched off; and what to do when the control API freezes.

Several faults on one link share the proxy's original state. Each has toxics of its own name, so that reverting one
leaves the others; the proxy is enabled again only when no other fault wants it off.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from harness.errors import FaultError
from harness.faults.journal import RemoveToxic, RestoreProxy, Undo
from harness.faults.toxiproxy import NotThereError, ProxyState, Toxic, ToxiproxyServer
from harness.target.running_target import Power, RunningTarget

ENABLE_TRIES = 3  # enabling binds the port again, which fails while somebody else holds it


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkAction:
    """What one fault does to one proxy, and back.

    `disables` switches the proxy off. `drops` switches it off and on again once the toxics are there: a reset toxic
    sends RST only on connections opened after it, so those that exist are closed (FIN) and their owners connect anew.
    """

    server: ToxiproxyServer
    original: ProxyState
    toxics: tuple[Toxic, ...] = ()
    disables: bool = False
    drops: bool = False
    is_held_down: Callable[[], bool] = lambda: False  # by another fault

    @property
    def place(self) -> str:
        return self.original.name

    def undo(self) -> tuple[Undo, ...]:
        removals = (RemoveToxic(url=self.server.url, proxy=self.place, toxic=toxic.name) for toxic in self.toxics)
        return (*removals, restore_proxy(self.server.url, self.original))

    async def inject(self) -> None:
        await asyncio.to_thread(self._inject)

    async def is_in_place(self) -> bool:
        return await asyncio.to_thread(self._is_in_place)

    async def revert(self) -> None:
        await asyncio.to_thread(self._revert)

    async def wrong_now(self) -> str:
        return await asyncio.to_thread(self._wrong_now)

    def _inject(self) -> None:
        for toxic in self.toxics:
            self.server.ensure_toxic(self.place, toxic)
        if self.disables or (self.drops and not self.is_held_down()):
            self.server.set_enabled(self.place, False)
        if self.drops and not self.is_held_down():
            self._enable()

    def _is_in_place(self) -> bool:
        now = self.server.proxy(self.place)
        return all(now.toxic(toxic.name) is not None for toxic in self.toxics) and not (self.disables and now.enabled)

    def _revert(self) -> None:
        for toxic in self.toxics:
            self.server.ensure_absent(self.place, toxic.name)
        if self.is_held_down():
            return
        self._enable()

    def _wrong_now(self) -> str:
        try:
            now = self.server.proxy(self.place)
        except NotThereError:
            return f"proxy {self.place} is missing"
        left = [toxic.name for toxic in self.toxics if now.toxic(toxic.name) is not None]
        if left:
            return f"proxy {self.place} still has {', '.join(left)}"
        if not now.enabled and not self.is_held_down():
            return f"proxy {self.place} is disabled"
        return ""

    def _enable(self) -> None:
        """Enabled again, and created again where its Toxiproxy has lost it."""
        for attempt in range(1, ENABLE_TRIES + 1):
            try:
                self.server.ensure_proxy(
                    self.place, listen=self.original.listen, upstream=self.original.upstream, enabled=True
                )
            except FaultError:
                if attempt == ENABLE_TRIES:
                    raise
            else:
                return


def restore_proxy(url: str, proxy: ProxyState) -> RestoreProxy:
    return RestoreProxy(url=url, proxy=proxy.name, listen=proxy.listen, upstream=proxy.upstream, enabled=proxy.enabled)


async def unfreeze(
    target: RunningTarget, service: str, server: ToxiproxyServer, originals: tuple[ProxyState, ...]
) -> None:
    """Get an answering control API again: end the Toxiproxy, start it, give it back its proxies without any toxic.

    Removing a toxic whose output nobody reads holds the proxy's lock for ever; then no call on that proxy returns.
    Disabling it first would need the same lock as soon as it lists the proxy, so only ending the process is certain.
    """
    if Power.KILL not in target.powers:
        raise FaultError(f"{server.url} is frozen and {target.runtime} cannot end {service}: restart it by hand.")
    await target.kill(service)
    await target.start(service)
    for proxy in originals:
        await asyncio.to_thread(
            server.ensure_proxy, proxy.name, listen=proxy.listen, upstream=proxy.upstream, enabled=proxy.enabled
        )
