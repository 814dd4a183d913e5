"""A TCP link that can be cut in the ways links are cut: refused, swallowed, frozen, or on one side only.

Toxiproxy can do the first three (`enabled: false`, `timeout`, none for frozen); the last needs a hand of its own.
"""

import contextlib
import socket
import threading
import time
from enum import Enum, auto

Address = tuple[str, int]


class Mode(Enum):
    PASSES = auto()
    REFUSES = auto()  # connections are closed, new ones refused
    SWALLOWS = auto()  # every byte is lost, connections look alive; they are closed at the end, as Toxiproxy does
    FREEZES = auto()  # nothing is read any more, and all of it goes on at the end
    HALF_OPEN = auto()  # the caller's side is closed and refused, the other side is never told


class Forwarder:
    def __init__(self, listen: Address, upstream: Address) -> None:
        self._listen = listen
        self._upstream = upstream
        self.delay_s = 0.0  # of whatever passes, each way, and of the end
        self._mode = Mode.PASSES
        self._moves = threading.Event()
        self._moves.set()
        self._callers: set[socket.socket] = set()
        self._upstreams: set[socket.socket] = set()
        self._orphans: set[socket.socket] = set()  # upstreams that have not been told of their caller's end
        self._listener: socket.socket | None = None
        self._open()

    @property
    def port(self) -> int:
        return self._listen[1]

    def cut(self, mode: Mode) -> None:
        self._mode = mode
        if mode is Mode.FREEZES:
            self._moves.clear()
        elif mode in (Mode.REFUSES, Mode.HALF_OPEN):
            self._close_listener()
            if mode is Mode.HALF_OPEN:
                self._orphans |= self._upstreams
            self._drop_all()

    def heal(self) -> None:
        was, self._mode = self._mode, Mode.PASSES
        self._moves.set()
        if was is Mode.SWALLOWS:
            self._drop_all()
        if self._listener is None:
            self._open()

    def close(self) -> None:
        self._mode = Mode.REFUSES
        self._moves.set()
        self._close_listener()
        self._orphans.clear()
        self._drop_all()

    def _open(self) -> None:
        self._listener = socket.create_server(self._listen)
        self._listen = self._listener.getsockname()  # the same port after a cut
        threading.Thread(target=self._accept_all, args=(self._listener,), daemon=True).start()

    def _close_listener(self) -> None:
        if self._listener is not None:
            self._listener.shutdown(socket.SHUT_RDWR)  # wakes up whoever accepts
            self._listener.close()
            self._listener = None

    def _drop_all(self) -> None:
        self._drop(*self._callers, *self._upstreams)

    def _drop(self, *connections: socket.socket) -> None:
        for connection in connections:
            if connection not in self._orphans:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def _accept_all(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):  # closed by a cut
            while True:
                caller, _ = listener.accept()
                threading.Thread(target=self._serve, args=(caller,), daemon=True).start()

    def _serve(self, caller: socket.socket) -> None:
        self._callers.add(caller)
        with caller, contextlib.suppress(OSError):  # whatever is away, the caller sees that its connection ends
            self._moves.wait()
            if self._mode is Mode.SWALLOWS:
                while caller.recv(65536):
                    pass
            else:
                self._connect(caller)
        self._callers.discard(caller)

    def _connect(self, caller: socket.socket) -> None:
        with socket.create_connection(self._upstream) as upstream:
            self._upstreams.add(upstream)
            back = threading.Thread(target=self._pump, args=(upstream, caller), daemon=True)
            back.start()
            self._pump(caller, upstream)
            back.join()
            self._upstreams.discard(upstream)
            self._orphans.discard(upstream)

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):  # an end like any other
            while chunk := source.recv(65536):
                time.sleep(self.delay_s)
                while (mode := self._mode) is Mode.FREEZES:
                    self._moves.wait()
                if mode is Mode.PASSES and source not in self._orphans:
                    sink.sendall(chunk)
        time.sleep(self.delay_s)
        self._drop(source, sink)
