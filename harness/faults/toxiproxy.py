"""One Toxiproxy server's control API, with every answer bounded in time, typed and read back.

Built on `toxiproxy-python` 0.1.1, used only for what it does right against a 2.12 server: its `APIConsumer` builds URLs
and sends GET, POST and DELETE; its `validate_response` turns 400, 404 and 409 into exceptions; its `Proxy` and `Toxic`
hold what the server describes. Repaired here: one consumer per server (the library keeps host and port in class
attributes, so that two servers would silently be one), timeouts (it has none, a frozen API would hang the undo too),
403, 5xx and empty bodies (it takes them for success), PATCH (it has none), quoting of names, values checked before they
are sent (some kill the whole server) and read back after (an unknown attribute gives a toxic of no strength).

Not used at all: `Proxy.add_toxic`, `down`, `create`, `populate` and `reset`. Toxiproxy's global reset is never called:
it would undo other people's faults too.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import quote, urlsplit

import requests
from toxiproxy.api import APIConsumer, validate_response
from toxiproxy.exceptions import InvalidToxic, NotFound, ProxyExists
from toxiproxy.proxy import Proxy
from toxiproxy.toxic import Toxic as LibraryToxic

from harness.errors import FaultError

CONNECT_TIMEOUT_S = 2.0
READ_TIMEOUT_S = 3.0  # connect and read together stay within 5 s; the server itself gives up after 25 s
UNKNOWN_STATUS = 500  # from here on the server may have done it, or may be doing it still
REREADS = 2


class ToxiproxyError(FaultError):
    """The control API refused, failed, or did not do what it said."""


class UnknownOutcomeError(ToxiproxyError):
    """The call may have been carried out, may be later, or never: read the state before doing anything else."""


class UnreachableError(ToxiproxyError):
    """Nobody listens: the server has ended, and its toxics with it."""


class NotThereError(ToxiproxyError):
    """No such proxy or toxic."""


class ConflictError(ToxiproxyError):
    """A proxy or toxic of that name exists already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Toxic:
    """One toxic as it is asked for. Attributes in Toxiproxy's units: ms, KB/s (1000 B), bytes; `slicer.delay` in µs."""

    name: str
    type: str
    stream: Literal["upstream", "downstream"]
    attributes: Mapping[str, int] = field(default_factory=dict)
    toxicity: float = 1.0

    def problems(self) -> list[str]:
        """Why this must not be sent: bad values end the whole server, unknown ones are silently ignored by it."""
        rules = _RULES.get(self.type)
        if rules is None:
            return [f'"{self.type}" is not a toxic we use. Known: {", ".join(sorted(_RULES))}.']
        found = [f"{self.type} has no attribute {name}" for name in self.attributes if name not in rules]
        for name, is_valid in rules.items():
            value = self.attributes.get(name)
            if value is None or not is_valid(value, self.attributes):
                found.append(f"{self.type}.{name} = {value} is out of range")
        if not 0 < self.toxicity <= 1:
            found.append(f"toxicity {self.toxicity} is not in (0, 1]")
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyState:
    """A proxy as the server describes it; `listen` is the bound address."""

    name: str
    listen: str
    upstream: str
    enabled: bool
    toxics: tuple[Toxic, ...]

    def toxic(self, name: str) -> Toxic | None:
        return next((toxic for toxic in self.toxics if toxic.name == name), None)


Rule = Callable[[int, Mapping[str, int]], bool]


def _at_least(minimum: int) -> Rule:
    return lambda value, attributes: minimum <= value < 2**53


# A negative rate and a slicer with size_variation >= average_size end the server; a rate of 0 sends empty pieces only.
_RULES: dict[str, dict[str, Rule]] = {
    "latency": {"latency": _at_least(0), "jitter": lambda value, others: 0 <= value <= others.get("latency", 0)},
    "bandwidth": {"rate": _at_least(1)},
    "timeout": {"timeout": _at_least(0)},
    "reset_peer": {"timeout": _at_least(0)},
    "slow_close": {"delay": _at_least(0)},
    "limit_data": {"bytes": _at_least(0)},
    "slicer": {
        "average_size": _at_least(1),
        "size_variation": lambda value, others: 0 <= value < others.get("average_size", 0),
        "delay": _at_least(0),
    },
}


