"""The runner's hold on its guard: start it, renew the lease, release it, notice when it is gone.

The guard itself is `guard.py`, another process. The runner must stop injecting and abort as soon as `alive` is false:
either the guard died, or it has taken over because it thinks the runner dead.
"""

import asyncio
import os
import select
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from harness.errors import FaultError, UncleanError
from harness.faults import guard, salvage

READY_WITHIN_S = 5.0
RELEASED_WITHIN_S = 20.0


class Guard:
    """A running guard of one journal. Use: `guard = Guard.start(path)`, `guard.hold()` as a task, `guard.release()`."""

    def __init__(self, journal_path: Path, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._journal_path = journal_path
        self._process = process
        self._tell = process.stdin
        self._hear = process.stdout
        self._taken_over = False

    @classmethod
    def start(cls, journal_path: Path) -> "Guard":
        """Start the guard and wait until it watches; raise FaultError when it does not come up."""
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", guard.__file__, str(journal_path.resolve())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
            cwd="/",
            start_new_session=True,
        )
        started = cls(journal_path, process)
        if not started._says_something(within_s=READY_WITHIN_S) or not started._listen().startswith(guard.READY):
            process.kill()
            started._end()
            raise FaultError(f"The guard of {journal_path} did not start; without it no fault may be injected.")
        return started

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Watching, and not taken over."""
        if self._process.poll() is not None:
            return False
        self._taken_over = self._taken_over or self._says_something(within_s=0.0)
        return not self._taken_over

    def renew(self) -> None:
        """Tell the guard that the runner lives; raise FaultError when the guard is gone or has taken over."""
        if not self.alive:
            what = "has taken over, as it had not heard from the runner" if self._taken_over else "has ended"
            raise FaultError(f"The guard of {self._journal_path} {what}: no fault may be active any more.")
        with suppress(OSError):  # it has ended in this very moment: the next renewal says so
            self._tell.write(guard.RENEW)

    async def hold(self) -> None:
        """Renew every second until cancelled; raise FaultError when the guard is gone or has taken over."""
        while True:
            self.renew()
            await asyncio.sleep(guard.RENEWAL_S)

    def release(self) -> None:
        """Let the guard end, at once if everything is verified as reverted; otherwise it reverts that first. Blocks, at
        most 20 s; may be repeated. Raise UncleanError when something is not shown to be reverted."""
        if not self._tell.closed:
            with suppress(OSError):  # it is gone already
                self._tell.write(guard.RELEASE)
        self._end()
        left = salvage.open_faults(salvage.Log(self._journal_path, by="runner").lines())
        if left:
            raise UncleanError(
                f"{', '.join(left)}: not shown to be reverted ({self._journal_path}). Run: gameday revert"
            )

    def _end(self) -> None:
        self._tell.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(RELEASED_WITHIN_S)
        self._hear.close()

    def _says_something(self, *, within_s: float) -> bool:
        return bool(select.select([self._hear], [], [], within_s)[0])

    def _listen(self) -> bytes:
        return os.read(self._hear.fileno(), 1024)
