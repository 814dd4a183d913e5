"""The target's front door as all visitors of a shard share it: where it is, how long to wait, who is known there."""

from collections.abc import Mapping
from urllib.parse import urlsplit

import msgspec

from harness.errors import LoadError
from harness.load.answer import Answer
from harness.load.inside_locust.connections import EntryPool, exchange
from harness.load.inside_locust.first_frame import first_frame
from harness.load.sessions import Session

MS_PER_S = 1000


class Entry:
    """Makes requests out of methods, paths and bodies, and exchanges them for answers."""

    def __init__(
        self, url: str, *, deadline_s: float, run: str, region_header: str = "", deadline_header: str = ""
    ) -> None:
        parts = urlsplit(url)
        if parts.scheme != "http" or parts.hostname is None:
            raise LoadError(f"The load enters at {url}: only http://host:port is supported.")
        self.address = (parts.hostname, parts.port or 80)
        self.deadline_s = deadline_s
        self.run = run
        self._region_header = region_header
        self._pool = EntryPool(*self.address, deadline_s=deadline_s)
        self._always = {deadline_header: str(round(deadline_s * MS_PER_S))} if deadline_header else {}
        self._common = f"Host: {self.address[0]}:{self.address[1]}\r\nUser-Agent: gameday\r\n{_lines(self._always)}"
        self._identities: dict[int | None, dict[str, str]] = {}
        self._identity_lines: dict[int | None, str] = {None: ""}

    def identify(self, user: int, headers: Mapping[str, str]) -> None:
        """These headers go with every later request of this user."""
        self._identities[user] = dict(headers)
        self._identity_lines[user] = _lines(headers)

    def request(
        self,
        method: str,
        path: str,
        body: object,
        user: int | None,
        headers: Mapping[str, str] | None,
        *,
        session: Session | None = None,
    ) -> bytes:
        """The bytes of a request; `body` is sent as JSON unless it is None."""
        if not path.startswith("/") or not path.isprintable() or " " in path:
            raise ValueError(f"{path!r} is not a path")
        identity = self._identity_lines.get(user, "")
        more = (_lines(headers) if headers else "") + _lines(self._of_session(session))
        if body is None:
            return f"{method} {path} HTTP/1.1\r\n{self._common}{identity}{more}\r\n".encode("latin-1")
        content = msgspec.json.encode(body)
        about = f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n"
        return f"{method} {path} HTTP/1.1\r\n{self._common}{identity}{more}{about}\r\n".encode("latin-1") + content

    def exchange(self, method: str, request: bytes) -> Answer:
        return Answer(*exchange(self._pool, method, request))

    def first_frame(self, path: str, user: int | None, session: Session | None = None) -> Answer:
        headers = self._always | self._identities.get(user, {}) | self._of_session(session)
        return Answer(*first_frame(self.address, path, headers))

    def _of_session(self, session: Session | None) -> dict[str, str]:
        if session is None:
            return {}
        return {self._region_header: session.region, **session.carried} if session.region else session.carried


def _lines(headers: Mapping[str, str]) -> str:
    for name, value in headers.items():
        if not (name.isascii() and name.isprintable() and value.isprintable()):
            raise ValueError(f"{name!r}: {value!r} is not a header")
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items())
