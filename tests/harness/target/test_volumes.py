"""Volumes are emptied only while their service is ended, whoever starts it meanwhile."""

import asyncio
from collections.abc import Iterator

import pytest

from harness.errors import TargetError
from harness.target.docker_target import DockerTarget
from tests.harness.faults.fake_engine import FakeEngine
from tests.harness.target.a_docker_target import IDS, a_docker_target

POSTGRES = IDS["postgres"]
ERASER = "p-postgres-eraser"


@pytest.fixture
def both() -> Iterator[tuple[FakeEngine, DockerTarget]]:
    with a_docker_target() as both:
        yield both


def runs(engine: FakeEngine, running: bool) -> None:
    engine.containers[POSTGRES]["State"]["Running"] = running


def test_an_ended_service_loses_what_is_in_its_volumes(both: tuple[FakeEngine, DockerTarget]) -> None:
    engine, target = both
    runs(engine, False)

    asyncio.run(target.lose_data("postgres"))

    assert engine.emptied == [POSTGRES]
    assert set(engine.containers) == set(IDS.values())


def test_a_running_service_does_not(both: tuple[FakeEngine, DockerTarget]) -> None:
    engine, target = both

    with pytest.raises(TargetError, match="postgres runs: its data are not taken"):
        asyncio.run(target.lose_data("postgres"))

    assert engine.emptied == []


@pytest.mark.parametrize("call", [f"GET /containers/{POSTGRES}/json", "POST /containers/create"])
def test_nor_one_that_is_started_while_its_turn_has_not_come(both: tuple[FakeEngine, DockerTarget], call: str) -> None:
    """As the guard does that takes the runner for dead: it finds nothing to end and starts the service."""
    engine, target = both
    runs(engine, False)
    engine.meanwhile[call] = lambda: runs(engine, True)

    with pytest.raises(TargetError, match="postgres runs: its data are not taken"):
        asyncio.run(target.lose_data("postgres"))

    assert engine.emptied == []
    assert set(engine.containers) == set(IDS.values()), "what was to empty them is gone"


def test_whatever_empties_volumes_is_ended_whether_or_not_it_is_there(both: tuple[FakeEngine, DockerTarget]) -> None:
    engine, target = both
    engine.add(ERASER)

    asyncio.run(target.end_eraser("postgres"))
    asyncio.run(target.end_eraser("postgres"))

    assert set(engine.containers) == set(IDS.values())
