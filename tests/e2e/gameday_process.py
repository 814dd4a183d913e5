"""Runs `gameday` as a person would, in a process of its own, and reads what it left on disk."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pyarrow as pa

from harness.record.reader import Run, read_run
from harness.verify.verdict import Outcome, Verdict, Verdicts

PROJECT = Path(__file__).parents[2]
EXPERIMENTS = PROJECT / "experiments"
RUNTIME = os.environ.get("GAMEDAY_RUNTIME", "processes")  # where the matrix runs


@dataclass(frozen=True, kw_only=True)
class Finished:
    """A finished `gameday run`."""

    exit_code: int
    output: str
    runs: Path

    @property
    def folder(self) -> Path:
        return (self.runs / "latest").resolve()

    @property
    def run(self) -> Run:
        return read_run(self.folder)

    @property
    def verdicts(self) -> Verdicts:
        return msgspec.json.decode((self.folder / "verdicts.json").read_bytes(), type=Verdicts)

    def verdicts_of(self, check: str) -> list[Verdict]:
        return [verdict for verdict in self.verdicts.verdicts if verdict.check == check]

    def why_inconclusive(self) -> str:
        unsure = [verdict for verdict in self.verdicts.verdicts if verdict.outcome is Outcome.INCONCLUSIVE]
        return "\n".join(f"  {verdict.name}: {verdict.sentence}" for verdict in unsure)


def command(*arguments: str, loopback: str, runs: Path | None = None) -> list[str]:
    where = [] if runs is None else ["--runs", str(runs)]
    return [sys.executable, "-m", "harness.cli", *arguments, *where, "--loopback", loopback]


def run_experiment(
    name: str, *options: str, runs: Path, loopback: str, runtime: str = RUNTIME, timeout_s: float = 300.0
) -> Finished:
    """Run an experiment in its short form and wait for it."""
    arguments = ("run", str(EXPERIMENTS / f"{name}.yaml"), "--short", "--runtime", runtime, *options)
    done = subprocess.run(
        command(*arguments, runs=runs, loopback=loopback),
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    return Finished(exit_code=done.returncode, output=done.stdout + done.stderr, runs=runs)


def scheduled_requests(run: Run) -> int:
    """Rows on disk, counted without the reader."""
    total = 0
    for path in run.folder.glob("requests-*.arrow"):
        with path.open("rb") as file, pa.ipc.open_stream(file) as stream:
            total += sum(batch.num_rows for batch in stream)
    return total
