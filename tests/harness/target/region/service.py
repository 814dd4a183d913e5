"""A small stand-in for an API replica, to try the target with: standard library only, ready in an instant."""

import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar
from urllib.parse import parse_qs, urlsplit

NAME = os.environ["SERVICE"]


class Handler(BaseHTTPRequestHandler):
    """Answers with what it saw; the path's query says what else to do."""

    protocol_version = "HTTP/1.1"
    seen: ClassVar[dict[str, int]] = {}

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = parse_qs(url.query)
        if url.path == "/healthz":
            return self._answer({"healthy": True})
        if url.path == "/seen":
            return self._answer(self.seen)
        key = f"{self.command} {self.path}"
        self.seen[key] = self.seen.get(key, 0) + 1
        if self.headers.get("Upgrade", "").lower() == "websocket":
            return self._upgrade()
        if "vanish" in query:
            self.close_connection = True
            return None
        time.sleep(float(query.get("takes_s", ["0"])[0]))
        return self._answer({"service": NAME, "path": self.path, "upgrade": self.headers.get("Upgrade")})

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.do_GET()

    def _answer(self, body: object) -> None:
        content = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("X-Served-By", NAME)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _upgrade(self) -> None:
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.end_headers()
        self.wfile.write(b"first frame")
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        """Quiet: the log is for what goes wrong."""


if __name__ == "__main__":
    if os.environ.get("DEFECT") == "dies_at_start":
        sys.exit("cannot go on: dies_at_start")
    print(json.dumps({"service": NAME, "event": "started", "defect": os.environ.get("DEFECT")}), flush=True)
    ThreadingHTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Handler).serve_forever()
