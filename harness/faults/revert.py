"""The panic button: finds what dead runs left behind and reverts it, from their journals alone."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.faults import procfs, salvage, undo
from harness.faults.journal import State

JOURNAL = "journal.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftover:
    """A fault that is not shown to be reverted and that nobody looks after; or a journal that may say so of some, with
    the `problem` of reading it."""

    journal: Path
    run: str
    fault: str = ""
    place: str = ""
    state: State = State.STUCK
    commands: tuple[str, ...] = ()
    problem: str = ""

    def sentence(self) -> str:
        if self.problem:
            return f"What run {self.run} has left cannot be read ({self.problem}): look at {self.journal}"
        return f"{self.fault} of run {self.run} on {self.place} is {self.state} ({self.journal})"


@dataclass(frozen=True, slots=True, kw_only=True)
class RevertReport:
    """What was reverted, and what could not be shown to be."""

    reverted: tuple[Leftover, ...]
    stuck: tuple[Leftover, ...]


def leftovers(*folders: Path) -> list[Leftover]:
    """Faults in any `journal.jsonl` below the folders that may still be in effect and whose guard is not alive. Folders
    are those of records and of targets' states."""
    return [leftover for path in _journals(folders) for leftover in _leftovers_of(path)]


def revert_leftovers(*folders: Path) -> RevertReport:
    """Revert and verify all leftovers. Safe to repeat. Blocking, bounded to about 30 s a journal."""
    reverted: list[Leftover] = []
    stuck: list[Leftover] = []
    for path in _journals(folders):
        found = _leftovers_of(path)
        readable = [leftover for leftover in found if not leftover.problem]
        problems = salvage.revert_open_faults(path, by="revert") if readable else {}
        for leftover in found:
            (stuck if leftover.problem or problems.get(leftover.fault) else reverted).append(leftover)
    return RevertReport(reverted=tuple(reverted), stuck=tuple(stuck))


def _journals(folders: Iterable[Path]) -> list[Path]:
    """Every journal one or two levels below the folders, each once (`runs/latest` is a link)."""
    found = {
        path.resolve()
        for folder in folders
        for pattern in (JOURNAL, f"*/{JOURNAL}", f"*/*/{JOURNAL}")
        for path in folder.glob(pattern)
    }
    return sorted(found)


def _leftovers_of(path: Path) -> list[Leftover]:
    """One journal that nobody can read, of another version or of somebody else, does not hide those of the others."""
    try:
        return _read(path)
    except (OSError, KeyError, TypeError, ValueError) as error:
        return [Leftover(journal=path, run=path.parent.name, problem=f"{type(error).__name__}: {error}")]


def _read(path: Path) -> list[Leftover]:
    lines = salvage.Log(path, by="revert").lines()
    if _guard_is_alive(lines):
        return []
    runs = [line["run"] for line in lines if line["line"] == "opened"]
    return [
        Leftover(
            journal=path,
            run=runs[0] if runs else path.parent.name,
            fault=fault,
            place=line["place"],
            state=State(line["state"]),
            commands=tuple(undo.command(data) for data in line["undo"] or ()),
        )
        for fault, line in salvage.open_faults(lines).items()
    ]


def _guard_is_alive(lines: list[dict[str, Any]]) -> bool:
    guards = [line for line in lines if line["line"] == "guard" and line["action"] == "started"]
    return any(procfs.is_running(guard["pid"], guard["start_ticks"]) for guard in guards)
