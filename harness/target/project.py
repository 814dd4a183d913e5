"""A compose project: its name, its lock, and whose it is.

Containers belong to the machine and not to a checkout: two target files of one loopback address mean the same project,
and so do two checkouts. Therefore what keeps them apart lies in the temporary files, one folder for each user.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.target.data_folder import is_ours
from harness.target.docker_state import DockerFolder
from harness.target.lock import locked


def project_of(loopback: str) -> str:
    return f"gameday-{loopback.replace('.', '-')}"


def removal(project: str) -> str:
    """The same as `gameday down`, for a person to type."""
    return f"docker compose --project-name {project} down --volumes"


@contextmanager
def held(state_dir: Path, loopback: str, *, runtime: str | None = None, purpose: str, for_s: float) -> Iterator[None]:
    """Hold the target of a state folder; where it runs in containers, or is about to, its compose project as well."""
    with locked(state_dir, purpose=purpose, for_s=for_s):
        if runtime != "docker" and DockerFolder(state_dir).read() is None:
            yield
            return
        with locked(_folder(project_of(loopback)), purpose=purpose, for_s=for_s):
            yield


def claim(project: str, state_dir: Path) -> None:
    """Note that what is about to be started in the project belongs to this state folder."""
    path = _folder(project) / "state_folder"
    fresh = path.with_suffix(".new")
    fresh.write_text(str(state_dir.resolve()))
    fresh.replace(path)


def owner(project: str) -> Path | None:
    """The state folder of what was started last in the project; None where nobody has noted it."""
    try:
        return Path((_folder(project) / "state_folder").read_text())
    except FileNotFoundError:
        return None


def _folder(project: str) -> Path:
    mine = Path(tempfile.gettempdir()) / f"gameday-{os.getuid()}-projects"
    mine.mkdir(mode=0o700, exist_ok=True)
    is_ours(mine)  # a TargetError where somebody else has made it
    folder = mine / project
    folder.mkdir(exist_ok=True)
    return folder
