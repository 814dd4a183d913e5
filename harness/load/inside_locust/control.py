"""The shard's end of the socket to its driver."""

import socket
from collections.abc import Callable, Iterator

import msgspec

from harness.load.messages import Command, Report

_DECODER: msgspec.json.Decoder[Command] = msgspec.json.Decoder(Command)


class Control:
    """Reads commands, writes reports. Once the driver is gone, reports go nowhere and `on_gone` was called."""

    def __init__(self, descriptor: int) -> None:
        self._socket = socket.socket(fileno=descriptor)  # gevent's by now: waiting blocks only the one who waits
        self._gone = False

    def say(self, report: Report) -> None:
        if self._gone:
            return
        try:
            self._socket.sendall(msgspec.json.encode(report) + b"\n")
        except OSError:
            self._gone = True  # the reader notices the same and stops the load

    def listen(self, on_command: Callable[[Command], None], on_gone: Callable[[], None]) -> None:
        """Until the driver hangs up, however it does."""
        for line in self._lines():
            on_command(_DECODER.decode(line))
        self._gone = True
        on_gone()

    def _lines(self) -> Iterator[bytes]:
        gathered = b""
        while True:
            try:
                block = self._socket.recv(65536)
            except OSError:
                return
            if not block:
                return
            *lines, gathered = (gathered + block).split(b"\n")
            yield from lines
