"""Families of small processes, frozen, thawed, ended and killed as one."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest

from harness.errors import TargetError
from harness.target import process_tree
from harness.target.identity import ProcessIdentity
from tests.harness.target.a_region import until

pytestmark = pytest.mark.slow

# A leader, a child of its group, and a child with a session of its own (as Postgres' are).
FAMILY = """
import subprocess, sys, time
sleeper = [sys.executable, "-S", "-c", "import time; time.sleep(60)"]
children = [subprocess.Popen(sleeper), subprocess.Popen(sleeper, start_new_session=True)]
print(*(child.pid for child in children), flush=True)
time.sleep(60)
"""
STUBBORN = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(60)"


class Family:
    """A started program with the identities of its members."""

    def __init__(self, program: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-S", "-c", program], stdout=subprocess.PIPE, start_new_session=True
        )
        assert self.process.stdout
        children = [int(pid) for pid in self.process.stdout.readline().split()]
        self.members = [psutil.Process(pid) for pid in [self.process.pid, *children]]
        identity = process_tree.identity_of(self.process.pid)
        assert identity
        self.identity = identity

    def statuses(self) -> set[str]:
        return {process.status() if process.is_running() else "gone" for process in self.members}

    def ended(self) -> bool:
        return self.statuses() <= {"gone", psutil.STATUS_ZOMBIE}

    def close(self) -> None:
        for process in self.members:
            if process.is_running():
                process.kill()
        self.process.wait()
        assert self.process.stdout
        self.process.stdout.close()


@pytest.fixture
def family() -> Iterator[Family]:
    started = Family(FAMILY)
    yield started
    started.close()


@pytest.fixture
def stubborn() -> Iterator[Family]:
    started = Family(STUBBORN)
    yield started
    started.close()


def test_all_members_are_found_the_leader_first(family: Family) -> None:
    found = process_tree.members(family.identity)

    assert found[0].pid == family.process.pid
    assert {process.pid for process in found} == {process.pid for process in family.members}


def test_members_of_the_group_are_found_after_their_leader_has_died(family: Family) -> None:
    family.process.kill()
    until(lambda: process_tree.running(family.identity) is None, "the leader is dead")

    assert [process.pid for process in process_tree.members(family.identity)] == [family.members[1].pid]


def test_freezing_stops_all_and_thawing_lets_all_go_on(family: Family) -> None:
    asyncio.run(process_tree.freeze(family.identity))
    assert family.statuses() == {psutil.STATUS_STOPPED}
    assert process_tree.state_word(process_tree.members(family.identity)) == "paused"

    process_tree.thaw(family.identity)
    until(lambda: psutil.STATUS_STOPPED not in family.statuses(), "all go on")
    assert process_tree.state_word(process_tree.members(family.identity)) == "running"


@pytest.mark.parametrize("frozen", [False, True])
def test_killing_ends_all(family: Family, frozen: bool) -> None:
    if frozen:
        asyncio.run(process_tree.freeze(family.identity))

    asyncio.run(process_tree.kill(family.identity))

    assert family.ended()
    assert process_tree.members(family.identity) == []
    assert process_tree.state_word([]) == "stopped"


@pytest.mark.parametrize("frozen", [False, True])
def test_a_process_that_obeys_ends_by_itself_even_out_of_a_freeze(family: Family, frozen: bool) -> None:
    if frozen:
        asyncio.run(process_tree.freeze(family.identity))

    assert asyncio.run(process_tree.end(family.identity, with_signal=signal.SIGTERM, grace_s=5.0))
    assert process_tree.running(family.identity) is None


def test_a_process_that_does_not_obey_is_killed_after_its_grace(stubborn: Family) -> None:
    assert not asyncio.run(process_tree.end(stubborn.identity, with_signal=signal.SIGTERM, grace_s=0.1))
    assert stubborn.ended()


def test_a_number_that_belongs_to_somebody_else_now_is_never_touched(family: Family) -> None:
    earlier = ProcessIdentity(pid=family.identity.pid, started_at=family.identity.started_at - 60)

    assert process_tree.running(earlier) is None
    assert process_tree.members(earlier) == []
    asyncio.run(process_tree.freeze(earlier))
    asyncio.run(process_tree.kill(earlier))
    assert asyncio.run(process_tree.end(earlier, with_signal=signal.SIGTERM, grace_s=0.1))
    assert not family.statuses() & {psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE, "gone"}


@pytest.mark.parametrize(
    ("program", "expected"),
    [("raise SystemExit(3)", "ended with exit code 3"), ("import os; os.kill(os.getpid(), 9)", "was ended by SIGKILL")],
)
def test_how_a_child_of_ours_ended_is_told(program: str, expected: str) -> None:
    pid = os.posix_spawn(sys.executable, [sys.executable, "-S", "-c", program], dict(os.environ))
    told: list[str] = []

    def has_ended() -> bool:
        ending = process_tree.reap(pid)
        if ending:
            told.append(ending)
        return bool(told)

    until(has_ended, "it has ended")

    assert told == [expected]


def test_nothing_is_told_of_strangers_and_of_those_that_run(family: Family) -> None:
    assert process_tree.reap(os.getppid()) is None
    assert process_tree.reap(family.process.pid) is None


def test_a_process_that_does_not_die_in_time_is_an_error(family: Family) -> None:
    with pytest.raises(TargetError, match=f"Process {family.process.pid} did not end within 0.05 s"):
        asyncio.run(process_tree._until(lambda: False, 0.05, family.identity, "end"))


def test_the_first_child_is_found_as_long_as_it_runs(family: Family) -> None:
    first = process_tree.first_child(family.process.pid)
    assert first is not None
    assert first.pid == family.members[1].pid

    asyncio.run(process_tree.kill(family.identity))

    assert process_tree.first_child(family.process.pid) is None
    assert process_tree.first_child(first.pid) is None
    assert process_tree.first_child(0) is None, "what an engine says of a container that does not run"
