"""One question and one answer through a data path, with plain sockets: how a fault is shown to bite, or to be gone.

Standard library only, because the guard asks too. It says what came back; what that means is judged elsewhere
(`canary.py`, `undo.py`). The questions change nothing: PING, an SSL request, a GET of a health path.
"""

import errno
import socket
import struct
import time
from dataclasses import dataclass

PING = b"PING\r\n"
SSL_REQUEST = struct.pack("!ii", 8, 80877103)  # the protocol's own number; answered with one byte, S or N
PROTOCOL_3_0 = 196608
HTTP_HEADER_BYTES = 7000  # nginx takes four header buffers of 8 KB, uvicorn 64 KB of headers
HTTP_HEADERS = 3
STARTUP_PADDING_BYTES = 9800  # Postgres refuses startup packets above 10,000 bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back: answered, wrong (something else), silent, closed, reset, refused or unreachable.

    `round_trip_s` counts from the question sent to the awaited bytes of the answer; not the connect, which no Toxiproxy
    fault delays.
    """

    signature: str
    round_trip_s: float | None = None
    detail: str = ""

    @property
    def connected(self) -> bool:
        return self.signature not in ("refused", "unreachable")

    @property
    def answered(self) -> bool:
        return self.signature == "answered"


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Bytes to send, how the answer begins, and how many bytes of it are awaited."""

    data: bytes
    begins: tuple[bytes, ...]
    answer_bytes: int


def ask(protocol: str, host: str, port: int, *, path: str = "/", timeout_s: float = 1.0) -> Answer:
    """Ask the protocol's smallest question on a new connection."""
    return exchange(host, port, question(protocol, host, path=path), timeout_s=timeout_s)


def question(protocol: str, host: str, *, path: str = "/") -> Question | None:
    """The smallest question; None for plain TCP, where accepting is the answer."""
    match protocol:
        case "redis":
            return Question(data=PING, begins=(b"+PONG", b"-NOAU"), answer_bytes=5)
        case "postgres":
            return Question(data=SSL_REQUEST, begins=(b"S", b"N"), answer_bytes=1)
        case "http":
            return Question(data=_get(host, path), begins=(b"HTTP/",), answer_bytes=5)
    return None


def bulk_question(protocol: str, host: str, *, path: str = "/", size: int) -> tuple[Question, int] | None:
    """A question that moves about `size` bytes, and how many it moves in all; None where the protocol has none.

    Redis echoes the payload, so it passes in both directions, one after the other. HTTP takes it as headers (at most
    21 KB) and Postgres in a startup packet (at most 10 KB, by a user that does not exist), so there it passes upwards.
    """
    match protocol:
        case "redis":
            size = max(16, size // 2)
            data = b"*2\r\n$4\r\nECHO\r\n$%d\r\n%s\r\n" % (size, b"x" * size)
            return Question(data=data, begins=(b"$",), answer_bytes=size), 2 * size
        case "http":
            size = min(size, HTTP_HEADERS * HTTP_HEADER_BYTES)
            return Question(data=_get(host, path, padding=size), begins=(b"HTTP/",), answer_bytes=5), size
        case "postgres":
            size = min(size, STARTUP_PADDING_BYTES)
            return Question(data=_startup(size), begins=(b"R", b"E"), answer_bytes=1), size
    return None


def exchange(host: str, port: int, asked: Question | None, *, timeout_s: float) -> Answer:
    """Connect, ask, and wait for the answer, each for at most `timeout_s`."""
    try:
        connection = socket.create_connection((host, port), timeout=timeout_s)
    except OSError as error:
        return _no_connection(error)
    with connection:
        if asked is None:
            return Answer(signature="answered", round_trip_s=0.0)
        return _converse(connection, asked, timeout_s)


def _converse(connection: socket.socket, asked: Question, timeout_s: float) -> Answer:
    sent_s = time.monotonic()
    try:
        connection.sendall(asked.data)
        received = _receive(connection, asked.answer_bytes, until_s=sent_s + timeout_s)
    except TimeoutError:
        return Answer(signature="silent", detail=f"no answer within {timeout_s:g}s")
    except OSError as error:
        return Answer(signature="reset", detail=error.strerror or str(error))
    round_trip_s = time.monotonic() - sent_s
    if not received:
        return Answer(signature="closed", detail="closed before the answer")
    if not received.startswith(asked.begins):
        return Answer(signature="wrong", round_trip_s=round_trip_s, detail=f"answered {received[:40]!r}")
    return Answer(signature="answered", round_trip_s=round_trip_s, detail=_first_line(received))


def _receive(connection: socket.socket, wanted: int, *, until_s: float) -> bytes:
    """At least `wanted` bytes, or what came before the other side closed."""
    received = bytearray()
    while len(received) < wanted:
        left_s = until_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        connection.settimeout(left_s)
        chunk = connection.recv(65536)
        if not chunk:
            break
        received += chunk
    return bytes(received)


def _no_connection(error: OSError) -> Answer:
    if isinstance(error, ConnectionRefusedError):
        return Answer(signature="refused", detail="connection refused")
    if error.errno == errno.ECONNRESET:
        return Answer(signature="refused", detail="connection reset while connecting")
    return Answer(signature="unreachable", detail=f"cannot connect: {error}")


def _first_line(data: bytes) -> str:
    return data.split(b"\r\n", 1)[0][:40].decode("ascii", "replace")


def _get(host: str, path: str, *, padding: int = 0) -> bytes:
    lines = [f"GET {path} HTTP/1.1", f"Host: {host}", "User-Agent: gameday-canary", "Connection: close"]
    while padding > 0:
        lines.append(f"X-Padding-{len(lines)}: {'x' * min(padding, HTTP_HEADER_BYTES)}")
        padding -= HTTP_HEADER_BYTES
    return "\r\n".join([*lines, "", ""]).encode()


def _startup(padding: int) -> bytes:
    words = [b"user", b"gameday-canary", b"application_name", b"x" * padding]
    body = struct.pack("!i", PROTOCOL_3_0) + b"".join(word + b"\0" for word in words) + b"\0"
    return struct.pack("!i", len(body) + 4) + body
