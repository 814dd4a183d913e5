"""The undo log of a run's faults: what is about to be done and how to undo it, on disk before it is done.

Write-ahead, JSON lines, one `fsync` each, appended by the runner, by the guard and by `gameday revert`. An undo is
data, not code, so that the guard can execute it with nothing but the standard library. A line that a dying writer left
half-written is skipped: its fault was not touched yet, because a fault is only touched once its line is durable.
This module knows nothing of Toxiproxy or processes; `undo.py` executes what is written here.
"""

import os
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

import msgspec

from harness import clock
from harness.errors import FaultError
from harness.target.running_target import StartCommand

Writer = Literal["runner", "guard", "revert"]
Protocol = Literal["redis", "postgres", "http", "tcp"]


class State(StrEnum):
    """How far a fault is. PLANNED: nothing done. ARMED: undo durable, may be injected any moment. VERIFIED: shown to be
    gone through the data path. STUCK: could not be shown to be gone, a person has to look."""

    PLANNED = "PLANNED"
    ARMED = "ARMED"
    INJECTED = "INJECTED"
    REVERTING = "REVERTING"
    REVERTED = "REVERTED"
    VERIFIED = "VERIFIED"
    STUCK = "STUCK"


HARMLESS = frozenset({State.PLANNED, State.VERIFIED})


