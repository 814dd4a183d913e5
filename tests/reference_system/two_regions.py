"""Two whole regions that replicate to each other: databases, caches, workers, replicas and gateways, all real.

Every link between them goes through a forwarder that a test can cut: `data` (where changes come from, where they go)
and `requests` (who forwards, to whom).
"""

import asyncio
import contextlib
import itertools
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import httpx

from reference_system.data.postgres import connect_when_ready
from reference_system.data.statements import STATEMENTS
from tests.reference_system import servers
from tests.reference_system.forwarder import Forwarder, Mode
from tests.reference_system.mesh import until

NAMES = EAST, WEST = "us-east", "us-west"
_numbers = itertools.count(1)


class User:
    """`client` in one region, as one user of it."""

    def __init__(self, client: httpx.Client, number: int) -> None:
        login = client.post("/auth/login", json={"name": f"user-{number}", "password": f"password-{number}"})
        self.name = f"user-{number}"
        self.headers = {"Authorization": f"Bearer {login.json()['token']}"}


class Region:
    """`client` is at the gateway; `worker` and `replica` are the base URLs behind it."""

    def __init__(self, name: str, mesh: "TwoRegions") -> None:
        self.name = name
        self.postgres_port = servers.free_port()
        self.gateway_port = servers.free_port()
        self.postgres: subprocess.Popen[bytes]
        self.redis_url = ""
        self.worker = ""
        self.replica = ""
        self.client: httpx.Client
        self._mesh = mesh

    @property
    def dsn(self) -> str:
        return f"postgresql://postgres@{servers.HOST}:{self.postgres_port}/postgres"

    def run(self, statement: str, *arguments: object) -> list[dict[str, object]]:
        """In the region's database."""

        async def ask() -> list[dict[str, object]]:
            connection = await asyncpg.connect(self.dsn, timeout=5)
            try:
                return [dict(row) for row in await connection.fetch(STATEMENTS[statement], *arguments)]
            finally:
                await connection.close()

        return asyncio.run(ask())

    def metric(self, line_start: str) -> float:
        lines = httpx.get(f"{self.worker}/metrics").text.splitlines()
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(line_start))

    def metrics(self, line_start: str) -> dict[str, float]:
        """Of one scrape, by name and labels."""
        lines = httpx.get(f"{self.worker}/metrics").text.splitlines()
        found = (line.rsplit(" ", 1) for line in lines if line.startswith(line_start))
        return {name: float(value) for name, value in found}

    def another_replica(self, **environment: str) -> httpx.Client:
        """Behind no gateway; with a defect, say."""
        return self._mesh.start_replica(self, **environment)


