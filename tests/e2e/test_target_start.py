"""Starts that go wrong, starters that die, and what is left after `down`: nothing."""

import asyncio
import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from harness.errors import ExperimentError, TargetError
from harness.target.data_folder import data_folder_of
from harness.target.processes import attach, up
from harness.target.running_state import StateFolder
from tests.harness.target.a_region import LOOPBACK, SPEC, SPEC_PATH, ask, is_open, pids_of, starter, until

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

ALL_PORTS = [service.port for service in SPEC.services.values()] + [link.listen for link in SPEC.links.values()]


@pytest.fixture
def state_dir(tmp_path: Path) -> Iterator[Path]:
    """A state folder; whatever a failing test has left in it is stopped."""
    folder = tmp_path / "state"
    yield folder
    if StateFolder(folder).read() is not None:
        asyncio.run(attach(SPEC, folder).down())


def assert_nothing_is_left(state_dir: Path, pids: set[int]) -> None:
    assert not [pid for pid in pids if psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie"]
    assert not [port for port in ALL_PORTS if is_open(port)]
    assert not data_folder_of(state_dir).exists()
    assert {path.name for path in state_dir.iterdir()} <= {"logs", "owner.lock"}
    assert not {segment for segment in shared_memory() if segment[1] in pids}


def shared_memory() -> set[tuple[int, int]]:
    """(segment, pid of its creator) of every System V segment."""
    lines = Path("/proc/sysvipc/shm").read_text().splitlines()[1:]
    return {(int(line.split()[1]), int(line.split()[4])) for line in lines}


def test_nothing_is_left_after_down(state_dir: Path) -> None:
    target = asyncio.run(up(SPEC, SPEC_PATH, state_dir=state_dir, loopback=LOOPBACK))
    pids = pids_of(target)
    assert len(pids) == len(SPEC.services)

    asyncio.run(target.down())

    assert_nothing_is_left(state_dir, pids)
    assert (state_dir / "logs" / "postgres.log").read_text(), "logs stay, as evidence"
    asyncio.run(target.down())  # and may be repeated


def test_nothing_is_left_after_down_of_a_target_that_was_broken(state_dir: Path) -> None:
    target = asyncio.run(up(SPEC, SPEC_PATH, state_dir=state_dir, loopback=LOOPBACK))
    pids = pids_of(target)

    async def break_and_go() -> None:
        await target.kill("postgres")  # leaves its lock and its shared memory
        await target.pause("redis")
        await target.pause("gateway")
        await target.stop("api-1")
        await target.down()

    asyncio.run(break_and_go())

    assert_nothing_is_left(state_dir, pids)


def test_a_service_that_dies_at_start_is_quoted_and_the_others_are_stopped(state_dir: Path) -> None:
    with pytest.raises(TargetError) as failure:
        asyncio.run(up(SPEC, SPEC_PATH, state_dir=state_dir, loopback=LOOPBACK, defect="dies_at_start"))

    assert "ended with exit code 1 while it was starting" in str(failure.value)
    assert "  cannot go on: dies_at_start" in str(failure.value)
    assert_nothing_is_left(state_dir, set())


def test_a_defect_that_nobody_knows_is_refused_before_anything_starts(state_dir: Path) -> None:
    with pytest.raises(ExperimentError, match=r'has no defect "dies_at_stat"\. Did you mean "dies_at_start"'):
        asyncio.run(up(SPEC, SPEC_PATH, state_dir=state_dir, loopback=LOOPBACK, defect="dies_at_stat"))

    assert not state_dir.exists()


def test_a_stray_defect_in_the_environment_is_not_planted(state_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEFECT", "dies_at_start")

    target = asyncio.run(up(SPEC, SPEC_PATH, state_dir=state_dir, loopback=LOOPBACK))

    assert '"defect": ""' in target.log_files()["api-1"].read_text()
    asyncio.run(target.down())


def test_a_port_taken_by_a_stranger_stops_the_start_and_names_him(state_dir: Path) -> None:
    with socket.create_server((LOOPBACK, 21432)), pytest.raises(TargetError) as refusal:
        asyncio.run(up(SPEC, SPEC_PATH, state_dir=state_dir, loopback=LOOPBACK))

    assert f"{LOOPBACK}:21432 (wanted by postgres) is held by process {os.getpid()} (" in str(refusal.value)
    assert str(refusal.value).count("wanted by") == 1
    assert not state_dir.exists()


def test_a_start_that_is_cancelled_leaves_nothing(state_dir: Path) -> None:
    async def cancelled_on_the_way() -> None:
        task = asyncio.create_task(up(SPEC, SPEC_PATH, state_dir=state_dir, loopback=LOOPBACK))
        folder = StateFolder(state_dir)
        async with asyncio.timeout(10):
            while len(folder.identities()) < 3:  # noqa: ASYNC110 - files send no events
                await asyncio.sleep(0.005)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled_on_the_way())

    assert_nothing_is_left(state_dir, set())


@pytest.mark.parametrize("processes_started", [0, 1, 3, 5])
def test_a_starter_killed_on_the_way_leaves_a_target_that_can_be_taken_down(
    state_dir: Path, processes_started: int
) -> None:
    folder = StateFolder(state_dir)
    with starter(state_dir) as process:
        until(lambda: folder.read() is not None and len(folder.identities()) >= processes_started, "it is under way")
        process.kill()
    pids = {identity.pid for identity in folder.identities().values()}
    (state_dir / "identities.json.1.new").touch()  # as if killed while writing it

    asyncio.run(attach(SPEC, state_dir).down())

    assert_nothing_is_left(state_dir, pids)


def test_a_target_outlives_its_starter_and_is_driven_and_stopped_by_another_process(state_dir: Path) -> None:
    with starter(state_dir) as process:
        assert process.stdout
        assert process.stdout.readline() == b"up\n"
        process.kill()

    target = attach(SPEC, state_dir)
    pids = pids_of(target)
    assert ask("/timeline/home")[0] == 200
    asyncio.run(target.kill("redis"))
    asyncio.run(target.start("redis"))
    assert asyncio.run(target.is_healthy("redis"))
    asyncio.run(target.down())

    assert_nothing_is_left(state_dir, pids)
    with pytest.raises(TargetError, match="Nothing is up"):
        attach(SPEC, state_dir)


@pytest.mark.parametrize("damage", ["missing", "cut short"])
def test_a_process_that_nobody_has_written_down_is_found_by_its_own_note(state_dir: Path, damage: str) -> None:
    target = asyncio.run(up(SPEC, SPEC_PATH, state_dir=state_dir, loopback=LOOPBACK))
    pids = pids_of(target)
    identities = StateFolder(state_dir).identities_path
    if damage == "missing":
        identities.unlink()
    else:
        identities.write_bytes(identities.read_bytes()[:40])

    again = attach(SPEC, state_dir)

    assert pids_of(again) == pids
    asyncio.run(again.down())
    assert_nothing_is_left(state_dir, pids)


def test_a_state_folder_of_processes_that_have_long_ended_does_not_block_the_next_start(state_dir: Path) -> None:
    """As after a restart of the machine."""
    target = asyncio.run(up(SPEC, SPEC_PATH, state_dir=state_dir, loopback=LOOPBACK))
    for pid in pids_of(target):
        family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
        for process in family:
            process.kill()
    until(lambda: not pids_of(target), "all are dead")
    until(lambda: not any(is_open(port) for port in ALL_PORTS), "all ports are free")
    assert not attach(SPEC, state_dir).is_up

    again = asyncio.run(up(SPEC, SPEC_PATH, state_dir=state_dir, loopback=LOOPBACK))

    assert ask("/timeline/home")[0] == 200
    asyncio.run(again.down())


def test_a_data_folder_that_somebody_else_made_is_refused(state_dir: Path) -> None:
    folder = data_folder_of(state_dir)
    folder.symlink_to(tempfile.gettempdir())
    try:
        with pytest.raises(TargetError, match="somebody else made it"):
            asyncio.run(up(SPEC, SPEC_PATH, state_dir=state_dir, loopback=LOOPBACK))
    finally:
        folder.unlink()
    assert StateFolder(state_dir).read() is None
