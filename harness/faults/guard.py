"""The guard: a process of its own that reverts every fault when the runner dies, hangs, or forgets one.

It is started before the first fault, in its own session, with a pipe to the runner and a lease that the runner renews
each second. It steps in when the pipe ends (the runner died, however it died), when the lease runs out (the runner is
stopped or stuck), and for a single fault whose own deadline has passed. It knows the journal and the standard library
and nothing else, so it works when everything else is broken. The class `Guard` is the runner's handle on it.

Once it has taken over, the runner must not inject any more (`Guard.alive` is false, and the journal says so); if the
runner lives on, the guard stays until the pipe ends and then looks again.
"""

import os
import select
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

if __name__ == "__main__":  # started with -I -S: no site-packages, no folder of ours on the path
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from harness.errors import FaultError
from harness.faults import procfs, salvage

LEASE_S = 5.0  # a runner that is silent for so long is taken for dead; a busy machine delays it by less
RENEWAL_S = 1.0  # how often the runner renews
LOOK_EVERY_S = 0.25
LINGER_S = 60.0  # how long to wait for a runner that was taken for dead and is not
REVERT_LIMIT_S = 20.0  # how long the runner's own reverting of one fault may take
READY_WITHIN_S = 5.0
RELEASED_WITHIN_S = 20.0
assert RENEWAL_S * 3 < LEASE_S

RENEW = b"."
RELEASE = b"r"


class Guard:
    """The runner's handle: `start()` before the first fault, `renew()` each second, `release()` at the end."""

    def __init__(self, journal_path: Path) -> None:
        self._journal_path = journal_path
        self._process: subprocess.Popen[bytes] | None = None
        self._taken_over = False

    def start(self) -> None:
        """Start the guard process and wait until it watches; FaultError when it does not come up."""
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", __file__, str(self._journal_path.resolve())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            cwd="/",
            start_new_session=True,
        )
        if not self._said_something(within_s=READY_WITHIN_S) or not self._read().startswith(b"ready"):
            self._process.kill()
            self._process.wait()
            raise FaultError(f"The guard of {self._journal_path} did not start; without it no fault may be injected.")

    def renew(self) -> None:
        """Tell the guard that the runner lives. Never raises; look at `alive`."""
        self._tell(RENEW)

    @property
    def alive(self) -> bool:
        """Whether it watches: the process runs and has not taken over."""
        if self._process is None or self._process.poll() is not None:
            return False
        if not self._taken_over and self._said_something(within_s=0.0):
            self._taken_over = True
        return not self._taken_over

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    def release(self) -> None:
        """Let it end, at once if every fault is verified as reverted; else it reverts what is left first. Blocks until
        then, at most 20 s, and may be called again."""
        if self._process is None:
            return
        self._tell(RELEASE)
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(RELEASED_WITHIN_S)
        self._process = None

    def _tell(self, word: bytes) -> None:
        if self._process is not None and self._process.stdin is not None:
            with suppress(OSError, ValueError):  # a guard that is gone shows in `alive`
                self._process.stdin.write(word)

    def _said_something(self, *, within_s: float) -> bool:
        assert self._process is not None
        assert self._process.stdout is not None
        return bool(select.select([self._process.stdout], [], [], within_s)[0])

    def _read(self) -> bytes:
        assert self._process is not None
        assert self._process.stdout is not None
        return os.read(self._process.stdout.fileno(), 1024)


class Watch:
    """The guard's own side: one journal, one pipe, and what it has done so far."""

    def __init__(self, journal_path: Path) -> None:
        self._path = journal_path
        self._log = salvage.Log(journal_path, by="guard")
        self._lease_until_s = time.monotonic() + LEASE_S
        self._leave_at_s: float | None = None
        self._tried: set[str] = set()
        self._size = -1
        self._faults: dict[str, dict[str, object]] = {}

    def run(self) -> None:
        """Watch until the runner releases us, or until it is gone and everything is reverted."""
        self._note("started")
        _say("ready")
        while True:
            word = _heard(within_s=LOOK_EVERY_S)
            now_s = time.monotonic()
            if word == b"":
                self._finish("the runner died")
                return
            if word is not None and RELEASE in word:
                self._finish("the runner left faults behind")
                return
            if word is not None:
                self._lease_until_s = now_s + LEASE_S
            elif self._leave_at_s is None and now_s > self._lease_until_s:
                self._take_over(f"the runner has been silent for {LEASE_S:g}s")
                self._leave_at_s = time.monotonic() + LINGER_S
            elif self._leave_at_s is not None and now_s > self._leave_at_s:
                self._finish("the runner is still silent")
                return
            self._revert_overdue()

    def _finish(self, why: str) -> None:
        if self._open():
            self._take_over(why)
        self._note("ended")

    def _take_over(self, why: str) -> None:
        self._note("taken_over", why)
        _say(f"taken over: {why}")
        _report(self._path, why, salvage.revert_open_faults(self._path, by="guard"))

    def _revert_overdue(self) -> None:
        now_ns = time.monotonic_ns()
        overdue = {name for name, fault in self._open().items() if _is_overdue(fault, now_ns)} - self._tried
        if overdue:
            self._tried |= overdue
            _report(self._path, "past its deadline", salvage.revert_open_faults(self._path, by="guard", only=overdue))

    def _open(self) -> dict[str, dict[str, object]]:
        """The open faults; the journal is only read when it has grown."""
        size = self._path.stat().st_size
        if size != self._size:
            self._size, self._faults = size, salvage.open_faults(self._log.lines())
        return self._faults

    def _note(self, action: str, detail: str = "") -> None:
        me = procfs.stat_of(os.getpid())
        ticks = 0 if me is None else me.start_ticks
        with suppress(OSError):  # a full disk must not keep us from reverting
            self._log.append(
                {"line": "guard", "action": action, "pid": os.getpid(), "start_ticks": ticks, "detail": detail}
            )


def _is_overdue(fault: dict[str, object], now_ns: int) -> bool:
    """Past the deadline; a fault that the runner is reverting gets time for that, and for the proof that it is gone."""
    state, since_ns, deadline_ns = fault["state"], fault["state_at_ns"], fault["deadline_ns"]
    assert isinstance(since_ns, int)
    if state in ("REVERTING", "REVERTED"):
        return now_ns > since_ns + int(REVERT_LIMIT_S * 1e9)
    return isinstance(deadline_ns, int) and now_ns > deadline_ns


def _heard(*, within_s: float) -> bytes | None:
    """What the runner said: None for nothing, empty when the pipe has ended."""
    if not select.select([0], [], [], within_s)[0]:
        return None
    return os.read(0, 4096)


def _say(text: str) -> None:
    with suppress(OSError):  # the runner may be dead
        os.write(1, f"{text}\n".encode())


def _report(path: Path, why: str, results: dict[str, str]) -> None:
    """For the person at the terminal, who has lost the runner."""
    with suppress(OSError):
        for fault, problem in results.items():
            outcome = f"STUCK: {problem}; see {path}, or run: gameday revert" if problem else "reverted"
            os.write(2, f"gameday guard: {why}; {fault}: {outcome}\n".encode())


def main() -> None:
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    Watch(Path(sys.argv[1])).run()


if __name__ == "__main__":
    main()
