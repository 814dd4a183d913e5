"""One Locust process seen from outside: started in its own process group, spoken to over a socket, ended for sure."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
from asyncio.subprocess import Process
from collections.abc import Callable
from pathlib import Path

import msgspec

from harness.errors import LoadError
from harness.load.messages import SPEC_VARIABLE, Broken, Command, Done, Ready, Report, ShardSpec

PACKAGES = Path(__file__).resolve().parents[2]
LOCUSTFILE = Path(__file__).parent / "inside_locust" / "locustfile.py"
LOG_END_LINES = 20
NICENESS = -10  # the generator's punctuality comes before everything it measures

_DECODER: msgspec.json.Decoder[Report] = msgspec.json.Decoder(Report)


def _prefer(pid: int) -> None:
    """Run a process before others where we may (as root); a late generator would measure itself.

    Subtle: Linux groups processes by session for the scheduler, and a priority counts within its group only; so the
    shard's own session gets the priority too.
    """
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, pid, NICENESS)
        Path(f"/proc/{pid}/autogroup").write_text(str(NICENESS))


class ShardProcess:
    """`on_report` gets every message; `on_death` is called once if the process ends without having said Done."""

    def __init__(
        self,
        number: int,
        shards: int,
        *,
        plan_path: Path,
        run_folder: Path,
        entry_url: str,
        harness_defect: str | None,
        on_report: Callable[[int, Report], None],
        on_death: Callable[[int, str], None],
    ) -> None:
        self.number = number
        self._shards = shards
        self._plan_path, self._run_folder = plan_path.resolve(), run_folder.resolve()
        self._entry_url, self._harness_defect = entry_url, harness_defect
        self._on_report, self._on_death = on_report, on_death
        self._process: Process | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._watcher: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()
        self._done = False
        self._broken_by = ""

    @property
    def is_ready(self) -> bool:
        return self._ready.is_set()

    @property
    def reporting(self) -> bool:
        """Alive and not done: its next second will come."""
        return self._watcher is not None and not self._watcher.done() and not self._done

    async def start(self) -> None:
        """Start the process; it reports by itself from then on."""
        self._folder.mkdir(parents=True, exist_ok=True)
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                self._process = await self._started(theirs.fileno())
            _prefer(self._process.pid)
            reader, self._writer = await asyncio.open_unix_connection(sock=ours)
        except BaseException:
            ours.close()
            raise
        self._watcher = asyncio.create_task(self._watch(reader, self._process))

    async def _started(self, control_fd: int) -> Process:
        spec_path = self._write_spec(control_fd)
        with self._log_path.open("ab") as log:
            return await asyncio.create_subprocess_exec(
                *_command(self._entry_url),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self._folder,
                env=_environment(spec_path),
                pass_fds=(control_fd,),
                start_new_session=True,
            )

    async def until_ready(self) -> None:
        """LoadError with the log's end if the process ends first."""
        assert self._watcher is not None
        ready = asyncio.create_task(self._ready.wait())
        try:
            await asyncio.wait((ready, self._watcher), return_when=asyncio.FIRST_COMPLETED)
        finally:
            ready.cancel()
        if not self.is_ready:
            why = self._broken_by or "it ended before it was ready"
            raise LoadError(f"Load shard {self.number} could not start: {why}.\n{self.log_end()}")

    async def until_ended(self) -> None:
        if self._watcher is not None:
            await asyncio.wait((self._watcher,))

    def say(self, command: Command) -> None:
        """What a dead shard is told is lost; its death is an event already."""
        if self._writer is not None and not self._writer.is_closing():
            self._writer.write(msgspec.json.encode(command) + b"\n")

    def terminate(self) -> None:
        self._signal(signal.SIGTERM)

    def kill(self) -> None:
        self._signal(signal.SIGKILL)

    async def close(self) -> None:
        """After the end: give the socket back."""
        if self._writer is not None:
            self._writer.close()
            with contextlib.suppress(OSError):
                await self._writer.wait_closed()

    def log_end(self) -> str:
        """The last lines of the shard's log, with its path."""
        try:
            lines = self._log_path.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            lines = []
        return "\n".join([f"{self._log_path}:", *lines[-LOG_END_LINES:]])

    @property
    def _folder(self) -> Path:
        return self._run_folder / "load"

    @property
    def _log_path(self) -> Path:
        return self._folder / f"{self.number}.log"

    def _write_spec(self, control_fd: int) -> Path:
        path = self._folder / f"{self.number}.json"
        spec = ShardSpec(
            plan_path=str(self._plan_path),
            shard=self.number,
            shards=self._shards,
            run_folder=str(self._run_folder),
            entry_url=self._entry_url,
            control_fd=control_fd,
            harness_defect=self._harness_defect,
        )
        path.write_bytes(msgspec.json.encode(spec))
        return path

    def _signal(self, number: signal.Signals) -> None:
        """To the whole group; the leader is not yet waited for, so its number cannot be another's by now."""
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)

    async def _watch(self, reader: asyncio.StreamReader, process: Process) -> None:
        with contextlib.suppress(OSError):
            async for line in reader:
                self._take(_DECODER.decode(line))
        code = await process.wait()
        if not self._done:
            last = self.log_end() if code > 0 else ""
            self._on_death(self.number, "; ".join(filter(None, (self._broken_by, _how_it_ended(code), last))))

    def _take(self, report: Report) -> None:
        match report:
            case Ready():
                self._ready.set()
            case Done():
                self._done = True
            case Broken():
                self._broken_by = report.why
            case _:
                pass
        self._on_report(self.number, report)


def _command(entry_url: str) -> tuple[str, ...]:
    return (
        *(sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), "--headless", "--users", "1", "--spawn-rate", "1"),
        *("--host", entry_url, "--only-summary", "--loglevel", "WARNING", "--exit-code-on-error", "0"),
        *("--json-file", os.devnull),  # instead of its summary: a table without a row would hide the log's last words
    )


def _environment(spec_path: Path) -> dict[str, str]:
    """Ours, without what a person may have set for Locust runs of their own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LOCUST_")}
    path = os.pathsep.join(filter(None, (str(PACKAGES), kept.get("PYTHONPATH"))))
    return kept | {SPEC_VARIABLE: str(spec_path), "PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}


def _how_it_ended(code: int) -> str:
    if code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return f"ended with code {code} before it was done"
