"""Copies what the services logged during this run, and only that, into the run's folder.

A target that stays up between runs goes on writing the same files; the marks say where this run begins. Lines are
copied as they are and read later, by the record's reader.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class LogMark:
    """Where a service's log stood: device and inode (None if there was no file) and size in bytes."""

    source: Path
    file: tuple[int, int] | None
    size: int


def mark(sources: Mapping[str, Path]) -> dict[str, LogMark]:
    """Remember where each service's log file stands now; a file that does not exist yet counts as empty."""
    return {service: _mark(source) for service, source in sources.items()}


def whole(sources: Mapping[str, Path]) -> dict[str, LogMark]:
    """Marks at the very beginning, for a target that was started for this run: its start-up belongs to the record."""
    return {service: LogMark(source=source, file=None, size=0) for service, source in sources.items()}


def _mark(source: Path) -> LogMark:
    try:
        found = source.stat()
    except OSError:
        return LogMark(source=source, file=None, size=0)
    return LogMark(source=source, file=(found.st_dev, found.st_ino), size=found.st_size)


def collect(marks: Mapping[str, LogMark], into: Path) -> list[str]:
    """Write what came after the marks to `into/<service>.log`; returns sentences about what could not be copied."""
    into.mkdir(parents=True, exist_ok=True)
    troubles: list[str] = []
    for service, place in marks.items():
        try:
            trouble = _copy(place, into / f"{service}.log")
        except OSError as error:
            trouble = f"cannot be copied: {error.strerror or error}"
        if trouble:
            troubles.append(f"The log of {service} ({place.source}) {trouble}.")
    return troubles


def _copy(place: LogMark, into: Path) -> str:
    """Copy the part after the mark, up to the size that the file has now; what is doubtful about it, or nothing."""
    with place.source.open("rb") as source, into.open("wb") as copy:
        now = os.fstat(source.fileno())
        start, trouble = place.size, ""
        if place.file is not None and place.file != (now.st_dev, now.st_ino):
            start, trouble = 0, "was replaced during the run; lines before that are lost"
        elif now.st_size < place.size:
            start, trouble = 0, "was cut during the run; lines before that are lost"
        source.seek(start)
        left = now.st_size - start
        while left > 0 and (chunk := source.read(min(left, CHUNK_BYTES))):
            copy.write(chunk)
            left -= len(chunk)
    return trouble
