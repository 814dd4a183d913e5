"""A runner in another process, that holds a fault until it is told to end or dies where it is told to."""

import signal
import subprocess
import sys
from pathlib import Path

import psutil

from harness.faults.journal import State
from harness.faults.revert import leftovers
from harness.target.processes_target import ProcessesTarget
from tests.e2e.faults.conftest import WITHIN_S
from tests.harness.faults.a_target import LOOPBACK, SPEC, snapshot, states_in, until

RUNNER = "tests.harness.faults.runner_process"

# Every line of the journal, and the moment before and after it is written.
CRASHES = ["before ARMED", "half ARMED", "after ARMED", "before INJECTED", "after INJECTED", "after REVERTING"]
CRASHES += ["before REVERTED", "after REVERTED", "before VERIFIED", "after VERIFIED"]


class Runner:
    """The other process, and what it says."""

    def __init__(self, state_dir: Path, folder: Path, kind: str, crash: str, *, lasts_s: float = 60.0) -> None:
        self.folder = folder
        self.process = subprocess.Popen(
            [sys.executable, "-m", RUNNER, str(state_dir), str(folder), kind, crash, str(lasts_s)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.guard_pid = int(self.expect("guard").split()[1])

    def expect(self, word: str) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.startswith(word), line
        return line

    def guard_has_ended(self) -> bool:
        return not psutil.pid_exists(self.guard_pid) or psutil.Process(self.guard_pid).status() == "zombie"

    def end(self) -> None:
        self.process.send_signal(signal.SIGCONT)
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()
        until(self.guard_has_ended, "the guard ends with its runner", within_s=20.0)


def kill_one_and_expect_what_was(target: ProcessesTarget, state_dir: Path, runs: Path, kind: str, crash: str) -> None:
    """A runner with a fault of this kind dies at this moment: soon everything is as it was before."""
    before = snapshot(target)
    runner = Runner(state_dir, runs / "run-1", kind, crash)
    try:
        assert runner.process.wait(20.0) == -signal.SIGKILL
        took_s = until(lambda: snapshot(target) == before and runner.guard_has_ended(), f"as {before}")
    finally:
        runner.end()

    assert took_s < WITHIN_S
    assert set(states_in(runner.folder).values()) <= {State.VERIFIED, State.PLANNED}
    assert leftovers(runs) == []
    listeners = [one for one in psutil.net_connections("tcp4") if one.status == "LISTEN"]
    assert sum(one.laddr == (LOOPBACK, SPEC.services["redis"].port) for one in listeners) == 1
