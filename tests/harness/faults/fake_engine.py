"""A Docker Engine's API on a Unix socket, with containers in memory: for what undoing asks of it."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingMixIn, UnixStreamServer
from typing import Any


class FakeEngine:
    """`containers` holds what `inspect` shows, by id; `refuses` makes every change an error."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.containers: dict[str, dict[str, Any]] = {}
        self.calls: list[str] = []
        self.refuses = False

    def add(self, container: str, *, running: bool = True, paused: bool = False) -> None:
        self.containers[container] = {
            "State": {"Running": running, "Paused": paused},
            "NetworkSettings": {"Networks": {}},
            "HostConfig": {"NanoCpus": 10**9, "Memory": 2**28, "MemorySwap": 2**28},
        }

    def attach(self, container: str, network: str, *, aliases: list[str], ipv4_address: str) -> None:
        self.containers[container]["NetworkSettings"]["Networks"][network] = {
            "Aliases": [*aliases, container[:12]],
            "IPAMConfig": {"IPv4Address": ipv4_address},
        }

    def answer(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        self.calls.append(f"{method} {path}")
        match path.partition("?")[0].strip("/").split("/"):
            case ["containers", container, *_] if container not in self.containers:
                return 404, {"message": f"No such container: {container}"}
            case ["containers", container, "json"]:
                return 200, self.containers[container]
            case _ if self.refuses:
                return 500, {"message": "not today"}
            case ["containers", container, *action]:
                return self._act(container, (*action, "remove")[0], body)
            case ["networks", network, action]:
                return self._move(network, action, body)
        return 404, {"message": "page not found"}

    def _move(self, network: str, action: str, body: dict[str, Any]) -> tuple[int, Any]:
        if action == "disconnect":
            networks = self.containers[body["Container"]]["NetworkSettings"]["Networks"]
            return (200, None) if networks.pop(network, None) else (403, {"message": "is not connected"})
        endpoint = body["EndpointConfig"]
        address = endpoint.get("IPAMConfig", {}).get("IPv4Address", "")
        self.attach(body["Container"], network, aliases=endpoint["Aliases"], ipv4_address=address)
        return 200, None

    def _act(self, name: str, action: str, body: dict[str, Any]) -> tuple[int, Any]:
        container = self.containers[name]
        state = container["State"]
        match action:
            case "remove":
                del self.containers[name]
                return 204, None
            case "start":
                return (304, None) if state["Running"] else (204, state.update(Running=True))
            case "kill":
                return (204, state.update(Running=False)) if state["Running"] else (409, {"message": "not running"})
            case "unpause":
                return (204, state.update(Paused=False)) if state["Paused"] else (409, {"message": "not paused"})
            case "update":
                container["HostConfig"].update(body)
                return 200, {"Warnings": None}
        return 404, {"message": "page not found"}


class _Server(ThreadingMixIn, UnixStreamServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Quiet: a guard that is killed in the middle of a question is what some tests want."""


@contextmanager
def fake_engine(folder: Path) -> Iterator[FakeEngine]:
    """The socket is `folder`/docker.sock, whose path must be short enough for a socket (about 100 characters)."""
    engine = FakeEngine(f"unix://{folder}/docker.sock")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._reply("GET")

        def do_POST(self) -> None:
            self._reply("POST")

        def do_DELETE(self) -> None:
            self._reply("DELETE")

        def address_string(self) -> str:
            return "a Unix socket"

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

        def _reply(self, method: str) -> None:
            text = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, answer = engine.answer(method, self.path, json.loads(text) if text else {})
            data = b"" if answer is None else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    with _Server(f"{folder}/docker.sock", Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield engine
        server.shutdown()
        thread.join()
