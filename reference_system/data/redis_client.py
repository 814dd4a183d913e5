"""A small Redis client: many callers share a few connections, commands are pipelined in order of arrival.

Written instead of using redis-py because latency faults on the storage link must cost exactly one delay a round trip:
no pool to grow (each new connection would pay handshakes through the slow link), no timer a command, a fraction of the
CPU. Knows nothing of retries, breakers or keys. Raises OSError (also TimeoutError) when Redis cannot be reached, and
RedisReplyError when it answers with an error.
"""

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import urlsplit

from reference_system.data.resp import Command, RedisRefusedError, RedisReplyError, Reply, ReplyParser, encoded

# Slow storage of up to about a second a round trip must still count as working, and a silent Redis must cost less than
# the 2,000 ms at which the ladder demands SURVIVAL.
TIMEOUT_S = 1.9
CONNECTIONS = 2


@dataclass(slots=True)
class _Pending:
    wanted: int
    sent_s: float
    future: asyncio.Future[list[Reply]]
    replies: list[Reply] = field(default_factory=list)


class _Connection(asyncio.Protocol):
    """One connection. It is dead for good once the oldest command has waited for the timeout, or the peer closed."""

    def __init__(self, loop: asyncio.AbstractEventLoop, timeout_s: float) -> None:
        self._loop = loop
        self._timeout_s = timeout_s
        self._parser = ReplyParser()
        self._pending: deque[_Pending] = deque()
        self._watchdog: asyncio.TimerHandle | None = None
        self._transport: asyncio.WriteTransport | None = None
        self.alive = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.WriteTransport, transport)  # uvloop's transports are no subclass of it
        self.alive = True

    def send(self, commands: tuple[Command, ...]) -> asyncio.Future[list[Reply]]:
        assert self._transport is not None
        future = self._loop.create_future()
        self._pending.append(_Pending(len(commands), self._loop.time(), future))
        self._transport.write(encoded(commands))
        if self._watchdog is None:
            self._watch(self._timeout_s)
        return future

    def data_received(self, data: bytes) -> None:
        for reply in self._parser.feed(data):
            oldest = self._pending[0]
            oldest.replies.append(reply)
            if len(oldest.replies) == oldest.wanted:
                self._pending.popleft()
                if not oldest.future.done():
                    oldest.future.set_result(oldest.replies)

    def connection_lost(self, exc: Exception | None) -> None:
        self.fail(ConnectionError("Redis closed the connection") if exc is None else exc)

    def fail(self, error: Exception) -> None:
        self.alive = False
        if self._watchdog is not None:
            self._watchdog.cancel()
        if self._transport is not None:
            self._transport.abort()
        while self._pending:
            future = self._pending.popleft().future
            if not future.done():
                future.set_exception(error)

    def _watch(self, in_s: float) -> None:
        self._watchdog = self._loop.call_later(in_s, self._check)

    def _check(self) -> None:
        """One timer for all commands: replies come in order, so the oldest command tells about all."""
        self._watchdog = None
        if not self._pending:
            return
        left_s = self._pending[0].sent_s + self._timeout_s - self._loop.time()
        if left_s <= 0.001:
            self.fail(TimeoutError(f"Redis was silent for {self._timeout_s} s"))
        else:
            self._watch(left_s)


class RedisClient:
    """`await client.run(("GET", "key"), ("INCR", "n"))` gives the replies of one round trip."""

    def __init__(self, url: str, *, connections: int = CONNECTIONS, timeout_s: float = TIMEOUT_S) -> None:
        parts = urlsplit(url)
        self._address = (parts.hostname or "127.0.0.1", parts.port or 6379)
        self._timeout_s = timeout_s
        self._connections: list[_Connection | None] = [None] * connections
        self._connecting = [asyncio.Lock() for _ in range(connections)]
        self._turn = 0

    async def run(self, *commands: Command) -> list[Reply]:
        replies = await self.replies(*commands)
        for reply in replies:
            if isinstance(reply, RedisReplyError):
                raise reply
        return replies

    async def replies(self, *commands: Command) -> list[Reply]:
        """As `run`; refusals of single commands are among the replies, and the others were done."""
        if not commands:
            return []  # Redis would have nothing to say, and who waits for that waits in vain
        self._turn = (self._turn + 1) % len(self._connections)
        connection = self._connections[self._turn]
        if connection is None or not connection.alive:
            connection = await self._connected(self._turn)
        replies = await connection.send(commands)
        for reply in replies:
            if isinstance(reply, RedisReplyError) and not isinstance(reply, RedisRefusedError):
                raise reply
        return replies

    def close(self) -> None:
        for connection in self._connections:
            if connection is not None:
                connection.fail(ConnectionError("closed by us"))

    async def _connected(self, index: int) -> _Connection:
        # The wait for who is connecting already is part of the timeout: else each would spend one after the other's.
        async with asyncio.timeout(self._timeout_s), self._connecting[index]:
            known = self._connections[index]
            if known is not None and known.alive:
                return known
            loop = asyncio.get_running_loop()
            _, made = await loop.create_connection(lambda: _Connection(loop, self._timeout_s), *self._address)
            self._connections[index] = made
            return made
