"""A small open-loop load: requests at even spaces, whatever the answers do, on plain streams to cost little CPU."""

import asyncio
import itertools
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Answered:
    """Times in seconds since the first request was due."""

    sent_s: float
    finished_s: float
    status: int
    headers: dict[str, str]


Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def offered(url: str, paths: Sequence[str], *, rate_per_s: float, for_s: float, token: str) -> list[Answered]:
    return asyncio.run(_offered(url, paths, rate_per_s=rate_per_s, for_s=for_s, token=token))


async def _offered(url: str, paths: Sequence[str], *, rate_per_s: float, for_s: float, token: str) -> list[Answered]:
    address, idle, chance = urlsplit(url), list[Connection](), random.Random(3)
    start = time.monotonic()
    tasks = []
    for n in itertools.count():
        due_s = n / rate_per_s
        if due_s >= for_s:
            break
        await asyncio.sleep(max(0.0, start + due_s - time.monotonic()))
        head = f"GET {chance.choice(paths)} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n"
        tasks.append(asyncio.create_task(_one(idle, address.hostname or "", address.port or 0, head.encode(), start)))
    rows = await asyncio.gather(*tasks)
    for _, writer in idle:
        writer.close()
        await writer.wait_closed()
    return rows


async def _one(idle: list[Connection], host: str, port: int, request: bytes, start: float) -> Answered:
    sent_s = time.monotonic() - start
    reader, writer = idle.pop() if idle else await asyncio.open_connection(host, port)
    writer.write(request)
    status, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines)
    await reader.readexactly(int(headers["content-length"]))
    idle.append((reader, writer))
    return Answered(sent_s, time.monotonic() - start, int(status.split()[1]), headers)
