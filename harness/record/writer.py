"""Writes a run's evidence as it happens, in the types of `rows.py`, and seals it at the end.

Events are flushed one by one and samples once a second, so a run that dies is readable up to its last second. Request
files, the undo journal and the services' logs are written by others into the same folder; the seal covers them all.
"""

import hashlib
import os
import re
import secrets
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, NamedTuple

import msgspec
import pyarrow as pa

from harness.clock import NS_PER_S
from harness.errors import RecordError
from harness.plan import Plan
from harness.record import rows
from harness.record.streams import read_streams
from harness.units import enc_hook

PLAN = "plan.json"
ENVIRONMENT = "environment.json"
EVENTS = "events.jsonl"
JOURNAL = "journal.jsonl"
LOGS = "logs"
SEALED = "SEALED"
LATEST = "latest"

# What verdicts are made from; the seal covers it. All else in a run's folder is made from it, and replaceable.
EVIDENCE = (PLAN, ENVIRONMENT, EVENTS, JOURNAL, "requests-*.arrow", "metrics-*.arrow", f"{LOGS}/*.log")

LONGEST_NAME = 60  # of an experiment in a run's id; file systems allow 255 bytes a name
MOST_WORDS = 32_000  # in one file's dictionary column: its indices are int16

_encoder = msgspec.json.Encoder(enc_hook=enc_hook)


class Sample(NamedTuple):
    """One scraped sample, a row of `rows.METRICS`."""

    at_ns: int
    service: str
    metric: str
    labels: str
    value: float


def create_run_folder(runs: Path, *, name: str, at: datetime) -> Path:
    """Make `runs/2026-11-22T051108Z-<name>-7f3a/` (`at` in UTC), point `runs/latest` at it, and return it.

    The last four characters are random, so that two runs started in one second do not meet.
    """
    moment = at.astimezone(UTC).strftime("%Y-%m-%dT%H%M%SZ")
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:LONGEST_NAME] or "run"
    folder = runs / f"{moment}-{slug}-{secrets.token_hex(2)}"
    try:
        folder.mkdir(parents=True)
        _point_latest(runs, folder.name)
    except OSError as error:
        raise RecordError(f"{folder}: cannot be created: {error.strerror or error}.") from error
    return folder


def _point_latest(runs: Path, name: str) -> None:
    """Replace the link in one step, so that it always points at a run."""
    fresh = runs / f".{LATEST}-{name}"
    fresh.symlink_to(name, target_is_directory=True)
    fresh.replace(runs / LATEST)


class RunWriter:
    """Writes one run's folder; called from one asyncio loop. The folder's name is the run's id."""

    def __init__(self, folder: Path) -> None:
        """The folder must exist (`create_run_folder`)."""
        self.folder = folder
        self._events: IO[bytes] = (folder / EVENTS).open("ab")
        self._metrics = MetricsWriter(folder)

    @property
    def run_id(self) -> str:
        return self.folder.name

    def write_plan(self, plan: Plan) -> None:
        _write_whole(self.folder / PLAN, plan)

    def write_environment(self, environment: rows.Environment) -> None:
        _write_whole(self.folder / ENVIRONMENT, environment)

    def event(self, event: rows.Event) -> None:
        """Append to events.jsonl and flush."""
        self._events.write(_encoder.encode(event) + b"\n")
        self._events.flush()

    def metrics(self, samples: Iterable[Sample]) -> None:
        """Append to metrics-1.arrow; they reach the disk together, once a second of samples is there."""
        self._metrics.append(samples)

    def seal(self) -> rows.Seal:
        """Close everything, then write SEALED. Call when request files, journal and logs are complete too."""
        self.close()
        files = evidence_files(self.folder)
        outcomes = _outcomes(self.folder)
        seal = rows.Seal(
            files={name: sha256_of(self.folder / name) for name in files},
            sizes={name: (self.folder / name).stat().st_size for name in files},
            offered=sum(outcomes.values()),
            outcomes=outcomes,
        )
        _write_whole(self.folder / SEALED, seal)
        return seal

    def close(self) -> None:
        """Close the files without sealing (the run died); safe to repeat."""
        self._events.close()
        self._metrics.close()


