"""A small target whose containers a fake engine has, driven through the SDK."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.target.docker_state import DockerFolder, DockerState
from harness.target.docker_target import DockerTarget
from tests.harness.faults.fake_engine import PROJECT, FakeEngine, fake_engine
from tests.harness.target.a_region import LOOPBACK, SPEC, SPEC_PATH

IDS = {"api-1": "0a1b2c3d4e5f" * 5, "postgres": "5f4e3d2c1b0a" * 5}


def a_state(engine: FakeEngine) -> DockerState:
    return DockerState(
        engine=engine.url,
        project=PROJECT,
        compose_command=("false",),
        compose_file=str(SPEC_PATH.with_name("docker-compose.yml")),
        variables={},
        loopback=LOOPBACK,
        defect=None,
        containers=IDS,
    )


@contextmanager
def a_docker_target() -> Iterator[tuple[FakeEngine, DockerTarget]]:
    with tempfile.TemporaryDirectory() as folder, fake_engine(Path(folder)) as engine:
        for service, container in IDS.items():
            engine.add(container, service=service)
        state_folder = DockerFolder(Path(folder) / "state")
        state_folder.write(a_state(engine))
        yield engine, DockerTarget(SPEC, state_folder)
