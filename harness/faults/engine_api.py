"""A Docker Engine's API over its Unix socket, with nothing but the standard library: for the guard.

Only what undoing needs. The runner uses the SDK; this is for when the runner is dead.
"""

import http.client
import json
import socket
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

TIMEOUT_S = 12.0  # stopping or starting a container may take some seconds
NOT_MODIFIED = 304  # it is so already


class _UnixConnection(http.client.HTTPConnection):
    """HTTP to a socket file."""

    def __init__(self, path: str) -> None:
        super().__init__("docker", timeout=TIMEOUT_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def call(engine: str, method: str, path: str, body: Mapping[str, Any] | None = None) -> tuple[int, Any]:
    """One call to `unix://…`; the status and the decoded answer. OSError where the engine does not answer."""
    connection = _UnixConnection(engine.removeprefix("unix://"))
    try:
        headers = {"Content-Type": "application/json"} if body is not None else {}
        connection.request(method, path, body=None if body is None else json.dumps(body), headers=headers)
        response = connection.getresponse()
        text = response.read()
    except http.client.HTTPException as error:
        raise OSError(f"{engine}: {type(error).__name__}") from error
    finally:
        connection.close()
    try:
        return response.status, json.loads(text) if text else None
    except ValueError:
        return response.status, None


def inspect(engine: str, container: str) -> dict[str, Any] | None:
    """The container as it is; None where there is none of that id."""
    status, found = call(engine, "GET", f"/containers/{quote(container, safe='')}/json")
    if status == http.HTTPStatus.NOT_FOUND:
        return None
    if status != http.HTTPStatus.OK:
        raise OSError(f"{engine}: status {status}: {found}")
    return dict(found)


def act(engine: str, path: str, body: Mapping[str, Any] | None = None) -> None:
    """A POST that changes something; OSError where the engine refuses."""
    status, answer = call(engine, "POST", path, body)
    if status >= http.HTTPStatus.BAD_REQUEST:
        raise OSError(f"{engine}{path}: status {status}: {(answer or {}).get('message', answer)}")


def remove(engine: str, container: str) -> None:
    """End and remove it; OSError where the engine refuses. One that is gone already is removed enough."""
    status, answer = call(engine, "DELETE", f"/containers/{quote(container, safe='')}?force=true")
    if status >= http.HTTPStatus.BAD_REQUEST and status != http.HTTPStatus.NOT_FOUND:
        raise OSError(f"{engine}: {container}: status {status}: {(answer or {}).get('message', answer)}")
