"""The undo of faults on containers, for `undo.py`'s table: what is still wrong, how to repair it, how a person would.

Standard library only, because the guard executes it. A container that is gone altogether needs no repair: whoever
removed it has taken the fault with it.
"""

import shlex
from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import quote

from harness.faults import engine_api

Data = Mapping[str, Any]

USUAL = "unix:///var/run/docker.sock"


def stopped(undo: Data) -> str:
    found = _state(undo)
    return "" if found is None or _runs(found) else f"{undo['service']} does not run"


def _runs(found: Data) -> bool:
    """To an engine, one that waits until its policy restarts it is running, too."""
    return bool(found["State"]["Running"] and not found["State"]["Restarting"])


def start(undo: Data) -> None:
    found = _state(undo)
    if found is not None and found["State"]["Restarting"]:
        engine_api.act(undo["engine"], f"/containers/{undo['id']}/kill")  # else starting it would be nothing new
    engine_api.act(undo["engine"], f"/containers/{undo['id']}/start")


def left_over(undo: Data) -> str:
    there = engine_api.inspect(undo["engine"], undo["name"]) is not None
    return f"{undo['name']} is still emptying the volumes of {undo['service']}" if there else ""


def remove(undo: Data) -> None:
    engine_api.remove(undo["engine"], undo["name"])


def paused(undo: Data) -> str:
    found = _state(undo)
    return f"{undo['service']} is paused" if found is not None and found["State"]["Paused"] else ""


def unpause(undo: Data) -> None:
    engine_api.act(undo["engine"], f"/containers/{undo['id']}/unpause")


def disconnected(undo: Data) -> str:
    found = _state(undo)
    if found is None:
        return ""
    attached = found["NetworkSettings"]["Networks"].get(undo["network"])
    if attached is None:
        return f"{undo['service']} is not in {undo['network']}"
    return (
        ""
        if is_as_it_was(attached, undo["endpoint"])
        else f"{undo['service']} is in {undo['network']}, but not as it was"
    )


def is_as_it_was(attached: Data, endpoint: Data) -> bool:
    """Whether an attachment has all that `endpoint` asks for; that of a container at rest has no MAC address."""
    known = {key: value for key, value in endpoint.items() if key != "MacAddress" or attached.get(key)}
    names = known.pop("Aliases")
    return set(names) <= set(attached["Aliases"] or ()) and all(attached.get(key) == known[key] for key in known)


def connect(undo: Data) -> None:
    network = quote(undo["network"], safe="")
    with suppress(OSError):  # it is not in it, or not as it was
        engine_api.act(undo["engine"], f"/networks/{network}/disconnect", {"Container": undo["id"], "Force": True})
    wanted = {"Container": undo["id"], "EndpointConfig": undo["endpoint"]}
    engine_api.act(undo["engine"], f"/networks/{network}/connect", wanted)


def limited(undo: Data) -> str:
    found = _state(undo)
    if found is None:
        return ""
    now = {name: found["HostConfig"][name] for name in _limits(undo)}
    return "" if now == _limits(undo) else f"{undo['service']} has the limits {now}"


def restore_limits(undo: Data) -> None:
    engine_api.act(undo["engine"], f"/containers/{undo['id']}/update", _limits(undo))


def _limits(undo: Data) -> dict[str, int]:
    return {"NanoCpus": undo["nano_cpus"], "Memory": undo["memory"], "MemorySwap": undo["memory_swap"]}


def command(undo: Data) -> str:
    """The same for a person to type."""
    match undo["kind"]:
        case "start_container":
            words = ["docker", "start", undo["id"][:12]]
        case "remove_container":
            words = ["docker", "rm", "--force", undo["name"]]
        case "restore_limits":
            limits = ["--cpus", f"{undo['nano_cpus'] / 1e9:g}", "--memory", str(undo["memory"])]
            words = ["docker", "update", *limits, "--memory-swap", str(undo["memory_swap"]), undo["id"][:12]]
        case "connect_network":
            words = ["docker", "network", "connect", *_options(undo["endpoint"]), undo["network"], undo["id"][:12]]
        case _:
            words = ["docker", "unpause", undo["id"][:12]]
    prefix = "" if undo["engine"] == USUAL else f"DOCKER_HOST={shlex.quote(undo['engine'])} "
    return prefix + shlex.join(words)


def _options(endpoint: Data) -> list[str]:
    """Of `docker network connect`, which has none for a MAC address."""
    ipam, driver = endpoint.get("IPAMConfig") or {}, endpoint.get("DriverOpts") or {}
    options = {
        "--alias": endpoint["Aliases"],
        "--ip": filter(None, [ipam.get("IPv4Address")]),
        "--ip6": filter(None, [ipam.get("IPv6Address")]),
        "--link-local-ip": ipam.get("LinkLocalIPs") or (),
        "--driver-opt": [f"{name}={value}" for name, value in driver.items()],
        "--link": endpoint.get("Links") or (),
    }
    return [word for option, values in options.items() for value in values for word in (option, value)]


def is_there(container: Data) -> bool:
    """Whether a container of a snapshot still exists, running or not; an engine that does not answer counts as yes."""
    try:
        return engine_api.inspect(container["engine"], container["id"]) is not None
    except OSError:
        return True


def kill_and_start(container: Data) -> None:
    """End it, however stuck it is, and start it again."""
    found = engine_api.inspect(container["engine"], container["id"])
    if found is None:
        raise OSError(f"{container['service']}'s container is gone")
    if found["State"]["Running"]:
        engine_api.act(container["engine"], f"/containers/{container['id']}/kill")
    engine_api.act(container["engine"], f"/containers/{container['id']}/start")


def _state(undo: Data) -> dict[str, Any] | None:
    return engine_api.inspect(undo["engine"], undo["id"])
