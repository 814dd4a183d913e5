"""A region's gateway sends no write twice, and asks whoever answers for health: a real nginx before bad replicas."""

import contextlib
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.loopback import loopback
from tests.reference_system import servers

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

HOST = loopback(62)


class Replica:
    """Takes each request and closes the connection, or answers none at all."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.deadlines: list[str] = []
        self.silent = False
        self.well = False
        self._listener = socket.create_server((HOST, 0))
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept_all, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept_all(self) -> None:
        with contextlib.suppress(OSError):  # closed by the test's end
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            head = connection.recv(65536).decode()
            self.requests.append(head.split(" ", 1)[0])
            self.deadlines += [line[12:] for line in head.split("\r\n") if line.startswith("X-Deadline: ")]
            if self.silent:
                connection.recv(1)  # until nginx gives up
            elif self.well:
                connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}")


@pytest.fixture
def replicas() -> Iterator[list[Replica]]:
    both = [Replica(), Replica()]
    yield both
    for replica in both:
        replica.close()


@pytest.fixture
def gateway(replicas: list[Replica], tmp_path: Path) -> Iterator[httpx.Client]:
    port = servers.free_port(HOST)
    addresses = ",".join(f"{HOST}:{replica.port}" for replica in replicas)
    place = {
        "SERVICE": "gateway",
        "HOST": HOST,
        "PORT": str(port),
        "DATA": str(tmp_path),
        "REPLICAS": addresses,
        "REGION": "us-east",
    }
    tmp_path.chmod(0o755)
    command = [sys.executable, "-m", "reference_system.services.nginx"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(command, env={**os.environ, **place}, stdout=log, stderr=log)
    try:
        servers.wait_until_open(port, HOST)
        with httpx.Client(base_url=f"http://{HOST}:{port}", timeout=10, trust_env=False) as client:
            yield client
    finally:
        servers.stop(process)


@pytest.mark.parametrize(
    ("method", "path", "attempts"),
    [
        ("GET", "/timeline/home", 2),
        ("GET", "/users/user-1/posts", 2),
        ("POST", "/tweets/create", 1),
        ("POST", "/tweets/x/like", 1),
        ("POST", "/tweets/x/retweet", 1),
        ("DELETE", "/tweets/x", 1),
        ("PUT", "/users/user-1/follow", 1),
        ("DELETE", "/users/user-1/follow", 1),
        ("PUT", "/users/user-1/profile", 1),
    ],
)
def test_reads_are_tried_again_where_a_replica_closes_and_writes_are_not(
    gateway: httpx.Client, replicas: list[Replica], method: str, path: str, attempts: int
) -> None:
    answer = gateway.request(method, path, json=None if method == "GET" else {"bio": "x"})

    assert answer.status_code == 502
    assert [request for replica in replicas for request in replica.requests] == [method] * attempts


def test_a_silent_replica_does_not_make_the_region_ill(gateway: httpx.Client, replicas: list[Replica]) -> None:
    replicas[0].silent, replicas[1].well = True, True

    answers = [gateway.get("/region/health") for _ in range(4)]

    assert {answer.status_code for answer in answers} == {200}
    assert max(answer.elapsed.total_seconds() for answer in answers) < 4.0, "users wait for 6 s"
    assert replicas[0].requests, "it was asked"


@pytest.mark.parametrize(
    ("said", "passed_on"),
    [(None, "6000"), ("250", "250"), ("0", "0"), ("5999", "5999"), ("6001", "6000"), ("60000", "6000"), ("-5", "6000")],
)
def test_a_replica_is_told_how_long_somebody_waits_and_never_longer_than_the_gateway_does(
    gateway: httpx.Client, replicas: list[Replica], said: str | None, passed_on: str
) -> None:
    for replica in replicas:
        replica.well = True

    gateway.get("/timeline/home", headers={} if said is None else {"X-Deadline": said})

    assert [deadline for replica in replicas for deadline in replica.deadlines] == [passed_on]
