"""Writes a run's evidence as it happens: flushed, in the types of `rows.py`, and sealed at the end."""

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from harness.plan import Plan
from harness.record import rows


class Sample(NamedTuple):
    """One scraped sample, a row of `rows.METRICS`."""

    at_ns: int
    service: str
    metric: str
    labels: str
    value: float


def create_run_folder(runs: Path, *, name: str, at: datetime) -> Path:
    """Make `runs/2026-11-22T051108Z-<name>-7f3a/` (`at` in UTC), point `runs/latest` at it, and return it."""
    raise NotImplementedError


class RunWriter:
    """Writes one run's folder; called from one asyncio loop. The folder's name is the run's id."""

    def __init__(self, folder: Path) -> None:
        """The folder must exist (`create_run_folder`)."""
        self.folder = folder

    @property
    def run_id(self) -> str:
        return self.folder.name

    def write_plan(self, plan: Plan) -> None: ...

    def write_environment(self, environment: rows.Environment) -> None: ...

    def event(self, event: rows.Event) -> None:
        """Append to events.jsonl and flush."""

    def metrics(self, samples: Iterable[Sample]) -> None:
        """Append to metrics-1.arrow; one record batch per second of samples."""

    def seal(self) -> rows.Seal:
        """Close everything, then write SEALED. Call when request files and logs are complete too."""
        raise NotImplementedError

    def close(self) -> None:
        """Close the files without sealing (the run died); safe to repeat."""
