"""Asks a service whether it is ready, in its own protocol and from this process.

The compose file's health checks are commands, made for Docker; starting one every few hundredths of a second for each
service would slow down the very start it watches. These are the same questions: HTTP wants a 2xx on the `health` path,
Redis a PONG, Postgres a server that takes connections, Toxiproxy its version, anything else an open port.
"""

import asyncio
import contextlib
import struct

from harness.target.target import ServiceSpec

TIMEOUT_S = 1.0
_STARTING_UP = b"57P03"  # Postgres' SQLSTATE cannot_connect_now: started, or recovering from a crash


async def is_ready(service: ServiceSpec, host: str, *, timeout_s: float = TIMEOUT_S) -> bool:
    try:
        async with asyncio.timeout(timeout_s):
            return await _answers(service, host)
    except (TimeoutError, OSError):
        return False


async def _answers(service: ServiceSpec, host: str) -> bool:
    if service.health is not None:
        return await _http_is_ready(host, service.port, service.health)
    match service.role:
        case "redis":
            return (await _exchange(host, service.port, b"PING\r\n")).startswith(b"+PONG")
        case "postgres":
            return await _postgres_is_ready(host, service.port)
        case "toxiproxy":
            return await _http_is_ready(host, service.port, "/version")
        case _:
            await _exchange(host, service.port, b"")
            return True


async def _http_is_ready(host: str, port: int, path: str) -> bool:
    question = f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: close\r\n\r\n"
    status_line = (await _exchange(host, port, question.encode())).split(b"\r\n", 1)[0]
    return status_line[:9] == b"HTTP/1.1 " and status_line[9:10] == b"2"


async def _postgres_is_ready(host: str, port: int) -> bool:
    body = struct.pack("!i", 3 << 16) + b"user\0postgres\0database\0postgres\0\0"
    goodbye = b"X" + struct.pack("!i", 4)
    answer = await _exchange(host, port, struct.pack("!i", len(body) + 4) + body, goodbye)
    return answer[:1] == b"R" or (answer[:1] == b"E" and _STARTING_UP not in answer)


async def _exchange(host: str, port: int, question: bytes, goodbye: bytes = b"") -> bytes:
    """The first bytes of the answer; nothing is read where nothing was asked."""
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(question)
        answer = await reader.read(4096) if question else b""
        writer.write(goodbye)
        return answer
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
