"""Executes the undo that a journal holds, with nothing but the journal and the standard library.

Used by the guard and by `gameday revert`, when the runner is dead or not to be trusted. It asks what is wrong *now* and
repairs only that, so it may run twice, or beside a runner that does the same. What it works on are the journal's lines
as plain dictionaries (`journal.py` declares them).
"""

import http.client
import json
import os
import shlex
import signal
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import quote, urlsplit

from harness.faults import probes, procfs, undo_container

Data = Mapping[str, Any]

API_TIMEOUT_S = 1.5  # a healthy control API answers within milliseconds, a frozen one never
STARTED_WITHIN_S = 3.0  # a service that somebody else is just starting has opened its port by then
API_UP_WITHIN_S = 3.0


class GoneError(Exception):
    """Nobody listens on the control API: the Toxiproxy has ended, and its toxics with it."""


class FrozenError(Exception):
    """The control API accepts and does not answer: only ending the Toxiproxy helps."""


def wrong_now(undo: Data) -> str:
    """What this undo would still have to repair, in words; empty when nothing. GoneError, FrozenError."""
    return _KINDS[undo["kind"]][0](undo)


def execute(undo: Data) -> None:
    """Repair it. OSError, GoneError or FrozenError where that fails."""
    _KINDS[undo["kind"]][1](undo)


def command(undo: Data) -> str:
    """The same for a person to type."""
    match undo["kind"]:
        case "remove_toxic":
            return f"curl -X DELETE {shlex.quote(undo['url'] + _toxic_path(undo))}"
        case "restore_proxy":
            enabled = _posted({"enabled": undo["enabled"]}, undo["url"] + _proxy_path(undo["proxy"]))
            return f"{enabled} || {_posted(_proxy(undo), undo['url'] + '/proxies')}"
        case "resume":
            family = procfs.stopped_family(undo["pid"], undo["start_ticks"]) or [undo["pid"]]
            return f"kill -CONT {' '.join(map(str, family))}"
        case "start_container" | "remove_container" | "unpause_container" | "connect_network" | "restore_limits":
            return undo_container.command(undo)
    start = undo["start"]
    words = ["env", *(f"{name}={value}" for name, value in start["env"].items()), *start["argv"]]
    return f"(cd {shlex.quote(start['cwd'])} && {shlex.join(words)} >> {shlex.quote(start['log_path'])} 2>&1 &)"


def _posted(body: Data, url: str) -> str:
    return f"curl --fail -X POST -d {shlex.quote(json.dumps(body))} {shlex.quote(url)}"


def revive(toxiproxy: Data) -> None:
    """End a frozen Toxiproxy (or find it gone), start it again and give it back its proxies, without any toxic."""
    start, process = toxiproxy["start"], toxiproxy["process"]
    if toxiproxy.get("container") is not None:
        undo_container.kill_and_start(toxiproxy["container"])
        _wait_until(lambda: answers(toxiproxy["url"]), within_s=API_UP_WITHIN_S)
    elif start is None:
        raise OSError(f"{toxiproxy['service']} cannot be started again: its runtime did not say how")
    else:
        _end_and_launch(toxiproxy, start, process)
    for proxy in toxiproxy["proxies"]:
        if wrong_now({"kind": "restore_proxy", **proxy}):
            execute({"kind": "restore_proxy", **proxy})


def _end_and_launch(toxiproxy: Data, start: Data, process: Data | None) -> None:
    if process is not None and procfs.is_running(process["pid"], process["start_ticks"]):
        os.kill(process["pid"], signal.SIGKILL)
        _wait_until(lambda: not procfs.is_running(process["pid"], process["start_ticks"]), within_s=1.0)
    if not _listens(toxiproxy["url"]):
        procfs.launch(toxiproxy["service"], start)
        _wait_until(lambda: _listens(toxiproxy["url"]), within_s=API_UP_WITHIN_S)


def answers(url: str) -> bool:
    """Whether the control API can tell the state of all its proxies."""
    try:
        return _api("GET", url, "/proxies")[0] == http.HTTPStatus.OK
    except (GoneError, FrozenError):
        return False


# --- toxics and proxies -----------------------------------------------------------------------------------------------


def _toxic_wrong(undo: Data) -> str:
    try:
        status, proxy = _api("GET", undo["url"], _proxy_path(undo["proxy"]))
    except GoneError:
        return ""
    there = status == http.HTTPStatus.OK and any(toxic["name"] == undo["toxic"] for toxic in proxy["toxics"])
    return f"toxic {undo['toxic']} is on {undo['proxy']}" if there else ""


