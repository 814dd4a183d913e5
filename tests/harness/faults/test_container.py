"""What faults on containers do, in which order."""

import asyncio
from collections.abc import Iterator

import pytest

from harness.faults.container import ContainerDestroyAction, running_container
from harness.target.docker_target import DockerTarget
from tests.harness.faults.fake_engine import FakeEngine
from tests.harness.target.a_docker_target import IDS, a_docker_target

POSTGRES = IDS["postgres"]


@pytest.fixture
def both() -> Iterator[tuple[FakeEngine, DockerTarget]]:
    with a_docker_target() as both:
        yield both


def test_whatever_empties_volumes_is_ended_before_the_service_is_started(
    both: tuple[FakeEngine, DockerTarget], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, target = both
    original = running_container(target, "postgres")
    assert original is not None
    engine.containers[POSTGRES]["State"]["Running"] = False
    engine.add("p-postgres-eraser")
    found: list[set[str]] = []

    async def start(service: str) -> None:
        found.append(set(engine.containers))

    monkeypatch.setattr(target, "start", start)
    asyncio.run(ContainerDestroyAction(target=target, original=original).revert())

    assert found == [set(IDS.values())]
