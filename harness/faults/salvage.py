"""Reverts the faults that a journal leaves open, all at once, and shows through the data path that they are gone.

Standard library only: the guard runs it when its runner is dead, `gameday revert` when both are. Each fault gets
`ATTEMPTS` tries; what is still wrong then is STUCK, kept in the journal with the commands that repair it, and tried
again by the next one who comes along.
"""

import json
import os
import sys
import threading
import time
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from harness.faults import probes, procfs, undo, undo_container
from harness.faults.undo import Data

ATTEMPTS = 3
PAUSE_S = 0.3
PROBE_FOR_S = 1.5  # how long a path may take to answer again, per attempt
START_FOR_S = 6.0  # the same where a service was started
START_EACH_S = 1.0  # and for each other service that starts beside it, on a machine of few cores
HARMLESS = ("PLANNED", "VERIFIED")
UNREADABLE = {"undo": None, "place": "an unknown place", "deadline_ns": None, "probes": ()}


class Log:
    """A journal opened for appending by somebody who is not its runner."""

    def __init__(self, path: Path, *, by: str) -> None:
        self.path = path
        self._by = by
        self._lock = threading.Lock()

    def lines(self) -> list[dict[str, Any]]:
        """Every whole line; those that a dying writer left half-written are skipped."""
        lines = []
        for raw in self.path.read_bytes().split(b"\n"):
            try:
                line = json.loads(raw)
            except ValueError:
                continue
            if isinstance(line, dict) and "line" in line:
                lines.append(line)
        return lines

    def append(self, line: Mapping[str, Any]) -> None:
        """Make a line durable; OSError when the disk does not take it."""
        data = json.dumps({"at_ns": time.monotonic_ns(), **line}).encode() + b"\n"
        with self._lock:
            file = os.open(self.path, os.O_RDWR | os.O_APPEND)
            try:
                size = os.fstat(file).st_size
                if size and os.pread(file, 1, size - 1) != b"\n":
                    data = b"\n" + data
                os.write(file, data)
                os.fsync(file)
            finally:
                os.close(file)

    def transition(self, fault: str, state: str, detail: str = "") -> None:
        """The same for a fault. Undoing goes on when the disk is full: what was undone matters more than its trace."""
        try:
            self.append({"line": "fault", "by": self._by, "fault": fault, "state": state, "detail": detail})
        except OSError as error:
            print(f"{self.path}: {fault} is {state}, which could not be written down ({error})", file=sys.stderr)