def _remove_toxic(undo: Data) -> None:
    _api("DELETE", undo["url"], _toxic_path(undo))


def _proxy_wrong(undo: Data) -> str:
    status, proxy = _api("GET", undo["url"], _proxy_path(undo["proxy"]))
    if status == http.HTTPStatus.NOT_FOUND:
        return f"proxy {undo['proxy']} is missing"
    return "" if proxy["enabled"] == undo["enabled"] else f"proxy {undo['proxy']} has enabled={proxy['enabled']}"


def _restore_proxy(undo: Data) -> None:
    status, _ = _api("PATCH", undo["url"], _proxy_path(undo["proxy"]), {"enabled": undo["enabled"]})
    if status == http.HTTPStatus.NOT_FOUND:
        _api("POST", undo["url"], "/proxies", _proxy(undo))


def _proxy(undo: Data) -> Data:
    return {"name": undo["proxy"], **{key: undo[key] for key in ("listen", "upstream", "enabled")}}


def _api(method: str, url: str, path: str, body: Data | None = None) -> tuple[int, Any]:
    """One call; the status and the decoded answer. Refusals (404, 409) are answers, 5xx and silence are not."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=API_TIMEOUT_S)
    try:
        connection.request(method, path, body=None if body is None else json.dumps(body))
        response = connection.getresponse()
        text = response.read()
    except ConnectionRefusedError as error:
        raise GoneError(f"nobody listens at {url}") from error
    except (OSError, http.client.HTTPException) as error:
        raise FrozenError(f"{method} {url}{path}: {type(error).__name__}") from error
    finally:
        connection.close()
    if response.status >= http.HTTPStatus.INTERNAL_SERVER_ERROR:
        raise FrozenError(f"{method} {url}{path}: status {response.status}")
    with suppress(ValueError):
        return response.status, json.loads(text)
    return response.status, None


def _proxy_path(proxy: str) -> str:
    return f"/proxies/{quote(proxy, safe='')}"


def _toxic_path(undo: Data) -> str:
    return f"{_proxy_path(undo['proxy'])}/toxics/{quote(undo['toxic'], safe='')}"


def _listens(url: str) -> bool:
    with suppress(OSError), socket.create_connection((urlsplit(url).hostname, urlsplit(url).port), API_TIMEOUT_S):
        return True
    return False


# --- processes --------------------------------------------------------------------------------------------------------


def _pause_wrong(undo: Data) -> str:
    stopped = procfs.stopped_family(undo["pid"], undo["start_ticks"])
    return f"{undo['service']} is stopped (processes {stopped})" if stopped else ""


def _resume(undo: Data) -> None:
    procfs.resume(undo["pid"], undo["start_ticks"])


def _service_wrong(undo: Data) -> str:
    """A service is there if it never died, if its port is open, or if a process was started with its very command."""
    if procfs.is_running(undo["pid"], undo["start_ticks"]) or _port_is_open(undo):
        return ""
    if procfs.find_command(undo["start"]) is not None:
        return ""
    return f"{undo['service']} does not run"


def _start_service(undo: Data) -> None:
    # Subtle: a runner that died while it started the service leaves a child that may not listen yet and may have
    # changed its command line. Two of them would fight for the port, so whoever may be coming gets a moment.
    if undo.get("may_be_starting"):
        _wait_until(lambda: _port_is_open(undo), within_s=STARTED_WITHIN_S)
    if _service_wrong(undo):
        procfs.launch(undo["service"], undo["start"])


def _port_is_open(undo: Data) -> bool:
    return probes.ask("tcp", undo["host"], undo["port"], timeout_s=0.5).connected


def _wait_until(is_so: Callable[[], bool], *, within_s: float) -> bool:
    until_s = time.monotonic() + within_s
    while not is_so():
        if time.monotonic() > until_s:
            return False
        time.sleep(0.05)
    return True


_KINDS: dict[str, tuple[Callable[[Data], str], Callable[[Data], None]]] = {
    "remove_toxic": (_toxic_wrong, _remove_toxic),
    "restore_proxy": (_proxy_wrong, _restore_proxy),
    "resume": (_pause_wrong, _resume),
    "start_service": (_service_wrong, _start_service),
    "start_container": (undo_container.stopped, undo_container.start),
    "remove_container": (undo_container.left_over, undo_container.remove),
    "unpause_container": (undo_container.paused, undo_container.unpause),
    "connect_network": (undo_container.disconnected, undo_container.connect),
    "restore_limits": (undo_container.limited, undo_container.restore_limits),
}
