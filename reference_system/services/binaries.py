"""Where the server programs are: in the wheels that bring them, without importing those wheels.

Importing them would cost more than starting the servers. A launcher prepares a service's folder and then *becomes* the
server (exec), so that the process that was started is the process that serves.
"""

import os
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn


class LauncherError(Exception):
    """A server cannot be started here; the message says what is missing."""


def in_wheel(package: str, *candidates: str) -> Path:
    """The first of the candidates (relative paths) that exists inside an installed package."""
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise LauncherError(f'The package {package} is not installed: pip install -c constraints.txt -e ".[reference]"')
    folder = Path(spec.submodule_search_locations[0])
    for candidate in candidates:
        if (folder / candidate).exists():
            return folder / candidate
    raise LauncherError(f"{folder} has none of {', '.join(candidates)}: no build for this kind of machine")


def service_folder() -> Path:
    """`$DATA/$SERVICE`, made where it is missing; a server that has dropped its rights may pass through it."""
    folder = Path(os.environ["DATA"]) / os.environ["SERVICE"]
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o755)
    return folder


def become(program: Path, *arguments: str) -> NoReturn:
    """Replace this process by the server."""
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(program, [str(program), *arguments])  # noqa: S606 - no shell is wanted
