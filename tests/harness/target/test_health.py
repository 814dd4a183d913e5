"""Readiness in four protocols, asked of servers that say one thing each."""

import asyncio
import contextlib

import pytest

from harness.target.health import is_ready
from harness.target.target import ServiceSpec
from tests.loopback import loopback

HOST = loopback(12)


def ready(role: str, answer: bytes | None, *, health: str | None = None) -> bool:
    """What is said of a server that gives this answer to anything; None is a server that says nothing."""

    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if answer is None:
            await reader.read()
        else:
            await reader.read(1)
            writer.write(answer)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
        said.set()

    async def ask() -> bool:
        server = await asyncio.start_server(say, HOST, 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            service = ServiceSpec(role=role, port=port, health=health)
            verdict = await is_ready(service, HOST, timeout_s=0.1 if answer is None else 5.0)
            await said.wait()
            return verdict

    said = asyncio.Event()
    return asyncio.run(ask())


@pytest.mark.parametrize(
    ("role", "health", "answer", "expected"),
    [
        ("api", "/healthz", b"HTTP/1.1 200 OK\r\n\r\n", True),
        ("api", "/healthz", b"HTTP/1.1 204 No Content\r\n\r\n", True),
        ("api", "/healthz", b"HTTP/1.1 404 Not Found\r\n\r\n", False),
        ("api", "/healthz", b"HTTP/1.1 503 Service Unavailable\r\n\r\n", False),
        ("api", "/healthz", b"", False),
        ("api", "/healthz", None, False),
        ("toxiproxy", None, b"HTTP/1.1 200 OK\r\n\r\n{}", True),
        ("toxiproxy", None, b"HTTP/1.1 500 Internal Server Error\r\n\r\n", False),
        ("redis", None, b"+PONG\r\n", True),
        ("redis", None, b"-LOADING Redis is loading the dataset in memory\r\n", False),
        ("redis", None, None, False),
        ("postgres", None, b"R\0\0\0\x08\0\0\0\0", True),
        ("postgres", None, b"E\0\0\0\x50SFATAL\0C28000\0Mno such role\0\0", True),
        ("postgres", None, b"E\0\0\0\x50SFATAL\0C57P03\0Mthe database system is starting up\0\0", False),
        ("postgres", None, b"", False),
        ("postgres", None, None, False),
        ("something else", None, b"", True),
    ],
)
def test_a_service_is_ready_when_it_says_so(
    role: str, health: str | None, answer: bytes | None, expected: bool
) -> None:
    assert ready(role, answer, health=health) is expected


@pytest.mark.parametrize("role", ["api", "redis", "postgres", "toxiproxy"])
def test_where_nobody_listens_nothing_is_ready(role: str) -> None:
    assert asyncio.run(is_ready(ServiceSpec(role=role, port=9, health=None), HOST)) is False
