"""Where the services of one target keep their state: a folder in memory, made at `up`, removed at `down`.

In memory because regions that share this machine's disk would stand still together whenever it does, which regions in
different places never do. In the temporary files where there is little memory, or where TMPDIR is set.

Not below the state folder, because a server that drops its rights (Postgres as root) must be able to reach it, and a
checkout often lies in somebody's private home. The name is predictable, so that a later process finds it; therefore a
folder that somebody else made is refused.
"""

import ctypes
import hashlib
import os
import shutil
import stat
import tempfile
from pathlib import Path

from harness.errors import TargetError

_SHM_TABLE = Path("/proc/sysvipc/shm")
_IPC_RMID = 0  # <sys/ipc.h>

_MEMORY = Path("/dev/shm")  # noqa: S108 - with the sticky bit, like /tmp
_ROOM = 2 * 1024**3  # four regions hold 100 MB when they start, and at most a quarter of a GiB of log each


def data_folder_of(state_dir: Path) -> Path:
    digest = hashlib.sha256(str(state_dir.resolve()).encode()).hexdigest()[:12]
    return _temporary_files() / f"gameday-{os.getuid()}-{digest}"


def make_data_folder(folder: Path) -> None:
    folder.mkdir(mode=0o755)
    folder.chmod(0o755)  # whatever the umask is: others may pass through, each service closes its own folder


def remove_data_folder(folder: Path) -> None:
    if is_ours(folder):
        shutil.rmtree(folder)


def has_data_of(folder: Path, service: str) -> bool:
    return os.path.lexists(folder / service)


def lose_data_of(folder: Path, service: str) -> None:
    """Remove one service's own folder, `<folder>/<service>`. It goes in one step, so that a start meanwhile finds all
    of it or nothing; what a remover leaves that is killed in the middle goes with the whole folder."""
    own = folder / service
    if not is_ours(folder) or not has_data_of(folder, service):
        return
    if own.parent != folder or service in (".", "..") or own.is_symlink() or not own.is_dir():
        raise TargetError(f"{own} is not the folder of a service: it is left alone.")
    lost = Path(tempfile.mkdtemp(dir=folder, prefix=".lost-"))
    own.rename(lost / service)
    shutil.rmtree(lost)


def is_ours(folder: Path) -> bool:
    """False where there is none; TargetError for one that somebody else made."""
    try:
        status = folder.lstat()
    except FileNotFoundError:
        return False
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
        raise TargetError(f"{folder} is not a folder of yours: somebody else made it. Look at it, then remove it.")
    return True


def remove_shared_memory(creators: set[int]) -> None:
    """Remove what killed servers left in the kernel: System V segments that one of them made and nobody has attached.

    Postgres removes such a segment when it starts again on the same data; after `down` nobody would. Linux only.
    """
    if not _SHM_TABLE.exists():
        return
    libc = ctypes.CDLL(None)
    for line in _SHM_TABLE.read_text().splitlines()[1:]:
        _, segment, _, _, creator, _, attached, *_ = (int(word) for word in line.split())
        if creator in creators and attached == 0:
            libc.shmctl(segment, _IPC_RMID, None)


def _temporary_files() -> Path:
    """Memory, if it has room; else the usual place, unless others could not pass through it and we are root, whose
    servers drop their rights."""
    usual = Path(tempfile.gettempdir()).resolve()
    if "TMPDIR" not in os.environ and _has_room(_MEMORY):
        return _MEMORY
    if os.getuid() != 0 or all(folder.stat().st_mode & stat.S_IXOTH for folder in [usual, *usual.parents]):
        return usual
    return Path("/tmp")  # noqa: S108 - the one place where everybody may pass


def _has_room(memory: Path) -> bool:
    """Its size, not what is free of it: the answer has to be the same while a target runs. Containers have 64 MiB."""
    if not os.access(memory, os.W_OK | os.X_OK):
        return False
    size = os.statvfs(memory)
    return size.f_blocks * size.f_frsize >= _ROOM
