"""Asks one service whether it is ready: exit code 0 or 1. For Docker, whose health checks are commands.

`http://host:port/path` wants a 2xx, `redis://host:port` a PONG, `postgres://host:port` a server that takes connections.
Without Docker the harness asks the same questions itself, because starting an interpreter for each would be slow.
"""

import socket
import struct
import sys
from urllib.parse import urlsplit
from urllib.request import urlopen

TIMEOUT_S = 1.5
STARTING_UP = b"57P03"  # Postgres' SQLSTATE cannot_connect_now


def http_is_ready(url: str) -> bool:
    with urlopen(url, timeout=TIMEOUT_S) as answer:  # noqa: S310 - the scheme was checked by the caller
        return bool(200 <= answer.status < 300)


def redis_is_ready(host: str, port: int) -> bool:
    return _exchange(host, port, b"PING\r\n").startswith(b"+PONG")


def postgres_is_ready(host: str, port: int) -> bool:
    body = struct.pack("!i", 3 << 16) + b"user\0postgres\0database\0postgres\0\0"
    answer = _exchange(host, port, struct.pack("!i", len(body) + 4) + body)
    return answer[:1] == b"R" or (answer[:1] == b"E" and STARTING_UP not in answer)


def _exchange(host: str, port: int, question: bytes) -> bytes:
    with socket.create_connection((host, port), timeout=TIMEOUT_S) as connection:
        connection.sendall(question)
        return connection.recv(4096)


def is_ready(url: str) -> bool:
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or 0
    match parts.scheme:
        case "http":
            return http_is_ready(url)
        case "redis":
            return redis_is_ready(host, port)
        case "postgres":
            return postgres_is_ready(host, port)
    raise SystemExit(f"{url}: expected http://, redis:// or postgres://")


if __name__ == "__main__":
    try:
        sys.exit(0 if is_ready(sys.argv[1]) else 1)
    except OSError as error:
        sys.exit(f"{sys.argv[1]}: {error}")
