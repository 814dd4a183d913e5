"""Hears what is published on a channel of Redis, and knows whether it does.

A connection of its own, because on one that subscribes nothing else can be asked. Who publishes tells all replicas at
once; what is published while nobody listens is lost, so `on_open` and `on_lost` tell the owner between which moments
nothing was. A Redis that says nothing for `SILENT_S` is lost: it is asked to say something once a second.
"""

import asyncio
import contextlib
import random
from collections.abc import Callable
from urllib.parse import urlsplit

from reference_system.data.redis_client import TIMEOUT_S
from reference_system.data.resp import RedisReplyError, ReplyParser, encoded

PING_EVERY_S = 1.0
SILENT_S = PING_EVERY_S + TIMEOUT_S
AGAIN_S = 0.5  # to twice as much, so that replicas do not come back in step
READ_BYTES = 65_536


class Subscription:
    def __init__(
        self,
        url: str,
        channel: str,
        *,
        on_message: Callable[[str], None],
        on_open: Callable[[], None],
        on_lost: Callable[[], None],
        chance: random.Random,
    ) -> None:
        parts = urlsplit(url)
        self._address = (parts.hostname or "127.0.0.1", parts.port or 6379)
        self._channel = channel
        self._on_message = on_message
        self._on_open = on_open
        self._on_lost = on_lost
        self._chance = chance

    async def listen(self) -> None:
        """For ever, through any number of losses; its owner ends it by cancelling it."""
        while True:
            with contextlib.suppress(OSError, RedisReplyError):
                await self._listen_once()
            self._on_lost()
            await asyncio.sleep(AGAIN_S * (1 + self._chance.random()))

    async def _listen_once(self) -> None:
        async with asyncio.timeout(TIMEOUT_S):
            reader, writer = await asyncio.open_connection(*self._address)
        try:
            writer.write(encoded((("SUBSCRIBE", self._channel),)))
            await self._hear(reader, writer)
        finally:
            writer.transport.abort()

    async def _hear(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Until the connection ends, which raises OSError."""
        parser, now_s = ReplyParser(), asyncio.get_running_loop().time
        heard_s = now_s()
        while True:
            try:
                async with asyncio.timeout(PING_EVERY_S):
                    data = await reader.read(READ_BYTES)
            except TimeoutError:
                if now_s() - heard_s > SILENT_S:
                    raise
                writer.write(encoded((("PING",),)))
                continue
            if not data:
                raise ConnectionError("Redis closed the connection")
            heard_s = now_s()
            for reply in parser.feed(data):
                self._take(reply)

    def _take(self, reply: object) -> None:
        match reply:
            case [b"message", _, bytes(text)]:
                self._on_message(text.decode())
            case [b"subscribe", *_]:
                self._on_open()
            case RedisReplyError():
                raise reply
