"""A compose project is held by one process at a time, whichever checkout it works for, and known by who started it."""

import tempfile
from pathlib import Path

import pytest

from harness.errors import TargetError
from harness.target.docker_state import DockerFolder
from harness.target.project import claim, held, owner, project_of
from tests.harness.target.test_docker_choices import STATE

ADDRESS, OTHER = "127.0.0.1", "127.0.0.2"


@pytest.fixture(autouse=True)
def temporary_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def test_a_project_is_held_across_checkouts(tmp_path: Path) -> None:
    with held(tmp_path / "a", ADDRESS, runtime="docker", purpose='"a long run"', for_s=60):
        with (
            pytest.raises(TargetError, match=r'is in use: process \d+ does "a long run", about [56]\d s left'),
            held(tmp_path / "b", ADDRESS, runtime="docker", purpose="its start", for_s=60),
        ):
            pass
        with held(tmp_path / "b", OTHER, runtime="docker", purpose="its start", for_s=60):
            pass
    with held(tmp_path / "b", ADDRESS, runtime="docker", purpose="its start", for_s=60):
        pass


def test_what_is_up_in_containers_holds_its_project_whoever_asks(tmp_path: Path) -> None:
    DockerFolder(tmp_path / "b").write(STATE)

    with (
        held(tmp_path / "a", ADDRESS, runtime="docker", purpose="a", for_s=60),
        pytest.raises(TargetError, match="is in use"),
        held(tmp_path / "b", ADDRESS, purpose="its stop", for_s=60),
    ):
        pass


def test_processes_have_no_project(tmp_path: Path) -> None:
    with (
        held(tmp_path / "a", ADDRESS, runtime="docker", purpose="a", for_s=60),
        held(tmp_path / "b", ADDRESS, runtime="processes", purpose="b", for_s=60),
        pytest.raises(TargetError, match="is in use"),
        held(tmp_path / "b", ADDRESS, runtime="processes", purpose="b", for_s=60),
    ):
        pass


def test_whoever_started_it_last_is_noted(tmp_path: Path) -> None:
    assert owner(project_of(ADDRESS)) is None

    claim(project_of(ADDRESS), tmp_path / "a")
    claim(project_of(ADDRESS), tmp_path / "b")

    assert owner(project_of(ADDRESS)) == tmp_path / "b"
    assert owner(project_of(OTHER)) is None


def test_notes_that_others_can_see_are_nobody_elses(temporary_files: Path) -> None:
    claim("p", temporary_files)

    (folder,) = temporary_files.iterdir()
    assert folder.stat().st_mode & 0o077 == 0
