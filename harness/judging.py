"""Record → verdicts → reports: the steps that need nothing but a run's folder.

Apart from the live steps because they load the scientific libraries: starting, stopping and the panic button do not
wait for those.
"""

from dataclasses import dataclass
from pathlib import Path

from harness.errors import ExitCode
from harness.record.reader import Run, read_run
from harness.report.summary import exit_code
from harness.report.write import write_reports
from harness.verify.judge import judge
from harness.verify.verdict import Verdicts


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A run with its verdicts, its report, and the exit code they come to."""

    run: Run
    verdicts: Verdicts
    report: Path
    exit_code: ExitCode


def judge_run(folder: Path) -> Judged:
    """Judge a record and write its reports; made from the record alone, so it can be repeated any time."""
    run = read_run(folder)
    verdicts = judge(run)
    report = write_reports(run, verdicts)
    return Judged(run=run, verdicts=verdicts, report=report, exit_code=exit_code(run, verdicts))
