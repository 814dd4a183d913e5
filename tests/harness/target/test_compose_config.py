"""What each compose command that is installed says of our compose file. No engine is asked."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

COMPOSE_FILE = Path(__file__).parents[3] / "docker-compose.yml"
# Both that the file is written for, and whichever else this machine uses.
COMMANDS = dict.fromkeys(["docker compose", "docker-compose", os.environ.get("GAMEDAY_COMPOSE") or "docker compose"])


@pytest.mark.slow
@pytest.mark.parametrize("profiles", [(), ("observability",)], ids=["system", "observability"])
@pytest.mark.parametrize("command", COMMANDS)
def test_our_file_is_clean(command: str, profiles: tuple[str, ...], tmp_path: Path) -> None:
    chosen = [word for profile in profiles for word in ("--profile", profile)]
    is_there = shutil.which(command.split(maxsplit=1)[0]) is not None
    if not is_there or compose(command, "version", folder=tmp_path).returncode != 0:
        pytest.skip(f"NOT TESTED: `{command}` is not installed, so nobody knows what it says of {COMPOSE_FILE.name}")

    done = compose(command, "--file", str(COMPOSE_FILE), *chosen, "config", "--quiet", folder=tmp_path)

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def compose(command: str, *words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """With an engine that nobody is, and no variable of the file but those of its own folder."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "DOCKER_CONFIG", "LANG") if name in os.environ}
    environment = {**kept, "DOCKER_HOST": f"unix://{folder}/nobody.sock"}
    return subprocess.run([*command.split(), *words], env=environment, capture_output=True, text=True, check=False)