class ToxiproxyServer:
    """The control API at one URL. Blocking; every call ends within about 5 s; safe to use from several threads."""

    def __init__(
        self, url: str, *, connect_timeout_s: float = CONNECT_TIMEOUT_S, read_timeout_s: float = READ_TIMEOUT_S
    ) -> None:
        self.url = url.rstrip("/")
        self._timeout_s = (connect_timeout_s, read_timeout_s)
        self._consumer = _consumer(self.url)

    def version(self) -> str:
        return str(self._call("get", "/version").get("version", ""))

    def proxies(self) -> dict[str, ProxyState]:
        return {name: _proxy_state(described) for name, described in self._call("get", "/proxies").items()}

    def proxy(self, name: str) -> ProxyState:
        return _proxy_state(self._call("get", _proxy_path(name)))

    def ensure_toxic(self, proxy: str, toxic: Toxic) -> None:
        """The toxic is there exactly as asked: created, updated or found, and read back."""
        problems = toxic.problems()
        if problems:
            raise ToxiproxyError(f"{proxy}: toxic {toxic.name} was not sent: {'; '.join(problems)}.")
        self._settle(lambda: self._write_toxic(proxy, toxic), lambda: _same(self.proxy(proxy).toxic(toxic.name), toxic))
        found = self.proxy(proxy).toxic(toxic.name)
        if not _same(found, toxic):
            raise ToxiproxyError(f"{self.url}: {proxy} was asked for {toxic}, reads back {found}.")

    def ensure_absent(self, proxy: str, toxic_name: str) -> None:
        """No such toxic is there; a proxy that is missing has none."""
        self._settle(
            lambda: self._call("delete", _toxic_path(proxy, toxic_name)), lambda: self.is_absent(proxy, toxic_name)
        )
        if not self.is_absent(proxy, toxic_name):
            raise ToxiproxyError(f"{self.url}: toxic {toxic_name} of {proxy} was deleted and is still there.")

    def is_absent(self, proxy: str, toxic_name: str) -> bool:
        try:
            return self.proxy(proxy).toxic(toxic_name) is None
        except NotThereError:
            return True

    def ensure_proxy(self, name: str, *, listen: str, upstream: str, enabled: bool) -> None:
        """The proxy exists and is (not) enabled. An existing one keeps its addresses: a change drops connections."""
        try:
            if self.proxy(name).enabled == enabled:
                return
            self._settle(
                lambda: self._call("patch", _proxy_path(name), {"enabled": enabled}),
                lambda: self.proxy(name).enabled == enabled,
            )
        except NotThereError:
            wanted = {"name": name, "listen": listen, "upstream": upstream, "enabled": enabled}
            self._settle(lambda: self._call("post", "/proxies", wanted), lambda: name in self.proxies())
        if self.proxy(name).enabled != enabled:
            raise ToxiproxyError(f"{self.url}: {name} was asked to be enabled={enabled} and is not.")

    def set_enabled(self, name: str, enabled: bool) -> None:
        """Enable or disable an existing proxy; NotThereError where there is none."""
        known = self.proxy(name)
        self.ensure_proxy(name, listen=known.listen, upstream=known.upstream, enabled=enabled)

    def _write_toxic(self, proxy: str, toxic: Toxic) -> None:
        found = self.proxy(proxy).toxic(toxic.name)
        strength = {"attributes": dict(toxic.attributes), "toxicity": toxic.toxicity}
        if found is not None and (found.type, found.stream) == (toxic.type, toxic.stream):
            if not _same(found, toxic):
                self._call("patch", _toxic_path(proxy, toxic.name), strength)
            return
        if found is not None:  # type and stream of a toxic cannot be changed
            self._call("delete", _toxic_path(proxy, toxic.name))
        identity = {"name": toxic.name, "type": toxic.type, "stream": toxic.stream}
        self._call("post", f"{_proxy_path(proxy)}/toxics", identity | strength)

    def _settle(self, act: Callable[[], object], is_done: Callable[[], bool]) -> None:
        """Act; where the outcome is unknown, look, and act again only if it is not done."""
        for attempt in range(REREADS + 1):
            try:
                act()
            except (ConflictError, NotThereError):
                if is_done():
                    return
                if attempt == REREADS:
                    raise
            except UnknownOutcomeError:
                if is_done():  # raises UnknownOutcomeError itself when the API is frozen: the caller escalates
                    return
                if attempt == REREADS:
                    raise
            else:
                return

    def _call(self, method: str, path: str, body: Mapping[str, object] | None = None) -> dict[str, Any]:
        where = f"{method.upper()} {self.url}{path}"
        options: dict[str, Any] = {"timeout": self._timeout_s, "proxies": {"no_proxy": urlsplit(self.url).hostname}}
        if body is not None:
            options["json"] = body
        try:
            answer: requests.Response = getattr(self._consumer, method)(path, **options)
        except NotFound as error:
            raise NotThereError(f"{where}: {_text(error)}") from error
        except ProxyExists as error:
            raise ConflictError(f"{where}: {_text(error)}") from error
        except InvalidToxic as error:
            raise ToxiproxyError(f"{where}: {_text(error)}") from error
        except requests.RequestException as error:
            raise _no_answer(where, error) from error
        return _checked(where, answer)


