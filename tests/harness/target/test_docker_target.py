"""A target in containers knows its own: what is up, and what may be taken down, whatever has happened meanwhile."""

import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.errors import TargetError
from harness.target import docker
from harness.target.compose_command import Compose
from harness.target.docker_target import DockerTarget
from harness.target.project import claim, project_of
from harness.target.runtimes import running
from tests.harness.faults.fake_engine import PROJECT, FakeEngine
from tests.harness.target.a_docker_target import IDS, add_containers, an_engine, attached
from tests.harness.target.a_region import LOOPBACK, SPEC, SPEC_PATH

OTHERS = {"api-1": "9" * 60}


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeEngine]:
    with an_engine() as engine:
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        yield engine


@pytest.fixture
def composed(engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was asked of the compose command; `down` is done, and `up` fails."""
    asked: list[str] = []

    async def down(self: Compose) -> None:
        asked.append(f"down {self.project}")
        engine.containers.clear()

    async def build(self: Compose, service: str) -> None:
        asked.append("build")

    async def up(self: Compose, services: object) -> None:
        asked.append("up")
        raise TargetError("it ended with 1")

    for method in (down, build, up):
        monkeypatch.setattr(Compose, method.__name__, method)
    return asked


def somebody_elses(engine: FakeEngine) -> None:
    """Another state folder's containers are in the project now."""
    engine.containers.clear()
    for service, container in OTHERS.items():
        engine.add(container, service=service)


# --- what is up ---


def test_it_is_up_while_one_of_its_containers_is_there(engine: FakeEngine, tmp_path: Path) -> None:
    target = attached(tmp_path / "a", engine)
    assert not target.is_up

    engine.add(IDS["postgres"], service="postgres", running=False)

    assert target.is_up


def test_it_is_not_up_where_its_project_has_somebody_elses_containers(engine: FakeEngine, tmp_path: Path) -> None:
    target = attached(tmp_path / "a", engine)
    somebody_elses(engine)

    assert not target.is_up


def test_one_whose_start_was_broken_off_says_so(engine: FakeEngine, tmp_path: Path) -> None:
    target = attached(tmp_path / "a", engine, containers={})
    claim(PROJECT, tmp_path / "a")
    add_containers(engine)
    told = r"is not whole .*/a\): its start was broken off, or another process is at it\. Run: gameday down"

    with pytest.raises(TargetError, match=told):
        running(SPEC, tmp_path / "a")
    with pytest.raises(TargetError, match=told):
        asyncio.run(target.about())


def test_before_it_has_containers_somebody_elses_are_not_taken_for_its_own(engine: FakeEngine, tmp_path: Path) -> None:
    target = attached(tmp_path / "a", engine, containers={})
    claim(PROJECT, tmp_path / "b")
    somebody_elses(engine)

    assert not target.is_up


def test_where_nobody_has_noted_whose_they_are_that_is_told(engine: FakeEngine, tmp_path: Path) -> None:
    target = attached(tmp_path / "a", engine, containers={})
    somebody_elses(engine)

    for ask in (lambda: target.is_up, lambda: asyncio.run(target.down())):
        with pytest.raises(TargetError, match="If they are not somebody else's: docker compose --project-name p down"):
            ask()
    assert set(engine.containers) == set(OTHERS.values())


# --- what is taken down ---


@pytest.mark.parametrize("containers", [IDS, {}], ids=["whole", "half-started"])
def test_its_containers_are_taken_down(
    engine: FakeEngine, composed: list[str], tmp_path: Path, containers: dict[str, str]
) -> None:
    target = attached(tmp_path / "a", engine, containers=containers)
    claim(PROJECT, tmp_path / "a")
    add_containers(engine)

    asyncio.run(target.down())

    assert composed == [f"down {PROJECT}"]
    assert not (tmp_path / "a" / "docker.json").exists()


def test_where_they_are_gone_their_networks_and_volumes_are(
    engine: FakeEngine, composed: list[str], tmp_path: Path
) -> None:
    asyncio.run(attached(tmp_path / "a", engine).down())

    assert composed == [f"down {PROJECT}"]
    assert not (tmp_path / "a" / "docker.json").exists()


@pytest.mark.parametrize("containers", [IDS, {}], ids=["whole", "half-started"])
def test_somebody_elses_are_left_alone(
    engine: FakeEngine, composed: list[str], tmp_path: Path, containers: dict[str, str]
) -> None:
    target = attached(tmp_path / "a", engine, containers=containers)
    claim(PROJECT, tmp_path / "b")
    somebody_elses(engine)

    asyncio.run(target.down())

    assert composed == []
    assert set(engine.containers) == set(OTHERS.values())
    assert not (tmp_path / "a" / "docker.json").exists()


# --- what is started ---


def start(engine: FakeEngine, folder: Path) -> DockerTarget:
    return asyncio.run(docker.up(SPEC, SPEC_PATH, state_dir=folder, loopback=LOOPBACK, engine=engine.url))


def test_a_start_begins_with_nothing_of_an_earlier_system(
    engine: FakeEngine, composed: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GAMEDAY_COMPOSE", "false")
    monkeypatch.setattr(docker, "refuse_ports_in_use", lambda host, ports: None)

    with pytest.raises(TargetError, match="it ended with 1"):
        start(engine, tmp_path / "a")

    down = f"down {project_of(LOOPBACK)}"
    assert composed == [down, "build", "up", down]


def test_a_start_where_somebody_else_is_up_is_refused_and_names_them(
    engine: FakeEngine, composed: list[str], tmp_path: Path
) -> None:
    project = project_of(LOOPBACK)
    claim(project, tmp_path / "b")
    engine.add("9" * 60, project=project)

    with pytest.raises(TargetError, match=rf"{project} exist already, started from {tmp_path / 'b'}\. Run: gameday"):
        start(engine, tmp_path / "a")

    assert composed == []
