"""Copies what the services logged during this run, and only that, into the run's folder."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class LogMark:
    """Where a service's log stood: device and inode (None if there was no file) and size in bytes."""

    source: Path
    file: tuple[int, int] | None
    size: int


def mark(sources: Mapping[str, Path]) -> dict[str, LogMark]:
    """Remember where each service's log file stands now; a file that does not exist yet counts as empty."""
    raise NotImplementedError


def collect(marks: Mapping[str, LogMark], into: Path) -> list[str]:
    """Write what came after the marks to `into/<service>.log`; returns sentences about what could not be copied."""
    raise NotImplementedError
