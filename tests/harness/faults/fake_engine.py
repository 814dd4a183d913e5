"""A Docker Engine's API on a Unix socket, with containers in memory: for what undoing asks of it, and the SDK."""

import copy
import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingMixIn, UnixStreamServer
from typing import Any
from urllib.parse import unquote

PROJECT = "p"
ABOUT = {
    "version": {"ApiVersion": "1.41"},
    "events": None,
    "info": {"ID": "E", "Name": "here", "ServerVersion": "20.10"},
}
NOWHERE = 404, {"message": "page not found"}


class FakeEngine:
    """`containers` holds what `inspect` shows, by id; `refuses` makes every change an error. `meanwhile` is what
    somebody else does once a call has been answered, by its method and path."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.containers: dict[str, dict[str, Any]] = {}
        self.calls: list[str] = []
        self.refuses = False
        self.meanwhile: dict[str, Callable[[], object]] = {}
        self.over = threading.Event()
        self.emptied: list[str] = []  # containers whose volumes a short-lived one has been started on

    def add(
        self,
        container: str,
        *,
        running: bool = True,
        paused: bool = False,
        service: str = "api",
        project: str = PROJECT,
    ) -> None:
        """A container of a compose project, with one named volume."""
        labels = {"com.docker.compose.project": project, "com.docker.compose.service": service}
        self.containers[container] = {
            "Id": container,
            "Image": "sha256:0",
            "Config": {"Labels": labels, "Tty": True},
            "Mounts": [{"Type": "volume", "Name": f"{project}_{service}", "Destination": "/data"}],
            "State": {"Running": running, "Paused": paused, "Restarting": False, "StartedAt": "2026-01-01T00:00:00Z"},
            "NetworkSettings": {"Networks": {}},
            "HostConfig": {"NanoCpus": 10**9, "Memory": 2**28, "MemorySwap": 2**28},
        }

    def attach(self, container: str, network: str, endpoint: dict[str, Any]) -> None:
        """The engine adds an alias, an address where none is asked for, and a MAC address that follows from it."""
        asked_for = endpoint.get("IPAMConfig") or {}
        address = asked_for.get("IPv4Address", "172.30.1.200")
        self.containers[container]["NetworkSettings"]["Networks"][network] = {
            "IPAMConfig": None,
            "Links": None,
            "DriverOpts": None,
            "MacAddress": f"02:42:{address}",
            **endpoint,
            "Aliases": [*endpoint["Aliases"], container[:12]],
            "IPAddress": address,
            "GlobalIPv6Address": asked_for.get("IPv6Address", ""),
        }

    def answer(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        path = re.sub(r"^/v[0-9.]+/", "/", path)  # as the SDK writes it
        self.calls.append(f"{method} {path}")
        where, _, query = path.partition("?")
        answer = copy.deepcopy(self._answer(method, where.strip("/").split("/"), unquote(query), body))
        self.meanwhile.get(f"{method} {where}", lambda: None)()
        return answer

    def _answer(self, method: str, words: list[str], query: str, body: dict[str, Any]) -> tuple[int, Any]:
        match words:
            case _ if method == "GET":
                return self._look(words, query)
            case ["containers", "create"]:
                return self._create(query.removeprefix("name="), body)
            case ["containers", container, *_] if container not in self.containers:
                return _no_such(container)
            case _ if self.refuses:
                return 500, {"message": "not today"}
            case ["containers", container, *action]:
                return self._act(container, (*action, "remove")[0], body)
            case _:
                return self._move(words[1], words[2], body)

    def _look(self, words: list[str], query: str) -> tuple[int, Any]:
        match words:
            case ["containers", "json"]:
                return 200, [one for one in map(self._listed, self.containers) if _is_asked_for(one, query)]
            case ["containers", container, *_] if container not in self.containers:
                return _no_such(container)
            case ["containers", container, "json"]:
                return 200, self.containers[container]
            case ["containers", _, "logs"]:
                return 200, ""
            case ["volumes", name]:
                return 200, {"Name": name, "Labels": {"com.docker.compose.project": name.partition("_")[0]}}
            case _:
                return 200, ABOUT[words[0]]

    def _listed(self, container: str) -> dict[str, Any]:
        return {"Id": container, "Labels": self.containers[container]["Config"]["Labels"]}

    def _create(self, name: str, body: dict[str, Any]) -> tuple[int, Any]:
        """A short-lived one, which is known by its name alone here, and ends as soon as it has started."""
        self.add(name, running=False)
        self.containers[name]["Config"]["Labels"] = body["Labels"]
        self.containers[name]["Of"] = body["HostConfig"]["VolumesFrom"]
        return 201, {"Id": name, "Warnings": None}

    def _move(self, network: str, action: str, body: dict[str, Any]) -> tuple[int, Any]:
        if action == "disconnect":
            networks = self.containers[body["Container"]]["NetworkSettings"]["Networks"]
            return (200, None) if networks.pop(network, None) else (403, {"message": "is not connected"})
        self.attach(body["Container"], network, body["EndpointConfig"])
        return 200, None

    def _act(self, name: str, action: str, body: dict[str, Any]) -> tuple[int, Any]:
        container = self.containers[name]
        state = container["State"]
        answer: tuple[int, Any] = NOWHERE
        match action:
            case "remove":
                del self.containers[name]
                answer = 204, None
            case "start" if "Of" in container:
                self.emptied += container["Of"]
                answer = 204, None
            case "start":
                answer = (304, None) if state["Running"] else (204, state.update(Running=True))
            case "wait":
                answer = 200, {"StatusCode": 0}
            case "stop":
                answer = (204, state.update(Running=False)) if state["Running"] else (304, None)
            case "kill":
                ended = {"Running": False, "Restarting": False}
                answer = (204, state.update(ended)) if state["Running"] else (409, {"message": "not running"})
            case "unpause":
                answer = (204, state.update(Paused=False)) if state["Paused"] else (409, {"message": "not paused"})
            case "update":
                container["HostConfig"].update({name: value for name, value in body.items() if value})  # 0 says nothing
                answer = 200, {"Warnings": None}
        return answer


def _no_such(container: str) -> tuple[int, Any]:
    return 404, {"message": f"No such container: {container}"}


def _is_asked_for(listed: dict[str, Any], query: str) -> bool:
    project = listed["Labels"]["com.docker.compose.project"]
    return f'"com.docker.compose.project={project}"' in query


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
            if "/events" in self.path:  # it tells nothing, for as long as it lives
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                engine.over.wait()
                return
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    with _Server(f"{folder}/docker.sock", Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield engine
        finally:
            engine.over.set()
            server.shutdown()
            thread.join()
