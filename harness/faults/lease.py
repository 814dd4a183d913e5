"""The runner's hold on its guard: start it, renew the lease, release it, notice when it is gone.

The guard itself is `guard.py`, another process. The runner must stop injecting and abort as soon as `alive` is false:
either the guard died, or it has taken over because it thinks the runner dead.
"""

from pathlib import Path


class Guard:
    """A running guard of one journal. Use: `guard = Guard.start(path)`, a task with `guard.hold()`, `guard.release()`."""

    @classmethod
    def start(cls, journal_path: Path) -> "Guard":
        """Start the guard and wait until it watches; raise FaultError when it does not come up."""
        raise NotImplementedError

    def renew(self) -> None:
        """Tell the guard that the runner lives; raise FaultError when the guard is gone or has taken over."""
        raise NotImplementedError

    async def hold(self) -> None:
        """Renew every second until cancelled; raise FaultError when the guard is gone or has taken over."""
        raise NotImplementedError

    def release(self, *, timeout_s: float = 20.0) -> None:
        """Let the guard end. Safe at any time: it first reverts what is not verified as reverted. Blocks until it
        ended; raise UncleanError when it could not revert something."""
        raise NotImplementedError

    @property
    def alive(self) -> bool:
        """Watching, and not taken over."""
        raise NotImplementedError
