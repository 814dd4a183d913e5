"""The panic button: finds what dead runs left behind and reverts it, from their journals alone."""

from dataclasses import dataclass
from pathlib import Path

from harness.faults.journal import State


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftover:
    """A fault that is not shown to be reverted and that nobody looks after."""

    journal: Path
    run: str
    fault: str
    place: str
    state: State
    commands: tuple[str, ...]

    def sentence(self) -> str:
        return f"{self.fault} of run {self.run} on {self.place} is {self.state} ({self.journal})"


@dataclass(frozen=True, slots=True, kw_only=True)
class RevertReport:
    """What was reverted, and what could not be shown to be."""

    reverted: tuple[Leftover, ...]
    stuck: tuple[Leftover, ...]


def leftovers(runs_folder: Path, state_dir: Path | None = None) -> list[Leftover]:
    """Faults in any `journal.jsonl` below either folder that may still be in effect and whose guard is not alive."""
    raise NotImplementedError


def revert_leftovers(runs_folder: Path, state_dir: Path | None = None) -> RevertReport:
    """Revert and verify all leftovers. Safe to repeat. Blocking, bounded to about 30 s a journal."""
    raise NotImplementedError
