"""Starts one service's process: a session of its own, its output into its log, its number on disk before it runs.

A tiny shell writes its own number into a file and then becomes the program. So even if the starter is killed between
starting a process and noting it down, the process can be found.
"""

import asyncio
import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.target.identity import ProcessIdentity
from harness.target.process_tree import identity_of

_NOTE_NUMBER_AND_BECOME = 'cd "$1" && echo $$ >"$0" && shift && exec "$@"'
NOTE_TAKES_S = (
    5.0  # from the shell's start to its note; longer ago, the number is an older process's or a younger one's
)


def spawn(
    command: Sequence[str], environment: Mapping[str, str], *, folder: Path, log: Path, pid_file: Path
) -> ProcessIdentity | None:
    """Start it; None where it ended at once. What cannot be executed ends with 127 and a sentence in the log."""
    output = (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    pid = os.posix_spawn(
        "/bin/sh",
        ["sh", "-c", _NOTE_NUMBER_AND_BECOME, str(pid_file), str(folder), *command],
        dict(environment),
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            output,
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
        setsigdef=[signal.SIGPIPE, signal.SIGXFSZ],  # Python ignores them, and that would be inherited
    )
    return identity_of(pid)


def noted_identity(pid_file: Path) -> ProcessIdentity | None:
    """The process that wrote this note, if it still runs."""
    try:
        pid, written_at = int(pid_file.read_text()), pid_file.stat().st_mtime
    except (OSError, ValueError):
        return None
    identity = identity_of(pid)
    if identity is None or not -1.0 < written_at - identity.started_at < NOTE_TAKES_S:
        return None
    return identity


async def noted_identity_in_time(pid_file: Path) -> ProcessIdentity | None:
    """The same, but a note that has just been opened gets the moment that writing it takes."""
    for _ in range(100):
        if _is_written(pid_file):
            break
        await asyncio.sleep(0.01)
    return noted_identity(pid_file)


def _is_written(pid_file: Path) -> bool:
    return pid_file.stat().st_size > 0
