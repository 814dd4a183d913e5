"""`up` says what the target runs on; `down` takes down whatever was started, and says where it cannot tell."""

import shutil
import tempfile
from pathlib import Path

import pytest
from rich.console import Console

from harness.commands import targets
from harness.errors import ExitCode, TargetError
from harness.gameday import Place
from harness.target import runtimes
from harness.target.compose_command import Compose
from harness.target.docker_state import DockerFolder
from harness.target.docker_target import DockerTarget
from harness.target.running_state import StateFolder, TargetState
from tests.harness.faults.fake_engine import PROJECT
from tests.harness.target.a_docker_target import add_containers, an_engine, attached
from tests.harness.target.a_region import LOOPBACK, SPEC_PATH


@pytest.fixture(autouse=True)
def target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A target file of a project of its own."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    path = tmp_path / "project" / "system" / "target.yaml"
    path.parent.mkdir(parents=True)
    shutil.copy(SPEC_PATH, path)
    shutil.copy(SPEC_PATH.with_name("docker-compose.yml"), path.parent)
    return path


def state_dir(target: Path) -> Path:
    return Place(runs=Path(), loopback=LOOPBACK).state_of(target)


def down(target: Path) -> str:
    console = Console(record=True, width=200)
    assert targets.down(console, target, LOOPBACK) is ExitCode.PASS
    return console.export_text()


def test_what_it_runs_on_is_told(target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def version(self: Compose) -> str:
        return "1.29.2"

    console = Console(record=True, width=200)
    with an_engine() as engine:
        add_containers(engine)

        async def up(*_: object, **__: object) -> DockerTarget:
            return attached(state_dir(target), engine)

        monkeypatch.setattr(Compose, "version", version)
        monkeypatch.setattr(runtimes, "up", up)
        choice = runtimes.Choice(runtime="docker", loopback=LOOPBACK)
        assert targets.up(console, target, choice=choice, defect=None) is ExitCode.PASS

    told = console.export_text()
    assert f"docker engine: Docker Engine 20.10 of here ({engine.url})\n" in told
    assert "compose: false 1.29.2\n" in told


def test_where_nothing_was_started_it_says_so(target: Path) -> None:
    assert down(target) == f"stand-in is not up on {LOOPBACK}.\n"


@pytest.mark.parametrize("name", ["target.json", "docker.json"])
def test_what_another_version_has_started_is_not_taken_for_nothing(target: Path, name: str) -> None:
    folder = state_dir(target)
    folder.mkdir(parents=True)
    (folder / name).write_text('{"from": "another version"}')

    with pytest.raises(TargetError, match=rf"{name} is damaged: .* Is it from another version\?"):
        down(target)
    with pytest.raises(TargetError, match=rf"{name} is damaged"):
        targets.status(Console(), target, LOOPBACK, Path("runs"))
    assert (folder / name).exists()


def test_networks_and_volumes_go_whose_containers_somebody_has_removed(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken_down: list[str] = []

    async def compose_down(self: Compose) -> None:
        taken_down.append(self.project)

    monkeypatch.setattr(Compose, "down", compose_down)
    with an_engine() as engine:
        attached(state_dir(target), engine)

        assert down(target) == "stand-in is down.\n"

    assert taken_down == [PROJECT]
    assert DockerFolder(state_dir(target)).read() is None


def test_an_engine_that_does_not_answer_is_told(target: Path) -> None:
    with an_engine() as engine:
        attached(state_dir(target), engine)

    with pytest.raises(TargetError, match="No Docker Engine answers"):
        down(target)
    assert DockerFolder(state_dir(target)).read() is not None


def test_what_processes_left_behind_that_died_with_their_machine_goes(target: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    state = TargetState(
        spec_path=str(target),
        folder=str(target.parent),
        loopback=LOOPBACK,
        data=str(data),
        defect=None,
        services={},
    )
    StateFolder(state_dir(target)).begin(state)

    assert down(target) == "stand-in is down.\n"

    assert not data.exists()
    assert StateFolder(state_dir(target)).read() is None
