"""A real WebSocket: handshake, one frame, close. Or the refusal, as the HTTP answer that it is."""

import socket
from collections.abc import Mapping
from typing import Any

import websocket
from gevent import getcurrent
from gevent import socket as gevent_socket

from harness.load.inside_locust.connections import BLOCK_BYTES, Fields
from harness.record.rows import ErrorClass

WEBSOCKET_ERRORS = (websocket.WebSocketException,)


def first_frame(address: tuple[str, int], path: str, headers: Mapping[str, str]) -> tuple[int, Fields, bytes]:
    """Status 101, the handshake's headers and the first frame; or status, headers and body of the refusal.

    Raises OSError and WEBSOCKET_ERRORS, or whatever the caller throws in (a deadline, which covers all of it).
    """
    with gevent_socket.create_connection(address) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        getcurrent().connected = True
        connection = websocket.WebSocket()
        try:
            connection.connect(  # type: ignore[no-untyped-call] # the library annotates it by halves
                f"ws://{address[0]}:{address[1]}{path}",
                socket=_ReadAhead(sock),
                header=[f"{name}: {value}" for name, value in headers.items()],
                suppress_origin=True,
                redirect_limit=0,
            )
            _, frame = connection.recv_data()
            connection.send_close()
        except websocket.WebSocketBadStatusException as refusal:
            return refusal.status_code, _fields(refusal.resp_headers), refusal.resp_body or b""
        finally:
            fields = _fields(connection.headers)
            vars(connection).clear()  # it refers to itself, and there is no garbage collection while load runs
        return 101, fields, frame


def websocket_error_class(error: Exception) -> ErrorClass:
    if isinstance(error, websocket.WebSocketConnectionClosedException):
        return ErrorClass.CLOSED
    return ErrorClass.WRONG_ANSWER


class _ReadAhead:
    """A socket that reads in blocks: the library asks for the handshake byte by byte, a system call each."""

    def __init__(self, sock: Any) -> None:
        self._sock = sock
        self._ahead = b""

    def recv(self, count: int) -> bytes:
        if not self._ahead:
            self._ahead = self._sock.recv(BLOCK_BYTES)
        taken, self._ahead = self._ahead[:count], self._ahead[count:]
        return taken

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)


def _fields(headers: Mapping[str, str] | None) -> Fields:
    fields = Fields()
    for name, value in (headers or {}).items():
        fields.add(name, value)
    return fields
