"""A service's process with all that belongs to it: looked up by identity, frozen, thawed, ended and killed as one.

What belongs to it: its descendants (Postgres gives each of its children a session of its own) and the members of its
process group (nginx's workers outlive a killed master). A bare pid is never signalled: by now the number may belong to
somebody else. A zombie counts as ended.
"""

import asyncio
import os
import signal
from collections.abc import Callable
from contextlib import suppress

import psutil

from harness.errors import TargetError
from harness.target.identity import ProcessIdentity

POLL_S = 0.01
# The kernel counts a start in ticks since boot; the boot time it adds is corrected with the clock, by less than this.
START_TIME_TOLERANCE_S = 2.0
KILL_TIMEOUT_S = 5.0  # a killed process goes at once; one that waits for a disk takes longer
FREEZE_TIMEOUT_S = 2.0
ROUNDS = 5  # of looking for members that were born while their family was being signalled


def identity_of(pid: int) -> ProcessIdentity | None:
    process = _process(pid)
    return ProcessIdentity(pid=pid, started_at=process.create_time()) if process else None


def running(identity: ProcessIdentity | None) -> psutil.Process | None:
    """The process itself, or None where it has ended (also if its number belongs to another process now)."""
    process = _process(identity.pid) if identity else None
    if process is None or identity is None:
        return None
    same = abs(process.create_time() - identity.started_at) < START_TIME_TOLERANCE_S
    return process if same else None


def first_child(pid: int) -> ProcessIdentity | None:
    """What a container's init process has started: all else there descends from it. None where either has ended."""
    try:
        first = min(psutil.Process(pid).children(), key=lambda child: child.create_time(), default=None)
    except psutil.Error:
        return None
    return identity_of(first.pid) if first else None


def runs(process: psutil.Process) -> bool:
    """Whether it has not ended; its number may be another's by now."""
    try:
        return process.is_running() and not _has_ended(process)
    except psutil.Error:
        return False


def members(identity: ProcessIdentity) -> list[psutil.Process]:
    """The process, its descendants and the rest of its group, as far as they run; the process itself first."""
    leader = running(identity)
    if leader is None and psutil.pid_exists(identity.pid) and not _is_zombie(identity.pid):
        return []  # the number is somebody else's by now, and so would be a group of that number
    found = {leader.pid: leader} if leader else {}
    if leader:
        found |= {child.pid: child for child in _descendants(leader)}
    for pid in psutil.pids():
        if pid not in found and _group(pid) == identity.pid and (process := _process(pid)):
            found[pid] = process
    return list(found.values())


async def freeze(identity: ProcessIdentity) -> None:
    """SIGSTOP for all, the process itself first so that it bears no more children; returns once all have stopped."""
    stopped: set[int] = set()
    for _ in range(ROUNDS):
        fresh = [process for process in members(identity) if process.pid not in stopped]
        if not fresh:
            break
        for process in fresh:
            _signal(process, signal.SIGSTOP)
            stopped.add(process.pid)
    await _until(lambda: all(_is_stopped(process) for process in members(identity)), FREEZE_TIMEOUT_S, identity, "stop")


def thaw(identity: ProcessIdentity) -> None:
    for process in members(identity):
        _signal(process, signal.SIGCONT)


async def kill(identity: ProcessIdentity) -> None:
    """SIGKILL for all; returns once all have ended."""
    leader = running(identity)
    if leader:
        _signal(leader, signal.SIGSTOP)
    for _ in range(ROUNDS):
        family = members(identity)
        if not family:
            return
        for process in family:
            _signal(process, signal.SIGKILL)
        await _until(lambda: not any(runs(process) for process in family), KILL_TIMEOUT_S, identity, "die")  # noqa: B023 - awaited in the same round


async def end(identity: ProcessIdentity, *, with_signal: signal.Signals, grace_s: float) -> bool:
    """Ask the process to end, as Docker does; after the grace time kill what is left. Whether it ended by itself."""
    leader = running(identity)
    if leader:
        _signal(leader, with_signal)
        thaw(identity)
    try:
        await _until(lambda: running(identity) is None, grace_s, identity, "end")
    except TargetError:
        await kill(identity)
        return False
    await kill(identity)
    return True


def state_word(family: list[psutil.Process]) -> str:
    """`running`, `paused` or `stopped` (none runs)."""
    if not family:
        return "stopped"
    return "paused" if _is_stopped(family[0]) else "running"


def usage(family: list[psutil.Process]) -> tuple[int, float]:
    """Resident bytes and CPU seconds so far, summed."""
    memory_bytes, cpu_s = 0, 0.0
    for process in family:
        try:
            times = process.cpu_times()
            memory_bytes += _memory_bytes(process)
            cpu_s += times.user + times.system
        except psutil.Error:
            continue
    return memory_bytes, cpu_s


def _memory_bytes(process: psutil.Process) -> int:
    """What several processes share counts once, where the kernel tells (Linux): a database's buffers are in each."""
    with suppress(psutil.AccessDenied, AttributeError):
        return int(process.memory_full_info().pss)
    return int(process.memory_info().rss)


def reap(pid: int) -> str | None:
    """How a child of ours ended, in words; None where it still runs or is not our child."""
    try:
        ended, status = os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return None
    if ended == 0:
        return None
    code = os.waitstatus_to_exitcode(status)
    return f"ended with exit code {code}" if code >= 0 else f"was ended by {signal.Signals(-code).name}"


async def _until(condition: Callable[[], bool], timeout_s: float, identity: ProcessIdentity, verb: str) -> None:
    try:
        async with asyncio.timeout(timeout_s):
            while not condition():  # noqa: ASYNC110 - processes that are not our children send us no event
                await asyncio.sleep(POLL_S)
    except TimeoutError:
        raise TargetError(f"Process {identity.pid} did not {verb} within {timeout_s:g} s.") from None


def _process(pid: int) -> psutil.Process | None:
    try:
        process = psutil.Process(pid)
        return None if _has_ended(process) else process
    except psutil.Error:
        return None


def _descendants(process: psutil.Process) -> list[psutil.Process]:
    try:
        return [child for child in process.children(recursive=True) if runs(child)]
    except psutil.Error:
        return []


def _is_zombie(pid: int) -> bool:
    try:
        return _has_ended(psutil.Process(pid))
    except psutil.Error:
        return True


def _has_ended(process: psutil.Process) -> bool:
    """A zombie of which nothing runs any more. Subtle: the first thread of a killed process may be a zombie while
    others are still being ended, and its sockets are open until the last one is."""
    return process.status() == psutil.STATUS_ZOMBIE and process.num_threads() <= 1


def _is_stopped(process: psutil.Process) -> bool:
    try:
        return process.status() in {psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE}
    except psutil.Error:
        return True


def _group(pid: int) -> int | None:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return None


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    try:
        process.send_signal(number)
    except psutil.NoSuchProcess:
        return
    except psutil.AccessDenied as error:
        raise TargetError(f"Process {process.pid} belongs to another user: {number.name} was refused.") from error