class TwoRegions:
    def __init__(self, folder: Path, started: contextlib.ExitStack) -> None:
        self._folder = folder
        self._started = started
        self.regions = {name: Region(name, self) for name in NAMES}
        pairs = list(itertools.permutations(NAMES, 2))
        ports = {name: region.postgres_port for name, region in self.regions.items()}
        self.data = {(source, to): self._link(ports[source]) for source, to in pairs}
        gateways = {name: region.gateway_port for name, region in self.regions.items()}
        self.requests = {(caller, to): self._link(gateways[to]) for caller, to in pairs}
        for region in self.regions.values():
            region.postgres = self._launched("postgres", region.postgres_port, f"{region.name}-postgres")
            region.redis_url = started.enter_context(servers.redis())
        for region in self.regions.values():
            self._start(region)

    def heal(self) -> None:
        for link in (*self.data.values(), *self.requests.values()):
            link.heal()

    def cut_data(self, mode: Mode = Mode.FREEZES) -> None:
        for link in self.data.values():
            link.cut(mode)

    def cut_requests(self, mode: Mode) -> None:
        for link in self.requests.values():
            link.cut(mode)

    def arrived(self) -> None:
        """Wait until the caches of both have what was written so far."""
        for name, region in self.regions.items():
            region.run("beat", name)
        beats = {name: heartbeat(region, name) for name, region in self.regions.items()}

        async def there() -> bool:
            return all(
                float(region_says.get(source, 0)) >= at
                for source, at in beats.items()
                for region_says in map(self.caught_up, self.regions.values())
            )

        assert asyncio.run(until(there, within_s=20)), "what was written has not arrived in time"

    def caught_up(self, region: Region) -> dict[str, float]:
        import redis  # noqa: PLC0415 - only here

        with redis.Redis.from_url(region.redis_url) as client:
            entries: Any = client.hgetall("caught_up")
        return {name.decode(): float(at) for name, at in entries.items()}

    def start_replica(self, region: Region, **environment: str) -> httpx.Client:
        url = self._service("api", region, f"{region.name}-api-{next(_numbers)}", **environment)
        return self._started.enter_context(httpx.Client(base_url=url, timeout=10, trust_env=False))

    def _link(self, port: int) -> Forwarder:
        link = Forwarder((servers.HOST, 0), (servers.HOST, port))
        self._started.callback(link.close)
        return link

    def _start(self, region: Region) -> None:
        _wait_for_database(region)
        region.worker = self._service(
            "worker",
            region,
            f"{region.name}-worker",
            PEERS=self._peers({source: link for (source, to), link in self.data.items() if to == region.name}),
        )
        region.replica = str(self.start_replica(region).base_url)
        replicas = httpx.URL(region.replica)
        name, addresses = f"{region.name}-gateway", replicas.netloc.decode()
        self._launched("nginx", region.gateway_port, name, REGION=region.name, REPLICAS=addresses)
        servers.wait_until_open(region.gateway_port)
        url = f"http://{servers.HOST}:{region.gateway_port}"
        region.client = self._started.enter_context(httpx.Client(base_url=url, timeout=10, trust_env=False))

    def _service(self, kind: str, region: Region, name: str, **environment: str) -> str:
        variables = {
            "SERVICE": name,
            "REGION": region.name,
            "REGIONS": ",".join(NAMES),
            "REDIS_URL": region.redis_url,
            "POSTGRES_DSN": region.dsn,
            "TARGET_RATE": "1000",
            "PEERS": self._peers({to: link for (caller, to), link in self.requests.items() if caller == region.name}),
        }
        log = self._folder / name
        return self._started.enter_context(servers.service(kind, servers.free_port(), log, **variables | environment))

    def _peers(self, links: dict[str, Forwarder]) -> str:
        return ",".join(f"{name}={servers.HOST}:{link.port}" for name, link in links.items())

    def _launched(
        self, launcher: str, port: int, name: str, *arguments: str, **environment: str
    ) -> subprocess.Popen[bytes]:
        place = {"SERVICE": name, "HOST": servers.HOST, "PORT": str(port), "DATA": str(self._folder)}
        command = [sys.executable, "-m", f"reference_system.services.{launcher}", *arguments]
        with (self._folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(command, env={**os.environ, **place, **environment}, stdout=log, stderr=log)
        self._started.callback(_stopped, process)
        return process


def heartbeat(region: Region, of: str) -> float:
    """As the region has it."""
    return next(float(str(row["at"])) for row in region.run("heartbeats") if row["region"] == of)


def _wait_for_database(region: Region) -> None:
    async def try_one() -> None:
        await (await asyncpg.connect(region.dsn, timeout=5)).close()

    async def wait() -> None:
        async with asyncio.timeout(30):
            await connect_when_ready(try_one)

    asyncio.run(wait())


def _stopped(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGCONT)  # a frozen one could not hear that it shall stop
    process.send_signal(signal.SIGINT)  # Postgres: fast shutdown
    process.wait(timeout=20)


@contextlib.contextmanager
def running() -> Iterator[TwoRegions]:
    folder = Path(tempfile.mkdtemp(prefix="reference-regions-"))
    folder.chmod(0o755)
    try:
        with contextlib.ExitStack() as started:
            yield TwoRegions(folder, started)
    finally:
        shutil.rmtree(folder)
