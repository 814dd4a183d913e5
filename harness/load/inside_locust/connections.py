"""Connections to the target's entry, and one HTTP request on one of them: sent once, whatever happens.

geventhttpclient's own client sends a GET again after a reset, up to as often as its pool is large, without a word. So
only its pool and its parser are used here, and there is nothing that could retry. Its liveness test uses select(2),
which fails above 1,024 descriptors and then silently ends keep-alive; ours looks with MSG_PEEK.
"""

import socket
from functools import cached_property
from typing import Any, cast

from gevent import getcurrent
from gevent import socket as gevent_socket
from geventhttpclient.connectionpool import ConnectionPool
from geventhttpclient.response import HTTPConnectionClosed, HTTPParseError, HTTPSocketPoolResponse

from harness.record.rows import ErrorClass

# The number of connections is bounded by the requests in flight, which the shard counts; the pool must not be a second,
# hidden queue, nor lose a slot when a deadline strikes while a request is being written.
UNBOUNDED = 1_000_000
BLOCK_BYTES = 65536

NETWORK_ERRORS = (OSError, HTTPParseError)


class Fields(dict[str, str]):
    """Response headers by lower-case name; of repeated ones the first."""

    def add(self, field: str, value: str) -> None:
        self.setdefault(field.lower(), value)


class EntryPool(ConnectionPool):
    """Idle connections to one address, the latest used first; as many open ones as requests need."""

    def __init__(self, host: str, port: int, *, deadline_s: float) -> None:
        super().__init__(
            host, port, host, port, size=UNBOUNDED, connection_timeout=deadline_s, network_timeout=deadline_s
        )

    @cached_property
    def _addresses(self) -> Any:
        return self._resolve()

    def _create_socket(self) -> Any:
        """A new connection to the first address. Unlike the original it keeps no error in a variable: error, traceback
        and frame would hold each other until a garbage collection, and there is none while load runs."""
        family, kind, protocol, _, address = self._addresses[0]
        sock = gevent_socket.socket(family, kind, protocol)
        try:
            sock.settimeout(self.connection_timeout)
            sock.connect(address)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except BaseException:
            sock.close()
            raise
        return sock

    def _is_socket_alive(self, sock: Any) -> bool:
        """An idle connection has nothing to say: bytes or an end mean that it cannot be used again."""
        try:
            sock._sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False


def exchange(pool: EntryPool, method: str, request: bytes) -> tuple[int, Fields, bytes]:
    """Send once, read the whole answer. Raises NETWORK_ERRORS, or whatever the caller throws in (a deadline).

    Sets `connected` on the running greenlet as soon as bytes may leave: before that, nothing can have happened.
    """
    sock = pool.get_socket()
    getcurrent().connected = True
    try:
        sock.sendall(request)
    except BaseException:
        pool.release_socket(sock)
        raise
    # The response gives the connection back by itself, or closes it if it did not end well.
    response = HTTPSocketPoolResponse(sock, pool, block_size=BLOCK_BYTES, method=method, headers_type=Fields)
    body = response.read()
    return response.status_code, cast(Fields, response.info()), body


def error_class(error: BaseException) -> ErrorClass:
    """The closed word for a network error."""
    cause = error.__context__ if isinstance(error, HTTPConnectionClosed) and error.__context__ else error
    match cause:
        case ConnectionRefusedError():
            return ErrorClass.REFUSED
        case ConnectionResetError() | BrokenPipeError():
            return ErrorClass.RESET
        case TimeoutError():
            return ErrorClass.DEADLINE
        case HTTPParseError():
            return ErrorClass.CLOSED
        case _:
            return ErrorClass.OTHER
