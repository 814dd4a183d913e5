"""A real HTTP server of a hundred lines, for load tests: `small_server.py <host> <port> <behaviour> [key=value …]`.

It runs in a process of its own, so that its work is not the client's, and counts what it saw at `/seen`.
"""

import asyncio
import base64
import hashlib
import json
import random
import socket
import struct
import sys
from collections import Counter

MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
REASONS = {101: "Switching Protocols", 200: "OK", 201: "Created", 302: "Found", 404: "Not Found"}


class Server:
    def __init__(self, behaviour: str, options: dict[str, str]) -> None:
        self.behaviour = behaviour
        self.options = options
        self.seen: Counter[str] = Counter()
        self.kept: dict[str, list[str]] = {}
        self.chance = random.Random(7)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                first, *lines = head.split("\r\n")
                headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                method, path, _ = first.split(" ")
                if path == "/seen":
                    self.answer(writer, 200, json.dumps(self.seen).encode())
                    continue
                self.seen["all"] += 1
                self.seen[f"{method} {path}"] += 1
                self.seen["keys"] += "idempotency-key" in headers
                await self.behave(method, path, headers, body, writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def answer(
        self, writer: asyncio.StreamWriter, status: int, body: bytes = b"{}", headers: dict[str, str] | None = None
    ) -> None:
        all_headers = {
            "Content-Length": str(len(body)),
            "X-Served-By": "small-1",
            "X-Region": "us-east",
            "X-Degradation-Level": self.options.get("level", "0"),
            "X-Cache": "redis",
            "Age": self.options.get("age", "7"),
        } | (headers or {})
        lines = "".join(f"{name}: {value}\r\n" for name, value in all_headers.items())
        writer.write(f"HTTP/1.1 {status} {REASONS.get(status, 'Whatever')}\r\n{lines}\r\n".encode() + body)

    async def behave(
        self, method: str, path: str, headers: dict[str, str], body: bytes, writer: asyncio.StreamWriter
    ) -> None:
        match self.behaviour:
            case "ok":
                self.contract(method, path, headers, body, writer)
            case "reset" if self.chance.random() < 0.5:
                reset(writer)
            case "drip":
                await drip(writer)
            case "slow":
                await asyncio.sleep(float(self.options["delay_s"]))
                self.answer(writer, 200)
            case "truncate":
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf of")
                writer.close()
            case "status":
                self.answer(writer, int(self.options["status"]), headers=json.loads(self.options.get("headers", "{}")))
            case "close":
                writer.close()
            case "regions":
                await self.lists(method, path, headers, body, writer)
            case _:
                self.answer(writer, 200)

    async def lists(
        self, method: str, path: str, headers: dict[str, str], body: bytes, writer: asyncio.StreamWriter
    ) -> None:
        """A list under each path that is added to by POST; every fifth addition is kept and not answered."""
        region = headers.get("x-client-region", "")
        self.seen[f"region {region}"] += 1
        self.seen["carried"] += "x-read-after" in headers
        await asyncio.sleep(0.02)
        if method == "POST":
            self.kept.setdefault(path, []).append(json.loads(body)["id"])
            self.seen["additions"] += 1
            if self.seen["additions"] % 5 == 0:
                reset(writer)
                return
        answer = json.dumps(self.kept.get(path, [])).encode()
        self.answer(writer, 200, answer, {"X-Region": region, "X-Write-Token": f"{region}:1.5"})

    def contract(  # noqa: PLR0912 (one case for each route)
        self, method: str, path: str, headers: dict[str, str], body: bytes, writer: asyncio.StreamWriter
    ) -> None:
        """The routes of docs/contract.md with every feature on, or at the level `level` with them off."""
        degraded = int(self.options.get("level", "0")) >= 4
        plain, _, _ = path.partition("?")
        known = {"authorization": headers.get("authorization", "")}
        if plain not in ("/auth/login", "/auth/signup") and not known["authorization"].startswith("Bearer "):
            self.answer(writer, 401)
            return
        match plain:
            case "/auth/login" | "/auth/signup":
                name = json.loads(body)["name"]
                status = 201 if plain.endswith("signup") else 200
                self.answer(writer, status, json.dumps({"user": {"id": 1}, "token": f"token-{name}"}).encode())
            case "/tweets/create" if degraded:
                self.answer(writer, 503, headers={"X-Disabled-Feature": "new_tweets"})
            case "/tweets/create":
                self.answer(writer, 201, b'{"id":"us-east-%d"}' % self.seen["all"])
            case "/timeline/home":
                self.answer(writer, 200, json.dumps(home(degraded)).encode())
            case "/notifications":
                self.answer(writer, 200, b'{"notifications":[]}')
            case "/search/posts":
                self.answer(writer, 200, b'{"trends":[]}' if degraded else b'{"results":[]}')
            case "/realtime" if degraded:
                self.answer(writer, 503, headers={"X-Disabled-Feature": "real_time_updates"})
            case "/realtime":
                switch(writer, headers["sec-websocket-key"])
            case "/trending":
                self.answer(writer, 200, b'{"topics":[]}' if degraded else b'{"topics":["cats"]}')
            case "/suggestions/users":
                self.answer(writer, 200, b'{"users":[]}' if degraded else b'{"users":[{"id":2}]}')
            case _ if plain.endswith("/profile"):
                self.answer(writer, 200, b'{"user":{"id":2},"posts":[]}')
            case _:
                self.answer(writer, 404)


def home(degraded: bool) -> dict[str, object]:
    media = {"link": "http://x/1"} if degraded else {"link": "http://x/1", "preview": {"title": "x"}}
    order = range(20, 0, -1) if degraded else [3, 9, 1, *range(20, 10, -1)]
    posts = [
        {"id": str(n), "author": 1, "text": "x", "created_at": float(n), "likes": n, "retweets": 0, "media": media}
        for n in order
    ]
    return {"posts": posts} if degraded else {"posts": posts, "analytics_event": "event-1"}


def reset(writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def drip(writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n")
    for _ in range(20):
        await asyncio.sleep(0.5)
        writer.write(b"x")
        await writer.drain()


def switch(writer: asyncio.StreamWriter, key: str) -> None:
    accept = base64.b64encode(hashlib.sha1((key + MAGIC).encode()).digest()).decode()  # noqa: S324 (RFC 6455 says so)
    writer.write(
        f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        f"Sec-WebSocket-Accept: {accept}\r\nX-Served-By: small-1\r\nX-Degradation-Level: 0\r\n\r\n".encode()
    )
    frame = b'{"unread":3}'
    writer.write(bytes([0x81, len(frame)]) + frame)


async def main(host: str, port: int, behaviour: str, options: dict[str, str]) -> None:
    server = Server(behaviour, options)
    async with await asyncio.start_server(server.serve, host, port, backlog=4096) as listening:
        print("listening", flush=True)
        await listening.serve_forever()


if __name__ == "__main__":
    _, given_host, given_port, given_behaviour, *rest = sys.argv
    asyncio.run(main(given_host, int(given_port), given_behaviour, dict(one.split("=", 1) for one in rest)))
