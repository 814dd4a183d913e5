"""A run that dies or is stopped leaves nothing behind, says so, and accounts for every request."""

import os
import pty
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from harness import clock
from harness.record.reader import read_run
from tests.e2e.gameday_process import EXPERIMENTS, PROJECT, command, scheduled_requests
from tests.loopback import loopback

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

LOOPBACK = loopback(22)
# A session of its own has a terminal for its own once its first process opens it. The tests may run under nohup.
IN_A_TERMINAL = """
import os, signal, sys
signal.signal(signal.SIGHUP, signal.SIG_DFL)
os.open(os.ttyname(1), os.O_RDWR)
os.execv(sys.argv[1], sys.argv[1:])
"""
LISTEN = "0A"  # as the kernel writes that state
FIVE_SECONDS_OF_BASELINE = ("--set", "warm_up=2s", "--set", "baseline=5s")


def gameday(*arguments: str, runs: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments, runs=runs, loopback=LOOPBACK),
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "runs"
    yield folder
    subprocess.run(
        command("down", "--target", "reference_system/one_region.yaml", loopback=LOOPBACK),
        cwd=PROJECT,
        capture_output=True,
        timeout=60,
        check=False,
    )


def begin(*arguments: str, runs: Path | None = None) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command(*arguments, runs=runs, loopback=LOOPBACK),
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def begin_run(runs: Path) -> subprocess.Popen[str]:
    experiment = EXPERIMENTS / "broken_redis.yaml"
    return begin("run", str(experiment), "--short", *FIVE_SECONDS_OF_BASELINE, runs=runs)


def start_in_a_fault(runs: Path) -> subprocess.Popen[str]:
    """A run that has just reported its first fault as injected."""
    runner = begin_run(runs)
    wait_until(lambda: "INJECTED" in journal(runs), within_s=60, what="a fault is injected")
    return runner


def journal(runs: Path) -> str:
    path = runs / "latest" / "journal.jsonl"
    return path.read_text() if path.exists() else ""


def wait_until(condition: Callable[[], bool], *, within_s: float, what: str) -> None:
    deadline_ns = clock.now_ns() + int(within_s * clock.NS_PER_S)
    while not condition():
        assert clock.now_ns() < deadline_ns, f"not within {within_s:g} s: {what}"
        clock.sleep(0.1)


def stop_where(runner: subprocess.Popen[str], condition: Callable[[], bool], *, what: str) -> None:
    """Lets it run a hundredth of a second at a time and looks while it stands still, so that nothing it does is over
    before it is seen. It goes on with SIGCONT, and with what it was sent meanwhile."""
    deadline_ns = clock.now_ns() + 60 * clock.NS_PER_S
    runner.send_signal(signal.SIGSTOP)
    while not condition():
        if clock.now_ns() >= deadline_ns:
            runner.kill()  # it would stand there for ever
            runner.wait()
            pytest.fail(f"not within 60 s: {what}")
        runner.send_signal(signal.SIGCONT)
        clock.sleep(0.01)
        runner.send_signal(signal.SIGSTOP)


def test_killing_the_runner_in_a_fault_reverts_everything_within_ten_seconds(runs: Path) -> None:
    runner = start_in_a_fault(runs)

    runner.send_signal(signal.SIGKILL)
    runner.communicate(timeout=60)

    wait_until(
        lambda: "Every fault of every run is reverted" in gameday("status", runs=runs).stdout,
        within_s=10,
        what="gameday status says that every fault is reverted",
    )


def test_ctrl_c_in_a_fault_ends_with_exit_4_and_clean(runs: Path) -> None:
    runner = start_in_a_fault(runs)

    runner.send_signal(signal.SIGINT)
    output, _ = runner.communicate(timeout=60)

    assert runner.returncode == 4, output
    run = read_run(runs / "latest")
    assert run.sealed
    assert len(run.requests) == scheduled_requests(run) == run.requests["outcome"].notna().sum() > 0
    assert "Every fault of every run is reverted" in gameday("status", runs=runs).stdout
    assert not listening()


def test_a_terminal_that_is_closed_in_a_fault_ends_the_run_like_ctrl_c(runs: Path) -> None:
    terminal, theirs = pty.openpty()
    os.set_blocking(terminal, False)
    experiment = EXPERIMENTS / "broken_redis.yaml"
    arguments = command("run", str(experiment), "--short", *FIVE_SECONDS_OF_BASELINE, runs=runs, loopback=LOOPBACK)
    in_it = [sys.executable, "-c", IN_A_TERMINAL]
    runner = subprocess.Popen(
        [*in_it, *arguments], cwd=PROJECT, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    )
    os.close(theirs)
    wait_until(lambda: _shown(terminal) and "INJECTED" in journal(runs), within_s=60, what="a fault is injected")

    os.close(terminal)

    assert runner.wait(timeout=60) == 4
    assert read_run(runs / "latest").sealed
    assert "Every fault of every run is reverted" in gameday("status", runs=runs).stdout
    assert not listening()


def _shown(terminal: int) -> bool:
    """Takes what is shown, so that there is always room for more."""
    with suppress(BlockingIOError):
        while os.read(terminal, 65_536):
            pass
    return True


def test_sigterm_while_the_system_starts_gives_the_start_up_with_exit_4(runs: Path) -> None:
    runner = begin_run(runs)
    stop_where(runner, lambda: bool(listening()), what="the first service listens")

    runner.send_signal(signal.SIGTERM)
    runner.send_signal(signal.SIGCONT)
    output, _ = runner.communicate(timeout=60)

    assert runner.returncode == 4, output
    assert "SIGTERM from the operator" in output
    assert "Traceback" not in output
    assert not listening()
    assert not runs.exists(), "no run had begun"


def test_sigterm_while_the_system_starts_alone_leaves_nothing_of_it(runs: Path) -> None:
    starter = begin("up", "--target", "reference_system/one_region.yaml")
    stop_where(starter, lambda: bool(listening()), what="the first service listens")

    starter.send_signal(signal.SIGTERM)
    starter.send_signal(signal.SIGCONT)
    output, _ = starter.communicate(timeout=60)

    assert starter.returncode == 4, output
    assert not listening()


def test_signals_while_the_system_stops_do_not_keep_it_from_being_stopped(runs: Path) -> None:
    runner = begin_run(runs)
    wait_until((runs / "latest").exists, within_s=60, what="the run has a record")
    everybody = len(listening())
    runner.send_signal(signal.SIGINT)
    stop_where(runner, lambda: 0 < len(listening()) < everybody, what="the first service has ended")

    runner.send_signal(signal.SIGTERM)
    runner.send_signal(signal.SIGINT)
    runner.send_signal(signal.SIGCONT)
    output, _ = runner.communicate(timeout=60)

    assert runner.returncode == 4, output
    assert read_run(runs / "latest").sealed
    assert not listening()


def listening() -> list[int]:
    """The ports on which something of this system waits for connections, straight from the kernel's table: to look
    through all processes for whose sockets they are takes a tenth of a second, and this is asked all the time."""
    host = socket.inet_aton(LOOPBACK)[::-1].hex().upper()
    rows = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
    own = (local.split(":") for _, local, _, state, *_ in rows if state == LISTEN)
    return [int(port, 16) for address, port in own if address == host]
