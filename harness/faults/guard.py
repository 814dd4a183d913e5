"""The guard: a process of its own that reverts every fault when the runner dies, hangs, or forgets one.

It is started before the first fault, in its own session, with a pipe to the runner and a lease that the runner renews
each second. It steps in when the pipe ends (the runner died, however it died), when the lease runs out (the runner is
stopped or stuck), and for a single fault whose own deadline has passed. It knows the journal and the standard library
and nothing else, so it works when everything else is broken.

The lease counts only while a fault is open. Once the guard has taken over, the runner must not inject any more
(`lease.py` and the journal say so); if the runner lives on, the guard stays until the pipe ends and then looks again.
It exits with 1 when something is stuck.
"""

import os
import select
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

if __name__ == "__main__":  # started with -I -S: no site-packages, no folder of ours on the path
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from harness.faults import procfs, salvage

LEASE_S = 5.0  # a runner that is silent for so long is taken for dead; a busy machine delays it by less
RENEWAL_S = 1.0  # how often the runner renews
LOOK_EVERY_S = 0.25
LINGER_S = 60.0  # how long to wait for a runner that was taken for dead and is not
REVERT_LIMIT_S = 20.0  # how long the runner's own reverting of one fault may take
assert RENEWAL_S * 3 < LEASE_S

READY = b"ready"
RENEW = b"."
RELEASE = b"r"


class Watch:
    """The guard's own side: one journal, one pipe, and what it has done so far."""

    def __init__(self, journal_path: Path) -> None:
        self._path = journal_path
        self._log = salvage.Log(journal_path, by="guard")
        self._lease_until_s = time.monotonic() + LEASE_S
        self._leave_at_s: float | None = None
        self._tried: set[str] = set()
        self.stuck: set[str] = set()
        self._size = -1
        self._faults: dict[str, dict[str, object]] = {}

    def run(self) -> None:
        """Watch until the runner releases us, or until it is gone and everything is reverted."""
        self._note("started")
        _say(READY)
        while True:
            word = _heard(within_s=LOOK_EVERY_S)
            if word == b"":
                return self._finish("the runner died")
            if word is not None and RELEASE in word:
                return self._finish("the runner left faults behind")
            if self._is_abandoned():
                return self._finish("the runner is still silent")
            self._watch_lease(renewed=word is not None)
            self._revert_overdue()

    def _watch_lease(self, *, renewed: bool) -> None:
        now_s = time.monotonic()
        if renewed or not self._open():
            self._lease_until_s = now_s + LEASE_S
        elif self._leave_at_s is None and now_s > self._lease_until_s:
            self._take_over(f"the runner has been silent for {LEASE_S:g}s")
            self._leave_at_s = time.monotonic() + LINGER_S

    def _is_abandoned(self) -> bool:
        return self._leave_at_s is not None and time.monotonic() > self._leave_at_s

    def _finish(self, why: str) -> None:
        if self._open():
            self._take_over(why)
        self._note("ended")

    def _take_over(self, why: str) -> None:
        self._note("taken_over", why)
        _say(b"taken over")
        self._report(why, salvage.revert_open_faults(self._path, by="guard"))

    def _revert_overdue(self) -> None:
        now_ns = time.monotonic_ns()
        overdue = {name for name, fault in self._open().items() if _is_overdue(fault, now_ns)} - self._tried
        if overdue:
            self._tried |= overdue
            self._report("past its deadline", salvage.revert_open_faults(self._path, by="guard", only=overdue))

    def _open(self) -> dict[str, dict[str, object]]:
        """The open faults; the journal is only read when it has grown."""
        size = self._path.stat().st_size
        if size != self._size:
            self._size, self._faults = size, salvage.open_faults(self._log.lines())
        return self._faults

    def _report(self, why: str, results: dict[str, str]) -> None:
        """For the person at the terminal, who has lost the runner."""
        self.stuck |= {fault for fault, problem in results.items() if problem}
        for fault, problem in results.items():
            outcome = f"STUCK: {problem}; see {self._path}, or run: gameday revert" if problem else "reverted"
            with suppress(OSError):
                os.write(2, f"gameday guard: {why}; {fault}: {outcome}\n".encode())

    def _note(self, action: str, detail: str = "") -> None:
        me = procfs.stat_of(os.getpid())
        ticks = 0 if me is None else me.start_ticks
        with suppress(OSError):  # a full disk must not keep us from reverting
            self._log.append(
                {"line": "guard", "action": action, "pid": os.getpid(), "start_ticks": ticks, "detail": detail}
            )


def _is_overdue(fault: dict[str, object], now_ns: int) -> bool:
    """Past the deadline; a fault that the runner is reverting gets time for that, and one that it has given up gets
    time for the runner to end and to leave the rest to us. A reverted one only lacks its proof."""
    state, since_ns, deadline_ns = fault["state"], fault["state_at_ns"], fault["deadline_ns"]
    assert isinstance(since_ns, int)
    if state == "REVERTED":
        return False
    if state in ("REVERTING", "STUCK"):
        return now_ns > since_ns + int(REVERT_LIMIT_S * 1e9)
    return isinstance(deadline_ns, int) and now_ns > deadline_ns


def _heard(*, within_s: float) -> bytes | None:
    """What the runner said: None for nothing, empty when the pipe has ended."""
    if not select.select([0], [], [], within_s)[0]:
        return None
    return os.read(0, 4096)


def _say(text: bytes) -> None:
    with suppress(OSError):  # the runner may be dead
        os.write(1, text + b"\n")


def main() -> None:
    """Guard the journal named by the only argument."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    watch = Watch(Path(sys.argv[1]))
    watch.run()
    sys.exit(1 if watch.stuck else 0)


if __name__ == "__main__":
    main()