class _Data(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


class RemoveToxic(_Data, frozen=True, kw_only=True, tag_field="kind", tag="remove_toxic"):
    url: str
    proxy: str
    toxic: str


class RestoreProxy(_Data, frozen=True, kw_only=True, tag_field="kind", tag="restore_proxy"):
    """The proxy exists, forwards from `listen` to `upstream`, and is enabled as it was before."""

    url: str
    proxy: str
    listen: str
    upstream: str
    enabled: bool


class Resume(_Data, frozen=True, kw_only=True, tag_field="kind", tag="resume"):
    """The process (and its descendants) goes on. `start_ticks` is its start in clock ticks since boot, so that a later
    process with the same number is left alone even when the wall clock was set."""

    service: str
    pid: int
    start_ticks: int


class StartService(_Data, frozen=True, kw_only=True, tag_field="kind", tag="start_service"):
    """The service runs: either it never died, or somebody started it again, or it is started now."""

    service: str
    host: str
    port: int
    pid: int
    start_ticks: int
    start: StartCommand


class StartContainer(_Data, frozen=True, kw_only=True, tag_field="kind", tag="start_container"):
    """The container runs. `engine` is the address of the engine it is on."""

    service: str
    engine: str
    id: str


class RemoveContainer(_Data, frozen=True, kw_only=True, tag_field="kind", tag="remove_container"):
    """There is no container of this name, which is one of our own: it was made to empty the service's volumes."""

    service: str
    engine: str
    name: str


class UnpauseContainer(_Data, frozen=True, kw_only=True, tag_field="kind", tag="unpause_container"):
    service: str
    engine: str
    id: str


class ConnectNetwork(_Data, frozen=True, kw_only=True, tag_field="kind", tag="connect_network"):
    """The container is in the network as it was: `endpoint` is what the engine is told about it."""

    service: str
    engine: str
    id: str
    network: str
    endpoint: dict[str, Any]


class RestoreLimits(_Data, frozen=True, kw_only=True, tag_field="kind", tag="restore_limits"):
    """What the container may use: billionths of a CPU, bytes, bytes with swap."""

    service: str
    engine: str
    id: str
    nano_cpus: int
    memory: int
    memory_swap: int


Undo = (
    RemoveToxic
    | RestoreProxy
    | Resume
    | StartService
    | StartContainer
    | RemoveContainer
    | UnpauseContainer
    | ConnectNetwork
    | RestoreLimits
)


class Probe(_Data, frozen=True, kw_only=True):
    """A data path that must answer once the fault is gone, in at most `within_s` a round trip."""

    protocol: Protocol
    host: str
    port: int
    path: str = "/"
    within_s: float = 1.0


class Process(_Data, frozen=True, kw_only=True):
    service: str
    pid: int
    start_ticks: int


class Container(_Data, frozen=True, kw_only=True):
    """A container and which of its lives, as the engine says."""

    service: str
    engine: str
    id: str
    started_at: str


class Toxiproxy(_Data, frozen=True, kw_only=True):
    """A Toxiproxy server as it was: what it needs to be started again, and its proxies as the API showed them."""

    url: str
    service: str
    process: Process | None
    start: StartCommand | None
    proxies: tuple[RestoreProxy, ...]
    container: Container | None = None


class Opened(_Data, frozen=True, kw_only=True, tag_field="line", tag="opened"):
    """First line: whose journal it is. Toxics are named `<run>-<fault>…`; process numbers hold for this boot only."""

    at_ns: int
    run: str
    boot_id: str


class Snapshot(_Data, frozen=True, kw_only=True, tag_field="line", tag="snapshot"):
    """The state that everything has to return to, taken before the first fault; `services` are all processes that ran,
    `containers` all containers."""

    at_ns: int
    toxiproxies: tuple[Toxiproxy, ...]
    services: tuple[Process, ...]
    containers: tuple[Container, ...] = ()


class Entry(_Data, frozen=True, kw_only=True, tag_field="line", tag="fault"):
    """A fault's transition. ARMED carries the undo, the probes that show it gone, and the guard's own deadline."""

    at_ns: int
    by: Writer
    fault: str
    state: State
    place: str = ""
    deadline_ns: int | None = None
    undo: tuple[Undo, ...] = ()
    probes: tuple[Probe, ...] = ()
    detail: str = ""


class GuardLine(_Data, frozen=True, kw_only=True, tag_field="line", tag="guard"):
    """The guard's life: started, taken over (and why), ended."""

    at_ns: int
    action: Literal["started", "taken_over", "ended"]
    pid: int
    start_ticks: int
    detail: str = ""


Line = Opened | Snapshot | Entry | GuardLine

_ENCODER = msgspec.json.Encoder()
_DECODER: msgspec.json.Decoder[Line] = msgspec.json.Decoder(Line)


class Journal:
    """The runner's end of a run's journal. Other processes append to the same file; `lines()` sees them too."""

    def __init__(self, path: Path, *, run: str = "", by: Writer = "runner") -> None:
        """Open or create the journal of a run (named as its folder where not said); FaultError when that fails."""
        self.path = path
        self.run = run or path.resolve().parent.name
        self.by: Writer = by
        is_new = not path.exists()
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)  # environments hold secrets
        except OSError as error:
            raise FaultError(f"{path}: the fault journal cannot be opened ({error}); nothing was injected.") from error
        if is_new:
            _fsync_folder(path.parent)
            self.append(Opened(at_ns=clock.now_ns(), run=self.run, boot_id=boot_id()))

    def append(self, line: Line) -> None:
        """Make one line durable; raise FaultError when the disk does not take it."""
        data = _ENCODER.encode(line) + b"\n"
        try:
            if not _ends_with_newline(self._file):
                data = b"\n" + data
            written = os.write(self._file, data)
            if written != len(data):
                raise OSError(f"only {written} of {len(data)} bytes were written")
            os.fsync(self._file)
        except OSError as error:
            raise FaultError(f"{self.path}: the fault journal cannot be written ({error}).") from error

    def transition(
        self,
        fault: str,
        state: State,
        *,
        place: str = "",
        deadline_ns: int | None = None,
        undo: tuple[Undo, ...] = (),
        probes: tuple[Probe, ...] = (),
        detail: str = "",
    ) -> None:
        self.append(
            Entry(
                at_ns=clock.now_ns(),
                by=self.by,
                fault=fault,
                state=state,
                place=place,
                deadline_ns=deadline_ns,
                undo=undo,
                probes=probes,
                detail=detail,
            )
        )

    def lines(self) -> tuple[Line, ...]:
        return read_journal(self.path)

    def taken_over(self) -> str | None:
        """Why the guard has taken over, or None while it has not. The runner must not inject any more then."""
        reasons = [line.detail for line in self.lines() if isinstance(line, GuardLine) and line.action == "taken_over"]
        return reasons[-1] if reasons else None

    def close(self) -> None:
        os.close(self._file)


def read_journal(path: Path) -> tuple[Line, ...]:
    """All whole lines of a journal, in order."""
    lines: list[Line] = []
    for raw in path.read_bytes().split(b"\n"):
        try:
            lines.append(_DECODER.decode(raw))
        except msgspec.DecodeError:
            continue  # empty, or left half-written by a writer that died
    return tuple(lines)


def last_states(lines: Iterable[Line]) -> dict[str, Entry]:
    """The last transition of each fault."""
    return {line.fault: line for line in lines if isinstance(line, Entry)}


def boot_id() -> str:
    """The kernel's name for this boot; empty where there is none."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def _ends_with_newline(file: int) -> bool:
    size = os.fstat(file).st_size
    return size == 0 or os.pread(file, 1, size - 1) == b"\n"


def _fsync_folder(folder: Path) -> None:
    file = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
