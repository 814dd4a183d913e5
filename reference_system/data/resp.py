"""The Redis wire protocol (RESP2): commands to bytes, bytes to replies. Pure; does no I/O."""

from typing import Any, Final

Command = tuple[str | bytes | int, ...]
Reply = Any  # bytes | int | None | RedisReplyError | list of these; recursive, so not worth spelling out

_INCOMPLETE: Final = object()


class RedisReplyError(Exception):
    """Redis answered a command with an error; the text is Redis's own."""


class RedisRefusedError(RedisReplyError):
    """Because of what this command asks of this key. Other commands are done."""


_REFUSED = (b"WRONGTYPE", b"ERR Error running script")


def encoded(commands: tuple[Command, ...]) -> bytes:
    pieces: list[bytes] = []
    for command in commands:
        pieces.append(b"*%d\r\n" % len(command))
        for word in command:
            data = word if isinstance(word, bytes) else str(word).encode()
            pieces.append(b"$%d\r\n%b\r\n" % (len(data), data))
    return b"".join(pieces)


class ReplyParser:
    """Takes bytes as they come, gives the replies that are complete."""

    def __init__(self) -> None:
        self._buffer = b""

    def feed(self, data: bytes) -> list[Reply]:
        buffer = self._buffer + data if self._buffer else data
        replies: list[Reply] = []
        position = 0
        while position < len(buffer):
            reply, end = _parsed(buffer, position)
            if reply is _INCOMPLETE:
                break
            replies.append(reply)
            position = end
        self._buffer = buffer[position:]
        return replies


def _parsed(buffer: bytes, start: int) -> tuple[Reply, int]:
    line_end = buffer.find(b"\r\n", start)
    if line_end < 0:
        return _INCOMPLETE, start
    kind, line, after = buffer[start : start + 1], buffer[start + 1 : line_end], line_end + 2
    match kind:
        case b"$":
            return _bulk(buffer, int(line), after)
        case b"*":
            return _array(buffer, int(line), after)
        case b":":
            return int(line), after
        case b"+":
            return line, after
        case b"-":
            kind_of_error = RedisRefusedError if line.startswith(_REFUSED) else RedisReplyError
            return kind_of_error(line.decode()), after
        case _:
            raise RedisReplyError(f"not a RESP2 reply: {buffer[start : start + 20]!r}")


def _bulk(buffer: bytes, length: int, start: int) -> tuple[Reply, int]:
    if length < 0:
        return None, start
    end = start + length
    if len(buffer) < end + 2:
        return _INCOMPLETE, start
    return buffer[start:end], end + 2


def _array(buffer: bytes, length: int, start: int) -> tuple[Reply, int]:
    if length < 0:
        return None, start
    items: list[Reply] = []
    for _ in range(length):
        item, start = _parsed(buffer, start)
        if item is _INCOMPLETE:
            return _INCOMPLETE, start
        items.append(item)
    return items, start
