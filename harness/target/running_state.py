"""What is on disk about a running target, so that another process can look at it, drive it and stop it.

`target.json` says how every service is started and is written before the first one is; `identities.json` says which
process each of them is. Both are replaced whole, never rewritten in place.
"""

import fcntl
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from harness.errors import TargetError
from harness.target.identity import ProcessIdentity
from harness.target.spawn import noted_identity


class ServiceState(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How one service is started and stopped; the program and its environment have every variable filled in."""

    command: tuple[str, ...]
    environment: dict[str, str]
    stop_signal: int
    stop_grace_s: float
    level: int  # services of a lower level start earlier and stop later
    after: tuple[str, ...] = ()  # services that are started before this one

    @property
    def signal(self) -> signal.Signals:
        return signal.Signals(self.stop_signal)


class TargetState(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the whole target was started."""

    spec_path: str
    folder: str  # where commands run: the compose file's folder
    loopback: str
    data: str
    defect: str | None
    services: dict[str, ServiceState]


class StateFolder:
    """The files of one target."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.identities_path = self.folder / "identities.json"
        self._target_path = self.folder / "target.json"
        self._notes = self.folder / "starting"
        self._last_notes = self.folder / "ending"

    def log(self, service: str) -> Path:
        return self.folder / "logs" / f"{service}.log"

    def note(self, service: str) -> Path:
        """Where a process that is being started writes its number."""
        return self._notes / service

    def begin(self, state: TargetState) -> None:
        """Make the folders, empty the logs of an earlier system, and say what is about to start."""
        for folder in (self.folder, self.folder / "logs", self._notes):
            folder.mkdir(parents=True, exist_ok=True)
        for old in [*(self.folder / "logs").glob("*.log"), *self._notes.iterdir(), *self.last_notes()]:
            old.unlink()
        if self._last_notes.exists():
            self._last_notes.rmdir()
        self.identities_path.unlink(missing_ok=True)
        _replace(self._target_path, msgspec.json.format(msgspec.json.encode(state)))

    def read(self) -> TargetState | None:
        """None where nothing is up."""
        try:
            return msgspec.json.decode(self._target_path.read_bytes(), type=TargetState)
        except FileNotFoundError:
            return None
        except msgspec.DecodeError as error:
            raise TargetError(f"{self._target_path} is damaged: {error}. Is it from another version?") from error

    def identities(self) -> dict[str, ProcessIdentity]:
        """Service → its last known process, running or not.

        A damaged file counts as none: the notes still name every process that a runtime has started, and a target that
        could not be stopped any more would be worse.
        """
        try:
            return msgspec.json.decode(self.identities_path.read_bytes(), type=dict[str, ProcessIdentity])
        except (FileNotFoundError, msgspec.DecodeError):
            return {}

    def identity(self, service: str) -> ProcessIdentity | None:
        """The last known process; also one whose starter died before it could write it down."""
        return noted_identity(self.note(service)) or self.identities().get(service)

    def started(self, service: str, identity: ProcessIdentity) -> None:
        with _alone_in(self.folder):
            _replace(self.identities_path, msgspec.json.encode({**self.identities(), service: identity}))

    def forbid_starts(self) -> None:
        """From now on a process that was started but has not yet noted its number cannot, and so ends by itself."""
        if self._notes.exists():
            self._notes.replace(self._last_notes)

    def last_notes(self) -> list[Path]:
        """What had been noted until then."""
        return list(self._last_notes.glob("*"))

    def end(self) -> None:
        """Forget the target; its logs stay until the next one starts."""
        half_written = self.folder.glob("*.json.*.new")  # by a starter that was killed in that moment
        for path in [self._target_path, self.identities_path, *half_written, *self.last_notes()]:
            path.unlink(missing_ok=True)
        if self._last_notes.exists():
            self._last_notes.rmdir()


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """No guard that starts a service writes there meanwhile: two that read and then write lose one of the two."""
    lock = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _replace(path: Path, content: bytes) -> None:
    fresh = path.with_name(f"{path.name}.{os.getpid()}.new")
    fresh.touch(mode=0o600)  # environments hold secrets
    fresh.write_bytes(content)
    fresh.replace(path)