class MetricsWriter:
    """Samples into Arrow streams of `rows.METRICS`: `metrics-1.arrow`, and a next file when a dictionary is full."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._number = 0
        self._file: IO[bytes] | None = None
        self._stream: pa.RecordBatchStreamWriter | None = None
        self._words: tuple[dict[str, int], ...] = ()
        self._waiting: list[Sample] = []
        pa.array(())  # the first one loads pandas: half a second in which a run could observe nothing

    def append(self, samples: Iterable[Sample]) -> None:
        self._waiting.extend(samples)
        if self._waiting and self._waiting[-1].at_ns - self._waiting[0].at_ns >= NS_PER_S:
            self.flush()

    def flush(self) -> None:
        """Write what is waiting as one record batch."""
        if not self._waiting:
            return
        samples, self._waiting = self._waiting, []
        if self._stream is None or any(len(words) + len(samples) > MOST_WORDS for words in self._words):
            self._next_file()
        assert self._stream is not None
        assert self._file is not None
        for start in range(0, len(samples), MOST_WORDS):
            self._stream.write_batch(self._batch(samples[start : start + MOST_WORDS]))
        self._file.flush()

    def close(self) -> None:
        """Write what is waiting and end the stream; safe to repeat."""
        self.flush()
        if self._stream is not None and self._file is not None:
            self._stream.close()
            self._file.close()
        self._stream = self._file = None

    def _next_file(self) -> None:
        if self._stream is not None and self._file is not None:
            self._stream.close()
            self._file.close()
        self._number += 1
        self._words = ({}, {}, {})
        self._file = (self._folder / f"metrics-{self._number}.arrow").open("xb")  # never over evidence
        options = pa.ipc.IpcWriteOptions(emit_dictionary_deltas=True)
        self._stream = pa.ipc.new_stream(self._file, rows.METRICS, options=options)

    def _batch(self, samples: list[Sample]) -> pa.RecordBatch:
        at_ns, *texts, values = zip(*samples, strict=True)
        encoded = [_encoded(column, words) for column, words in zip(texts, self._words, strict=True)]
        columns = [pa.array(at_ns, pa.int64()), *encoded, pa.array(values, pa.float64())]
        return pa.record_batch(columns, schema=rows.METRICS)


def _encoded(column: tuple[str, ...], words: dict[str, int]) -> pa.DictionaryArray:
    """The column by its dictionary, which only grows, so that the stream carries each word once."""
    indices = [words.setdefault(word, len(words)) for word in column]
    return pa.DictionaryArray.from_arrays(pa.array(indices, pa.int16()), pa.array(list(words), pa.string()))


def _write_whole(path: Path, value: msgspec.Struct) -> None:
    """Write a file that is there completely or not at all, even when the machine dies."""
    fresh = path.with_name(f".{path.name}")
    with fresh.open("wb") as file:
        file.write(msgspec.json.format(_encoder.encode(value), indent=1) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def evidence_files(folder: Path) -> list[str]:
    """The files of a run that a seal covers, relative to its folder."""
    files = (path for pattern in EVIDENCE for path in folder.glob(pattern) if path.is_file())
    return sorted(path.relative_to(folder).as_posix() for path in files)


def sha256_of(path: Path, *, first: int | None = None) -> str:
    """The checksum of a file, or of its first bytes."""
    with path.open("rb") as file:
        if first is None:
            return hashlib.file_digest(file, "sha256").hexdigest()
        return hashlib.sha256(file.read(first)).hexdigest()


def _outcomes(folder: Path) -> dict[str, int]:
    """How many requests ended in each way; all ways are named, so that a zero is seen."""
    counts = dict.fromkeys(map(str, rows.Outcome), 0)
    table, _ = read_streams(folder.glob("requests-*.arrow"), rows.REQUESTS, columns=["outcome"])
    for each in table.column("outcome").value_counts().to_pylist():
        counts[each["values"]] = each["counts"]
    return counts
