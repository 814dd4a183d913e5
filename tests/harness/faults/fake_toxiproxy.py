"""A control API that can be told to misbehave, for what a real Toxiproxy does only on bad days."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

from tests.loopback import loopback

LOOPBACK = loopback(14)


class FakeToxiproxy:
    """Proxies in memory. `answers` holds (status, body) to give instead of the truth, first come first served; with
    `acts_anyway` the call is carried out all the same. `is_frozen` answers nothing at all."""

    def __init__(self, *names: str) -> None:
        self.proxies: dict[str, dict[str, Any]] = {
            name: {"name": name, "listen": "127.0.0.14:1", "upstream": "127.0.0.14:2", "enabled": True, "toxics": []}
            for name in names
        }
        self.calls: list[str] = []
        self.answers: list[tuple[int, bytes]] = []
        self.acts_anyway = False
        self.is_frozen = False
        self.forgets_attributes = False
        self.url = ""

    def answer(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, bytes]:
        self.calls.append(f"{method} {path}")
        if self.is_frozen:
            time.sleep(1.0)
        if method != "GET" and self.answers:
            if self.acts_anyway:
                self._truth(method, path, body)
            return self.answers.pop(0)
        status, truth = self._truth(method, path, body)
        return status, b"" if truth is None else json.dumps(truth).encode()

    def _truth(self, method: str, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        match [unquote(part) for part in path.strip("/").split("/")]:
            case ["version"]:
                return 200, {"version": "2.12.0"}
            case ["proxies"]:
                return self._all(method, body)
            case ["proxies", name]:
                return self._one(method, name, body)
            case ["proxies", name, "toxics"] if name in self.proxies:
                self.proxies[name]["toxics"].append({**body, "attributes": self._kept(body["attributes"])})
                return 200, body
            case ["proxies", name, "toxics", toxic] if name in self.proxies:
                return self._toxic(method, name, toxic, body)
        return 404, {"error": "proxy not found"}

    def _all(self, method: str, body: dict[str, Any]) -> tuple[int, Any]:
        if method == "POST":
            self.proxies[body["name"]] = {**body, "toxics": []}
            return 201, self.proxies[body["name"]]
        return 200, self.proxies

    def _one(self, method: str, name: str, body: dict[str, Any]) -> tuple[int, Any]:
        if name not in self.proxies:
            return 404, {"error": "proxy not found"}
        if method == "PATCH":
            self.proxies[name].update(body)
        return 200, {**self.proxies[name], "Logger": {}}

    def _toxic(self, method: str, name: str, toxic: str, body: dict[str, Any]) -> tuple[int, Any]:
        found = next((one for one in self.proxies[name]["toxics"] if one["name"] == toxic), None)
        if found is None:
            return 404, {"error": "toxic not found"}
        if method == "DELETE":
            self.proxies[name]["toxics"].remove(found)
            return 204, None
        found.update(body)
        return 200, found

    def _kept(self, attributes: dict[str, int]) -> dict[str, int]:
        return dict.fromkeys(attributes, 0) if self.forgets_attributes else attributes


@contextmanager
def serving(fake: FakeToxiproxy) -> Iterator[FakeToxiproxy]:
    class Handler(BaseHTTPRequestHandler):
        def _any(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, content = fake.answer(self.command, self.path, json.loads(raw or b"{}"))
            try:
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)
            except OSError:
                return  # the client did not wait for us, as it should

        do_GET = do_POST = do_PATCH = do_DELETE = _any  # noqa: N815 - the library's names

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer((LOOPBACK, 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    fake.url = f"http://{LOOPBACK}:{server.server_address[1]}"
    try:
        yield fake
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