def _consumer(url: str) -> type[Any]:
    """The library's consumer, bound to one server, with the PATCH that it lacks."""
    parts = urlsplit(url)

    class Consumer(APIConsumer):  # type: ignore[misc]  # the library ships no types
        host = parts.hostname
        port = parts.port

        @classmethod
        def patch(cls, path: str, **options: Any) -> requests.Response:
            answer = requests.patch(f"http://{cls.host}:{cls.port}{path}", **options)  # noqa: S113 - options has it
            return validate_response(answer)  # type: ignore[no-any-return]  # the library ships no types

    return Consumer


def _no_answer(where: str, error: requests.RequestException) -> ToxiproxyError:
    if isinstance(error, requests.ConnectTimeout) or "refused" in str(error):
        return UnreachableError(f"{where}: the control API is not reachable ({error}).")
    return UnknownOutcomeError(f"{where}: no answer ({type(error).__name__}); it may have been carried out.")


def _checked(where: str, answer: requests.Response) -> dict[str, Any]:
    if answer.status_code >= UNKNOWN_STATUS:
        raise UnknownOutcomeError(
            f"{where}: status {answer.status_code} {answer.text[:200]}; may have been carried out."
        )
    if not answer.ok:
        raise ToxiproxyError(f"{where}: status {answer.status_code} {answer.text[:200]}")
    if not answer.content:
        return {}
    try:
        described = answer.json()
    except requests.JSONDecodeError as error:
        raise UnknownOutcomeError(f"{where}: the answer is no JSON: {answer.text[:200]}") from error
    if not isinstance(described, dict):
        raise ToxiproxyError(f"{where}: expected an object, got {described!r}")
    return described


def _proxy_state(described: dict[str, Any]) -> ProxyState:
    known = Proxy(**described)
    return ProxyState(
        name=known.name,
        listen=known.listen,
        upstream=known.upstream,
        enabled=known.enabled,
        toxics=tuple(_toxic(LibraryToxic(**toxic)) for toxic in described["toxics"]),
    )


def _toxic(known: Any) -> Toxic:
    return Toxic(
        name=known.name,
        type=known.type,
        stream=known.stream,
        attributes=dict(known.attributes),
        toxicity=known.toxicity,
    )


def _same(found: Toxic | None, wanted: Toxic) -> bool:
    """Whether a toxic is there with all that was asked for; toxicity is a 32-bit float in the server."""
    return (
        found is not None
        and (found.type, found.stream) == (wanted.type, wanted.stream)
        and abs(found.toxicity - wanted.toxicity) < 1e-6
        and all(found.attributes.get(name) == value for name, value in wanted.attributes.items())
    )


def _proxy_path(proxy: str) -> str:
    return f"/proxies/{quote(proxy, safe='')}"


def _toxic_path(proxy: str, toxic: str) -> str:
    return f"{_proxy_path(proxy)}/toxics/{quote(toxic, safe='')}"


def _text(error: Exception) -> str:
    content = error.args[0] if error.args else b""
    return content.decode("utf-8", "replace").strip() if isinstance(content, bytes) else str(content)
