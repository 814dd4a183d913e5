"""Finds out, before anything is started, whether a port is in use, and by whom."""

import socket
from collections.abc import Iterable
from contextlib import closing

import psutil

from harness.errors import TargetError


def refuse_ports_in_use(host: str, ports: Iterable[tuple[str, int]]) -> None:
    """Raise TargetError naming every (who wants it, port) that cannot be listened on, and the process that holds it."""
    taken = [(wanted_by, port) for wanted_by, port in ports if not _is_free(host, port)]
    if not taken:
        return
    owners = _listeners()
    lines = [
        f"  {host}:{port} (wanted by {wanted_by}) is held by {_owner(owners, host, port)}" for wanted_by, port in taken
    ]
    raise TargetError(
        "The target cannot start, because ports are in use:\n"
        + "\n".join(lines)
        + "\nIs another target up here? Run: gameday down --target …, or use another address: --loopback 127.0.0.2"
    )


def _is_free(host: str, port: int) -> bool:
    with closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as probe:
        # Without it, connections of an earlier system that are still being forgotten would count as somebody.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen()
        except OSError:
            return False
    return True


def _listeners() -> list[tuple[str, int, int | None]]:
    try:
        connections = psutil.net_connections("tcp")
    except psutil.AccessDenied:  # macOS shows them to root alone
        return []
    return [(c.laddr.ip, c.laddr.port, c.pid) for c in connections if c.status == psutil.CONN_LISTEN and c.laddr]


def _owner(listeners: list[tuple[str, int, int | None]], host: str, port: int) -> str:
    pids = {pid for ip, held, pid in listeners if held == port and ip in {host, "0.0.0.0", "::"} and pid}  # noqa: S104 - compared, not bound
    if not pids:
        return "a process that only another user can see"
    return " and ".join(f"process {pid} ({_command(pid)})" for pid in sorted(pids))


def _command(pid: int) -> str:
    try:
        return " ".join(psutil.Process(pid).cmdline())[:120]
    except psutil.Error:
        return "ended meanwhile"
