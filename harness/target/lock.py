"""One run per target at a time: a file lock that names its owner and says until when it wants the target."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from harness.clock import utc_now
from harness.errors import TargetError


class Owner(msgspec.Struct, frozen=True, kw_only=True):
    """Who holds a target: a process, what it does, and when it means to be done (Unix seconds)."""

    pid: int
    purpose: str
    until_unix_s: float


@contextmanager
def locked(state_dir: Path, *, purpose: str, for_s: float) -> Iterator[None]:
    """Hold the target of `state_dir`; TargetError with the owner's name and time left where somebody else does.

    The kernel drops the lock when the process ends, however it ends, so a dead owner never blocks.
    """
    state_dir.mkdir(parents=True, exist_ok=True)
    path = state_dir / "owner.lock"
    with path.open("a+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise TargetError(_taken(path)) from None
        owner = Owner(pid=os.getpid(), purpose=purpose, until_unix_s=utc_now().timestamp() + for_s)
        file.truncate(0)
        file.write(msgspec.json.encode(owner))
        file.flush()
        yield
        file.truncate(0)


def _taken(path: Path) -> str:
    try:
        owner = msgspec.json.decode(path.read_bytes(), type=Owner)
    except msgspec.DecodeError:
        return f"The target is in use by another process that has just begun ({path}); try again in a moment."
    left_s = max(0.0, owner.until_unix_s - utc_now().timestamp())
    return (
        f"The target is in use: process {owner.pid} does {owner.purpose}, about {left_s:.0f} s left. "
        "Wait for it, or start a system of your own with --loopback 127.0.0.2."
    )
