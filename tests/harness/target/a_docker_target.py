"""A small target whose containers a fake engine has, driven through the SDK; nothing is composed."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.target.docker_state import DockerFolder, DockerState
from harness.target.docker_target import DockerTarget
from tests.harness.faults.fake_engine import PROJECT, FakeEngine, fake_engine
from tests.harness.target.a_region import LOOPBACK, SPEC, SPEC_PATH

IDS = {"api-1": "0a1b2c3d4e5f" * 5, "postgres": "5f4e3d2c1b0a" * 5}


@contextmanager
def an_engine() -> Iterator[FakeEngine]:
    """Nothing is on it; its socket's folder is the only short one that there is."""
    with tempfile.TemporaryDirectory() as folder, fake_engine(Path(folder)) as engine:
        yield engine


@contextmanager
def a_docker_target() -> Iterator[tuple[FakeEngine, DockerTarget]]:
    with an_engine() as engine, tempfile.TemporaryDirectory() as folder:
        add_containers(engine)
        yield engine, attached(Path(folder), engine)


def add_containers(engine: FakeEngine) -> None:
    for service, container in IDS.items():
        engine.add(container, service=service)


def attached(folder: Path, engine: FakeEngine, *, containers: dict[str, str] = IDS) -> DockerTarget:
    """The target of a state folder that says that it was started."""
    state = DockerState(
        engine=engine.url,
        project=PROJECT,
        compose_command=("false",),
        compose_file=str(SPEC_PATH.with_name("docker-compose.yml")),
        variables={},
        loopback=LOOPBACK,
        defect=None,
        containers=containers,
    )
    DockerFolder(folder).write(state)
    return DockerTarget(SPEC, DockerFolder(folder))
