"""The Redis client against a server of the test's own that says what it is told."""

import asyncio
import contextlib
import socket
import time
from collections.abc import Iterator

import pytest

from reference_system.data.redis_client import RedisClient
from reference_system.data.resp import Command, RedisRefusedError, RedisReplyError
from tests.loopback import loopback

HOST = loopback(64)
PINGS = (("PING",), ("PING",))


async def _asked(*said: bytes, commands: tuple[Command, ...] = PINGS) -> list[object]:
    """What a client gets for commands that are answered so."""
    gone = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        writer.write(b"".join(said))
        await reader.read()  # until the client goes
        writer.close()
        gone.set()

    async with await asyncio.start_server(answer, HOST, 0) as server:
        client = RedisClient(f"redis://{HOST}:{server.sockets[0].getsockname()[1]}", connections=1)
        try:
            return list(await client.replies(*commands))
        finally:
            client.close()
            if commands:
                await gone.wait()


def test_who_asks_nothing_waits_for_nothing() -> None:
    assert asyncio.run(_asked(commands=())) == []


def test_a_refusal_of_one_command_is_among_the_replies() -> None:
    refused, after = asyncio.run(_asked(b"-WRONGTYPE no list\r\n", b"+PONG\r\n"))

    assert isinstance(refused, RedisRefusedError)
    assert after == b"PONG"


def test_a_redis_that_serves_nobody_is_no_reply() -> None:
    with pytest.raises(RedisReplyError, match="LOADING"):
        asyncio.run(_asked(b"+PONG\r\n", b"-LOADING not yet\r\n"))


@contextlib.contextmanager
def _port_that_nobody_answers() -> Iterator[int]:
    """Linux takes one connection more than the backlog, and does not answer any other."""
    with contextlib.ExitStack() as open_sockets:
        listening = open_sockets.enter_context(socket.socket())
        listening.bind((HOST, 0))
        listening.listen(0)
        for _ in range(4):
            waiting = open_sockets.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex(listening.getsockname())
        yield int(listening.getsockname()[1])


def test_who_waits_for_others_to_connect_waits_no_longer_than_they_do() -> None:
    async def ask(port: int) -> tuple[list[list[object] | BaseException], float]:
        client, asked_s = RedisClient(f"redis://{HOST}:{port}", connections=1, timeout_s=0.05), time.monotonic()
        outcomes = await asyncio.gather(*(client.run(("PING",)) for _ in range(6)), return_exceptions=True)
        return outcomes, time.monotonic() - asked_s

    with _port_that_nobody_answers() as port:
        outcomes, waited_s = asyncio.run(ask(port))

    assert [type(outcome) for outcome in outcomes] == [TimeoutError] * 6
    assert waited_s < 3 * 0.05
