"""The target of these tests: after each of them it has to be what it was before."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.target.processes_target import ProcessesTarget
from tests.harness.faults.a_target import (
    SPEC,
    a_running_target,
    proxies,
    snapshot,
    toxiproxy,
    until,
)

WITHIN_S = 10.0  # everything is as before within this after the runner has died


@pytest.fixture(scope="module")
def state_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("state")


@pytest.fixture(scope="module")
def running(state_dir: Path) -> Iterator[ProcessesTarget]:
    target = asyncio.run(a_running_target(state_dir))
    try:
        yield target
    finally:
        asyncio.run(target.down())


@pytest.fixture
def target(running: ProcessesTarget) -> Iterator[ProcessesTarget]:
    """The target, which has to be after a test what it was before it."""
    before = snapshot(running)
    assert set(before["services"].values()) == {"healthy"}
    yield running
    try:
        until(lambda: snapshot(running) == before, f"as before: {before}", within_s=WITHIN_S)
    finally:
        make_whole(running)


def make_whole(target: ProcessesTarget) -> None:
    for service in SPEC.services:
        asyncio.run(target.resume(service))
        asyncio.run(target.start(service))
    for name, proxy in proxies().items():
        for toxic in proxy["toxics"]:
            toxiproxy("DELETE", f"/proxies/{name.replace('>', '%3E')}/toxics/{toxic['name']}")
        toxiproxy("PATCH", f"/proxies/{name.replace('>', '%3E')}", {"enabled": True})
