"""A run read back: typed, in run time, and the only thing that checks and reports may look at.

A run that died is readable up to its last flush; `sealed` says whether it was finished, `damage` what is missing.
Nothing is judged here.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from harness.clock import NS_PER_S
from harness.errors import RecordError
from harness.plan import FORMAT_VERSION as PLAN_VERSION
from harness.plan import Plan
from harness.record import rows
from harness.record.streams import read_streams
from harness.record.writer import ENVIRONMENT, EVENTS, JOURNAL, LOGS, PLAN, SEALED, evidence_files, sha256_of
from harness.units import dec_hook

VERDICTS = "verdicts.json"

T = TypeVar("T")


@dataclass(frozen=True)
class Run:
    """A recorded run. Frames carry run time in seconds (`*_s`, zero at the load's start) besides the raw columns."""

    folder: Path
    plan: Plan
    environment: rows.Environment
    events: tuple[rows.Event, ...]
    requests: pd.DataFrame  # rows.REQUESTS + scheduled_s, sent_s, finished_s, latency_s, service_s; by scheduled time
    metrics: pd.DataFrame  # rows.METRICS + at_s; by time
    logs: dict[str, tuple[dict[str, object], ...]]  # service → parsed JSON log lines with `at_s` (None: no time)
    journal: tuple[dict[str, object], ...]
    sealed: bool
    damage: tuple[str, ...]  # what is missing or does not match its checksum, in sentences


def read_run(folder: Path) -> Run:
    """Read a run's folder; RecordError where there is no readable plan or environment.

    Where the load never started, run time counts from the clock anchor, and `damage` says so.
    """
    folder = folder.resolve()
    if not folder.is_dir():
        raise RecordError(f"{folder}: there is no such run.")
    plan = _whole(folder / PLAN, Plan, version=PLAN_VERSION)
    environment = _whole(folder / ENVIRONMENT, rows.Environment, version=rows.FORMAT_VERSION)
    damage: list[str] = []
    sealed = _check_seal(folder, damage)
    events = tuple(_events(folder, damage))
    zero_ns = _zero_ns(events, environment, damage)
    return Run(
        folder=folder,
        plan=plan,
        environment=environment,
        events=events,
        requests=_requests(folder, zero_ns, damage),
        metrics=_metrics(folder, zero_ns, damage),
        logs=_logs(folder, environment, zero_ns),
        journal=tuple(_json_lines(folder / JOURNAL, dict[str, Any], damage)),
        sealed=sealed,
        damage=tuple(damage),
    )


# --- whole files ----------------------------------------------------------------------------------------------------


class _Versioned(msgspec.Struct, frozen=True):
    format_version: int = 0


def _whole(path: Path, wanted: type[T], *, version: int) -> T:
    """A JSON file as its type; RecordError if it is missing, of another format version, or damaged."""
    try:
        data = path.read_bytes()
        found = msgspec.json.decode(data, type=_Versioned).format_version
        if found != version:
            newer = "a newer" if found > version else "an older"
            raise RecordError(
                f"{path}: has format version {found}, {newer} one than this version of the tool reads ({version})."
            )
        return msgspec.json.decode(data, type=wanted, dec_hook=dec_hook)
    except FileNotFoundError as error:
        raise RecordError(f"{path}: is missing, so this is not a run's record.") from error
    except OSError as error:
        raise RecordError(f"{path}: cannot be read: {error.strerror or error}.") from error
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise RecordError(f"{path}: is damaged: {error}.") from error


def _check_seal(folder: Path, damage: list[str]) -> bool:
    """Whether there is a seal; every file that does not match it is told."""
    if not (folder / SEALED).exists():
        damage.append("The run is not sealed: it ended before its record was complete.")
        return False
    try:
        seal = _whole(folder / SEALED, rows.Seal, version=rows.FORMAT_VERSION)
    except RecordError as error:
        damage.append(str(error))
        return False
    present = set(evidence_files(folder))
    damage.extend(f"{name} is missing, but was sealed." for name in sorted(seal.files.keys() - present))
    damage.extend(f"{name} was added after the seal." for name in sorted(present - seal.files.keys()))
    for name in sorted(present & seal.files.keys()):
        sealed_bytes = seal.sizes[name] if name == JOURNAL else None  # undoing may go on after the seal
        if sha256_of(folder / name, first=sealed_bytes) != seal.files[name]:
            damage.append(f"{name} was changed after the seal.")
    return True


# --- lines ----------------------------------------------------------------------------------------------------------


def _json_lines(path: Path, wanted: Any, damage: list[str]) -> Iterator[Any]:
    """Each line of a file as `wanted`; lines that are none are left out and told. A missing file has no lines."""
    decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(wanted, dec_hook=dec_hook)
    lines = path.read_bytes().split(b"\n") if path.exists() else []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            yield decoder.decode(line)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            cut_off = number == len(lines)
            damage.append(
                f"{path.name} breaks off in line {number}: its writer died."
                if cut_off
                else f"{path.name}, line {number}, is damaged and left out ({error})."
            )


def _events(folder: Path, damage: list[str]) -> Iterator[rows.Event]:
    if not (folder / EVENTS).exists():
        damage.append(f"{EVENTS} is missing.")
    yield from _json_lines(folder / EVENTS, rows.Event, damage)


def _zero_ns(events: tuple[rows.Event, ...], environment: rows.Environment, damage: list[str]) -> int:
    for event in events:
        if isinstance(event, rows.RunStarted):
            return event.load_start_ns
    damage.append("The load never started.")
    return environment.clock.monotonic_ns


def _logs(folder: Path, environment: rows.Environment, zero_ns: int) -> dict[str, tuple[dict[str, object], ...]]:
    logs: dict[str, tuple[dict[str, object], ...]] = {}
    for path in sorted((folder / LOGS).glob("*.log")):
        lines = path.read_bytes().split(b"\n")
        logs[path.stem] = tuple(_log_line(line, environment, zero_ns) for line in lines if line.strip())
    return logs


def _log_line(line: bytes, environment: rows.Environment, zero_ns: int) -> dict[str, object]:
    """A JSON object as it is, anything else as {"text": …}; both with `at_s` in run time, or None without a time."""
    try:
        parsed: dict[str, object] = msgspec.json.decode(line, type=dict[str, Any])
    except (msgspec.MsgspecError, UnicodeDecodeError):
        parsed = {"text": line.decode(errors="replace")}
    at = parsed.get("at")
    if isinstance(at, bool) or not isinstance(at, int | float) or not math.isfinite(at):
        return {**parsed, "at_s": None}
    monotonic_ns = environment.clock.monotonic_of(int(at * NS_PER_S))
    return {**parsed, "at_s": (monotonic_ns - zero_ns) / NS_PER_S}


# --- frames ---------------------------------------------------------------------------------------------------------


def _requests(folder: Path, zero_ns: int, damage: list[str]) -> pd.DataFrame:
    """One row per scheduled request, by scheduled time. `sent_s` and `service_s` are NaN where it was never sent."""
    table, troubles = read_streams(folder.glob("requests-*.arrow"), rows.REQUESTS, later=rows.LATER_COLUMNS)
    damage.extend(troubles)
    frame = _frame(table, by="scheduled_ns")
    scheduled, sent, finished = (frame[f"{name}_ns"].to_numpy() for name in ("scheduled", "sent", "finished"))
    was_sent = sent != rows.NOT_SENT_NS
    return frame.assign(
        scheduled_s=(scheduled - zero_ns) / NS_PER_S,
        sent_s=np.where(was_sent, (sent - zero_ns) / NS_PER_S, np.nan),
        finished_s=(finished - zero_ns) / NS_PER_S,
        latency_s=(finished - scheduled) / NS_PER_S,
        service_s=np.where(was_sent, (finished - sent) / NS_PER_S, np.nan),
    )


def _metrics(folder: Path, zero_ns: int, damage: list[str]) -> pd.DataFrame:
    table, troubles = read_streams(folder.glob("metrics-*.arrow"), rows.METRICS)
    damage.extend(troubles)
    frame = _frame(table, by="at_ns")
    return frame.assign(at_s=(frame["at_ns"].to_numpy() - zero_ns) / NS_PER_S)


def _frame(table: pa.Table, *, by: str) -> pd.DataFrame:
    """The table sorted by a column; words as categoricals."""
    order = np.argsort(table.column(by).to_numpy(), kind="stable")
    if not np.array_equal(order, np.arange(len(order))):
        table = pc.take(table, pa.array(order))
    frame: pd.DataFrame = table.to_pandas()
    return frame


# --- summaries ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """One line of `gameday runs`; `problem` says why the rest is empty."""

    run_id: str
    folder: Path
    experiment: str
    title: str
    started_at: str
    sealed: bool
    outcome: str  # of verdicts.json, or empty
    problem: str


class _PlanHead(msgspec.Struct, frozen=True):
    experiment: str
    title: str


class _EnvironmentHead(msgspec.Struct, frozen=True):
    started_at: str


class _VerdictsHead(msgspec.Struct, frozen=True):
    outcome: str


def runs(folder: Path) -> list[RunSummary]:
    """Summaries of all runs in a folder, oldest first; `latest` is not one of them."""
    if not folder.is_dir():
        return []
    return [_summary(each) for each in sorted(folder.iterdir()) if each.is_dir() and not each.is_symlink()]


def _summary(folder: Path) -> RunSummary:
    """Reads the heads of the JSON files whatever their format version is."""
    experiment = title = started_at = outcome = problem = ""
    try:
        plan = msgspec.json.decode((folder / PLAN).read_bytes(), type=_PlanHead)
        experiment, title = plan.experiment, plan.title
        started_at = msgspec.json.decode((folder / ENVIRONMENT).read_bytes(), type=_EnvironmentHead).started_at
        if (folder / VERDICTS).exists():
            outcome = msgspec.json.decode((folder / VERDICTS).read_bytes(), type=_VerdictsHead).outcome
    except OSError as error:
        problem = f"{Path(error.filename or folder).name}: {error.strerror or error}"
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        problem = f"is damaged: {error}"
    return RunSummary(
        run_id=folder.name,
        folder=folder,
        experiment=experiment,
        title=title,
        started_at=started_at,
        sealed=(folder / SEALED).exists(),
        outcome=outcome,
        problem=problem,
    )
