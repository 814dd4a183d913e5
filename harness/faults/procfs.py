"""Processes as the kernel knows them: whose a number is, who descends from it, who is stopped; and how to start one.

Standard library and Linux's /proc only, because the guard uses it too. A process is named by its number and its start
in clock ticks since boot: numbers are used again, and wall-clock start times move when the clock is set.
"""

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROC = Path("/proc")
# What a program needs of its surroundings besides its own environment; the same as when the target was started.
INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "XDG_CACHE_HOME")
STOPPED = "Tt"
DEAD = "ZX"
ALONE_WITHIN_S = 1.0  # writing an identity takes a millisecond


@dataclass(frozen=True, slots=True, kw_only=True)
class Stat:
    pid: int
    state: str
    parent: int
    session: int
    start_ticks: int


def stat_of(pid: int) -> Stat | None:
    """The process with this number now, a zombie included; None where there is none."""
    try:
        text = (PROC / str(pid) / "stat").read_text()
    except OSError:
        return None
    fields = text[text.rindex(")") + 2 :].split()  # the name before may hold spaces and brackets
    return Stat(pid=pid, state=fields[0], parent=int(fields[1]), session=int(fields[3]), start_ticks=int(fields[19]))


def is_running(pid: int, start_ticks: int) -> bool:
    """Whether this very process exists and has not ended."""
    found = stat_of(pid)
    return found is not None and found.start_ticks == start_ticks and found.state not in DEAD


def started_at(start_ticks: int) -> float:
    """Unix seconds of a start, as the kernel reports it now."""
    boot = next(line for line in (PROC / "stat").read_text().splitlines() if line.startswith("btime "))
    return float(boot.split()[1]) + start_ticks / os.sysconf("SC_CLK_TCK")


def stopped_family(pid: int, start_ticks: int) -> list[int]:
    """This process and those that belong to it, as far as they are stopped."""
    if not is_running(pid, start_ticks):
        return []
    return [member.pid for member in family(pid) if member.state in STOPPED]


def resume(pid: int, start_ticks: int) -> None:
    """Let this process and those that belong to it go on, children first; a later process of that number is spared."""
    for member in reversed(stopped_family(pid, start_ticks)):
        with suppress(ProcessLookupError):
            os.kill(member, signal.SIGCONT)


def family(pid: int) -> list[Stat]:
    """The process, then its descendants and its session, parents before children."""
    everyone = {found.pid: found for found in _all()}
    members = [pid] if pid in everyone else []
    for member in members:  # grows while it is walked: breadth first
        members += [
            found.pid
            for found in everyone.values()
            if (found.parent == member or found.session == pid) and found.pid not in members
        ]
    return [everyone[member] for member in members]


def find_command(start: Mapping[str, Any]) -> int | None:
    """A process that was started just so; how a service is recognised that has not opened its port yet.

    Its environment counts too: a second system on another address has the same commands in the same folder.
    """
    wanted = b"\0".join(os.fsencode(word) for word in start["argv"]) + b"\0"
    settings = {os.fsencode(f"{name}={value}") for name, value in start["env"].items()}
    for found in _all():
        with suppress(OSError):
            folder = PROC / str(found.pid)
            if found.state in DEAD or (folder / "cmdline").read_bytes() != wanted:
                continue
            if not settings <= set((folder / "environ").read_bytes().split(b"\0")):
                continue
            if os.path.samefile(folder / "cwd", start["cwd"]):
                return found.pid
    return None


def launch(service: str, start: Mapping[str, Any]) -> int:
    """Start a service as a `StartCommand` says, in a session of its own, and write its identity where it is kept."""
    as_other: dict[str, Any] = {}
    if os.geteuid() == 0 and start.get("user") is not None:
        as_other = {"user": start["user"], "group": start.get("group"), "extra_groups": []}
    with open(start["log_path"], "ab") as log:
        process = subprocess.Popen(
            list(start["argv"]),
            env={name: os.environ[name] for name in INHERITED if name in os.environ} | dict(start["env"]),
            cwd=start["cwd"],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            **as_other,
        )
    process.returncode = 0  # it outlives us on purpose: no warning about a child that is still running
    keep_identity(service, process.pid, start.get("identity_path"))
    return process.pid


def keep_identity(service: str, pid: int, path: str | None, *, within_s: float = ALONE_WITHIN_S) -> None:
    """Write down which process a service is, in the file where its runtime looks it up."""
    found = stat_of(pid)
    if path is None or found is None:
        return
    file = Path(path)
    try:
        with _alone_in(file.parent, within_s):
            kept = json.loads(file.read_text())
            kept[service] = {"pid": pid, "started_at": started_at(found.start_ticks)}
            beside = file.with_name(f"{file.name}.{os.getpid()}")
            beside.write_text(json.dumps(kept))
            beside.replace(file)
    except (OSError, ValueError) as error:
        print(f"{path}: the identity of {service} could not be kept ({error})", file=sys.stderr)


@contextmanager
def _alone_in(folder: Path, within_s: float) -> Iterator[None]:
    """Nobody else who starts a service writes there meanwhile: two that read and then write lose one of the two.

    Whoever holds it may have been stopped in that moment, so after a while we go on without it.
    """
    lock = os.open(folder, os.O_RDONLY)
    until_s = time.monotonic() + within_s
    try:
        while time.monotonic() < until_s:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                time.sleep(0.005)
        yield
    finally:
        os.close(lock)


def _all() -> Iterator[Stat]:
    for entry in os.listdir(PROC):
        if entry.isdecimal() and (found := stat_of(int(entry))) is not None:
            yield found
