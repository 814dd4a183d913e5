"""Four real regions' Postgres, each link between them through a forwarder that a test can cut."""

import asyncio
import contextlib
import functools
import itertools
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import asyncpg

from reference_system.data import replication
from reference_system.data.postgres import connect_when_ready
from reference_system.data.seed import POSTS, REGIONS
from reference_system.data.statements import STATEMENTS
from tests.loopback import loopback
from tests.reference_system.forwarder import Forwarder, Mode
from tests.reference_system.servers import free_port

HOSTS = {region: loopback(81 + number) for number, region in enumerate(REGIONS)}
LINKS_HOST = loopback(85)
AS_MESH = "mesh:for-experiments-only"


class Region:
    """A connection to one region, as an application has it."""

    def __init__(self, name: str, connection: Any) -> None:
        self.name = name
        self.connection = connection

    async def run(self, statement: str, *arguments: Any) -> list[Any]:
        rows: list[Any] = await self.connection.fetch(STATEMENTS[statement], *arguments)
        return rows

    async def post(self, author: str, key: str, *, at_s: float) -> str | None:
        """The new post's id; None if the key is taken."""
        rows = await self.run("post", self.name, author, f"by {author}", None, ["word"], at_s, key)
        return str(rows[0]["id"]) if rows else None

    async def posts(self, author: str) -> set[str]:
        """What somebody who looks at the profile sees, without the seed's."""
        shown = [row["id"] for row in await self.run("profile", author) if row["id"] is not None]
        return {post for post in shown if int(post.rsplit("-", 1)[1]) > POSTS}


class Mesh:
    """`servers` and `links` (source, destination) are there at once, what runs through them after `connect`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._ports = {region: free_port(host) for region, host in HOSTS.items()}
        self.servers = {region: self._launched(region) for region in REGIONS}
        self.links = {
            (source, to): Forwarder((LINKS_HOST, 0), (HOSTS[source], self._ports[source]))
            for source, to in itertools.permutations(REGIONS, 2)
        }

    def dsn(self, region: str, role: str = "postgres") -> str:
        return f"postgresql://{role}@{HOSTS[region]}:{self._ports[region]}/postgres"

    async def ready(self) -> None:
        async def try_one(region: str) -> None:
            await (await asyncpg.connect(self.dsn(region), timeout=5)).close()

        async with asyncio.timeout(30):
            for region in REGIONS:
                await connect_when_ready(functools.partial(try_one, region))

    async def connect_all(self) -> None:
        async with asyncio.timeout(30), asyncio.TaskGroup() as all_of_them:
            for region in REGIONS:
                all_of_them.create_task(self.connect(region))

    async def connect(self, region: str) -> None:
        """What the region's worker does when it starts."""
        dsn, peers = self.dsn(region, AS_MESH), self.peers(region)
        await connect_when_ready(lambda: replication.publish(dsn, region=region, peers=peers))
        await replication.subscribe(dsn, region=region, peers=peers)

    def peers(self, region: str) -> dict[str, str]:
        """Where each one is seen from the region."""
        return {
            source: f"postgresql://{AS_MESH}@{LINKS_HOST}:{link.port}/postgres"
            for (source, to), link in self.links.items()
            if to == region
        }

    def destroy(self, region: str) -> None:
        """It is killed, and its data are gone; then it starts again."""
        self.servers[region].kill()
        self.servers[region].wait()
        lost = self.folder / f"{region}.lost"
        (self.folder / region).rename(lost)
        shutil.rmtree(lost, ignore_errors=True)  # its children may still be ending
        self.servers[region] = self._launched(region)

    def restart(self, region: str) -> None:
        """As after a crash."""
        self.servers[region].kill()
        self.servers[region].wait()
        self.servers[region] = self._launched(region)

    def cut(self, one: str, other: str, mode: Mode = Mode.FREEZES) -> None:
        """Both directions."""
        for pair in ((one, other), (other, one)):
            self.links[pair].cut(mode)

    def heal(self) -> None:
        for link in self.links.values():
            link.heal()

    def close(self) -> None:
        for link in self.links.values():
            link.close()
        for server in self.servers.values():
            server.send_signal(signal.SIGINT)  # fast shutdown
        for server in self.servers.values():
            server.wait(timeout=20)

    def _launched(self, region: str) -> subprocess.Popen[bytes]:
        place = {"SERVICE": region, "HOST": HOSTS[region], "PORT": str(self._ports[region]), "DATA": str(self.folder)}
        command = [sys.executable, "-m", "reference_system.services.postgres"]
        with (self.folder / f"{region}.log").open("ab") as log:
            return subprocess.Popen(command, env={**os.environ, **place}, stdout=log, stderr=log)

    @contextlib.asynccontextmanager
    async def regions(self) -> AsyncIterator[list[Region]]:
        connections = [await asyncpg.connect(self.dsn(region), timeout=5) for region in REGIONS]
        try:
            yield [Region(name, connection) for name, connection in zip(REGIONS, connections, strict=True)]
        finally:
            self.heal()
            for connection in connections:
                await connection.close()


@contextlib.contextmanager
def running(*, connected: bool = True) -> Iterator[Mesh]:
    folder = Path(tempfile.mkdtemp(prefix="reference-mesh-"))
    folder.chmod(0o755)
    mesh = Mesh(folder)
    try:
        if connected:
            asyncio.run(mesh.connect_all())
        yield mesh
    finally:
        mesh.close()
        shutil.rmtree(folder)


async def until(true: Callable[[], Awaitable[bool]], *, within_s: float) -> bool:
    """Asks again and again; False if it did not become true in time."""
    try:
        async with asyncio.timeout(within_s):
            while not await true():  # noqa: ASYNC110 - another process knows, which tells nobody
                await asyncio.sleep(0.02)
    except TimeoutError:
        return False
    return True


async def arrived(regions: Iterable[Region], *, within_s: float = 10.0) -> bool:
    """Whether everything written so far reaches everybody: a heartbeat that comes after it does."""
    regions = list(regions)
    beats: dict[str, float] = {}
    for region in regions:
        await region.run("beat", region.name)
        beats[region.name] = {row["region"]: row["at"] for row in await region.run("heartbeats")}[region.name]

    async def all_there() -> bool:
        for region in regions:
            heard = {row["region"]: row["at"] for row in await region.run("heartbeats")}
            if any(heard.get(source, 0.0) < at for source, at in beats.items()):
                return False
        return True

    return await until(all_there, within_s=within_s)


async def converged(regions: Iterable[Region], *, within_s: float = 10.0) -> bool:
    """Whether everything arrives and all tables are then the same everywhere."""
    regions = list(regions)
    if not await arrived(regions, within_s=within_s):
        return False
    first, *others = [await replication.digests(region.run) for region in regions]
    return all(other == first for other in others)
