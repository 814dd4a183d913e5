"""A run read back: typed, in run time, and the only thing that checks and reports may look at.

A run that died is readable up to its last flush; `sealed` says whether it was finished.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import msgspec
import numpy as np
import pandas as pd
import pyarrow as pa

from harness.errors import RecordError
from harness.plan import Plan
from harness.record import rows
from harness.units import dec_hook


@dataclass(frozen=True)
class Run:
    """A recorded run. Frames carry run time in seconds (`*_s`, zero at the start of the load) besides the raw columns."""

    folder: Path
    plan: Plan
    environment: rows.Environment
    events: tuple[rows.Event, ...]
    requests: pd.DataFrame  # rows.REQUESTS + scheduled_s, sent_s, finished_s, latency_s, service_s
    metrics: pd.DataFrame  # rows.METRICS + at_s
    logs: dict[str, tuple[dict[str, object], ...]]  # service → parsed JSON log lines with `at_s`
    journal: tuple[dict[str, object], ...]
    sealed: bool
    damage: tuple[str, ...]  # what is missing or does not match its checksum, in sentences


def read_run(folder: Path) -> Run:
    """Read a run's folder; RecordError where there is no readable plan or environment."""
    raise NotImplementedError


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


def runs(folder: Path) -> list[RunSummary]:
    """Summaries of all runs in a folder, oldest first; `latest` is not one of them."""
    raise NotImplementedError
