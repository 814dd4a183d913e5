"""Where the journals of a target's unfinished runs are, in whatever folder their records are kept.

A run that died leaves its link behind, so that its faults are found by whoever comes next and keeps records elsewhere.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from harness.faults import salvage
from harness.faults.revert import JOURNAL

FOLDER = "unfinished"


@contextmanager
def linked(state_dir: Path, run_folder: Path) -> Iterator[None]:
    """`<state_dir>/unfinished/<run>` leads to the run's folder until none of its faults may be in effect."""
    link = state_dir / FOLDER / run_folder.name
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(run_folder.resolve())
    try:
        yield
    finally:
        with suppress(OSError):
            if not salvage.open_faults(salvage.Log(run_folder / JOURNAL, by="runner").lines()):
                link.unlink()