def open_faults(lines: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Fault → its last ARMED line with its present `state`, for all that may still be in effect. `undo` is None where
    that line is damaged: a fault is only touched after it was written, so there was one."""
    armed: dict[str, dict[str, Any]] = {}
    last: dict[str, dict[str, Any]] = {}
    for line in lines:
        if line["line"] == "fault":
            last[line["fault"]] = line
            if line["state"] == "ARMED":
                armed[line["fault"]] = line
    return {
        fault: {
            **armed.get(fault, {**line, **UNREADABLE}),
            **{"state": line["state"], "state_at_ns": line["at_ns"], "state_by": line["by"]},
        }
        for fault, line in last.items()
        if line["state"] not in HARMLESS
    }


def target_is_gone(lines: list[dict[str, Any]]) -> bool:
    """Whether everything that ran when the snapshot was taken has ended since: then no fault can be left in it."""
    boots = [line["boot_id"] for line in lines if line["line"] == "opened"]
    if boots and boots[0] and boots[0] != _boot_id():
        return True
    snapshots = [line for line in lines if line["line"] == "snapshot"]
    processes = [process for snapshot in snapshots for process in snapshot["services"]]
    containers = [container for snapshot in snapshots for container in snapshot.get("containers", ())]
    if not processes and not containers:
        return False
    return not any(procfs.is_running(one["pid"], one["start_ticks"]) for one in processes) and not any(
        map(undo_container.is_there, containers)
    )


def revert_open_faults(path: Path, *, by: str, only: Collection[str] | None = None) -> dict[str, str]:
    """Revert all open faults of a journal (or `only` some), at the same time; fault → why it is stuck, empty if not.

    Where only some are reverted, others may still disturb the same paths, so there what is read back decides and the
    last word (VERIFIED) is left to whoever reverts the rest.
    """
    log = Log(path, by=by)
    lines = log.lines()
    faults = {name: fault for name, fault in open_faults(lines).items() if only is None or name in only}
    if target_is_gone(lines):
        for name in faults:
            log.transition(name, "VERIFIED", "the target has ended, and its faults with it")
        return dict.fromkeys(faults, "")
    servers = {one["url"]: one for line in lines if line["line"] == "snapshot" for one in line["toxiproxies"]}
    alone = only is None or set(open_faults(lines)) <= set(only)
    starts = sum(_starts_a_service(fault["undo"] or []) for fault in faults.values())
    results: dict[str, str] = {}
    reviving = threading.Lock()

    def work(name: str) -> None:
        results[name] = "its reverting did not end"
        if faults[name]["undo"] is None:
            results[name] = f"its line in {path} that says how to undo it is damaged: look there"
            log.transition(name, "STUCK", results[name])
            return
        results[name] = _Salvage(faults[name], log, servers, reviving, probing=alone, starts=starts).run()

    threads = [threading.Thread(target=work, args=(name,), daemon=True) for name in faults]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


class _Salvage:
    """One fault being reverted."""

    def __init__(
        self,
        fault: Data,
        log: Log,
        servers: Mapping[str, Data],
        reviving: threading.Lock,
        *,
        probing: bool,
        starts: int,
    ) -> None:
        self._fault = fault
        self._log = log
        self._servers = servers
        self._reviving = reviving
        self._probing = probing
        self._starts = starts  # services that are started at the same time, by all faults together
        # A runner that died while it reverted may have started the service a moment ago.
        may_be_starting = fault["state"] == "REVERTING"
        self._undo = [{**data, "may_be_starting": may_be_starting} for data in fault["undo"]]
        toxics = [data for data in self._undo if data["kind"] == "remove_toxic"]
        if toxics and not probing:
            self._undo = toxics  # whether the proxy is enabled is then another fault's business

    def run(self) -> str:
        """Why it is stuck; empty when it is gone."""
        name = self._fault["fault"]
        self._log.transition(name, "REVERTING")
        problem = ""
        for _ in range(ATTEMPTS):
            problem = self._undo_all() or self._still_wrong()
            if not problem and not self._probing:
                self._log.transition(name, "REVERTED", "read back; other faults are still active")
                return ""
            problem = problem or self._path_is_disturbed()
            if not problem:
                self._log.transition(name, "REVERTED")
                self._log.transition(name, "VERIFIED", "read back twice, and the path answers")
                return ""
            time.sleep(PAUSE_S)
        commands = "; ".join(undo.command(data) for data in self._undo)
        self._log.transition(name, "STUCK", f"{problem}. By hand: {commands}")
        return problem

    def _undo_all(self) -> str:
        problems = []
        for data in self._undo:
            try:
                if undo.wrong_now(data):
                    undo.execute(data)
            except (undo.FrozenError, undo.GoneError) as error:
                problems.append(self._revive(data, error))
            except (OSError, ValueError, KeyError) as error:
                problems.append(f"{data['kind']}: {error}")
        return "; ".join(filter(None, problems))

    def _still_wrong(self) -> str:
        """What reads back as wrong, looked at twice: a call that timed out may be carried out late."""
        for pause_s in (0.0, PAUSE_S):
            time.sleep(pause_s)
            try:
                wrong = "; ".join(filter(None, map(undo.wrong_now, self._undo)))
            except (OSError, undo.FrozenError, undo.GoneError) as error:
                return str(error)
            if wrong:
                return wrong
        return ""

    def _path_is_disturbed(self) -> str:
        patience_s = PROBE_FOR_S
        if _starts_a_service(self._undo):
            patience_s = START_FOR_S + START_EACH_S * (self._starts - 1)
        until_s = time.monotonic() + patience_s
        while problem := "; ".join(filter(None, map(_disturbed, self._fault["probes"]))):
            if time.monotonic() > until_s:
                return problem
            time.sleep(0.1)
        return ""

    def _revive(self, data: Data, error: Exception) -> str:
        """Start the fault's Toxiproxy anew, once for all faults on it."""
        server = self._servers.get(data.get("url", ""))
        if server is None:
            return str(error)
        with self._reviving:
            try:
                if not undo.answers(server["url"]):  # another fault's turn may have revived it
                    undo.revive(server)
            except (OSError, undo.FrozenError, undo.GoneError) as failure:
                return f"{error}, and reviving it failed: {failure}"
        return ""


def _starts_a_service(undos: list[dict[str, Any]]) -> bool:
    return any(data["kind"] in ("start_service", "start_container") for data in undos)


def _disturbed(probe: Data) -> str:
    where = f"{probe['host']}:{probe['port']}"
    answer = probes.ask(
        probe["protocol"], probe["host"], probe["port"], path=probe["path"], timeout_s=probe["within_s"] + 0.5
    )
    if not answer.answered:
        return f"{where} ({probe['protocol']}): {answer.signature}, {answer.detail}"
    if answer.round_trip_s is not None and answer.round_trip_s > probe["within_s"]:
        return f"{where} answers after {answer.round_trip_s:.3f}s, expected within {probe['within_s']:.3f}s"
    return ""


def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
