"""One Postgres, one Redis and one worker for all tests here; API replicas are started by whoever needs one."""

import contextlib
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.reference_system import servers

StartApi = Callable[..., "Client"]
_numbers = itertools.count(1)


class Client(httpx.Client):
    """Talks to one replica; `user(n)` gives the headers of a logged-in seeded user."""

    def user(self, number: int) -> dict[str, str]:
        answer = self.post("/auth/login", json={"name": f"user-{number}", "password": f"password-{number}"})
        return {"Authorization": f"Bearer {answer.json()['token']}"}

    def tell_level(self, level: int) -> httpx.Response:
        """What the controller does."""
        return self.post("/internal/exchange", json={"level": level, "window_s": 5.0})

    def metric(self, line_start: str) -> float:
        return sum(float(line.rsplit(" ", 1)[1]) for line in self.metric_lines(line_start))

    def metric_lines(self, line_start: str) -> list[str]:
        return [line for line in self.get("/metrics").text.splitlines() if line.startswith(line_start)]


@pytest.fixture(scope="session")
def logs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("logs")


@pytest.fixture(scope="session")
def postgres_dsn() -> Iterator[str]:
    with servers.postgres() as dsn:
        yield dsn


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    with servers.redis() as url:
        yield url


@pytest.fixture(scope="session")
def worker(postgres_dsn: str, redis_url: str, logs: Path) -> Iterator[str]:
    addresses = {"POSTGRES_DSN": postgres_dsn, "REDIS_URL": redis_url}
    with servers.service("worker", servers.free_port(), logs / "worker", SERVICE="us-east-worker", **addresses) as url:
        yield url


@pytest.fixture(scope="session")
def api(start_api_for_all: StartApi) -> Client:
    """The replica that most tests share, at level NORMAL, with room for all of them."""
    return start_api_for_all(TARGET_RATE="1000")


@pytest.fixture(scope="session")
def start_api_for_all(postgres_dsn: str, redis_url: str, worker: str, logs: Path) -> Iterator[StartApi]:
    del worker  # it seeds the database
    with contextlib.ExitStack() as started:
        yield _starter(started, logs, POSTGRES_DSN=postgres_dsn, REDIS_URL=redis_url)


@pytest.fixture
def start_api(postgres_dsn: str, redis_url: str, worker: str, logs: Path) -> Iterator[StartApi]:
    del worker
    with contextlib.ExitStack() as started:
        yield _starter(started, logs, POSTGRES_DSN=postgres_dsn, REDIS_URL=redis_url)


def _starter(started: contextlib.ExitStack, logs: Path, **addresses: str) -> StartApi:
    def start(**environment: str) -> Client:
        name = f"us-east-api-{next(_numbers)}"
        variables = {"SERVICE": name, **addresses, **environment}
        url = started.enter_context(servers.service("api", servers.free_port(), logs / name, **variables))
        return started.enter_context(Client(base_url=url, timeout=10))

    return start
