"""Record → verdicts → reports: the steps that need nothing but a run's folder.

Apart from the live steps because they load the scientific libraries: starting, stopping and the panic button do not
wait for those.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from harness.clock import NS_PER_S
from harness.errors import ExitCode, ExperimentError
from harness.experiment.expectations.failover import FailoverCheck
from harness.plan import Plan
from harness.record.reader import Run, read_run
from harness.record.writer import Sample
from harness.report.post_mortem import post_mortem
from harness.report.summary import exit_code, summarise
from harness.report.write import write_reports
from harness.target.runbook import Runbook
from harness.target.target import TargetSpec
from harness.verify.consistency.recorded import history_of
from harness.verify.consistency.selftest import Noticed, Trial, selftest
from harness.verify.consistency.sound import sound_history
from harness.verify.diagnosis.diagnose import Finding, diagnose
from harness.verify.diagnosis.signals import Evidence, evidence_of
from harness.verify.failover import series
from harness.verify.failover.check import name_of
from harness.verify.failover.series import Series
from harness.verify.judge import judge
from harness.verify.memory import keep_freed_memory
from harness.verify.verdict import Verdicts
from harness.verify.windows import Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A run with its verdicts, its report, and the exit code they come to."""

    run: Run
    verdicts: Verdicts
    report: Path
    exit_code: ExitCode


def judge_run(folder: Path) -> Judged:
    """Judge a record and write its reports; made from the record alone, so it can be repeated any time."""
    keep_freed_memory()
    run = read_run(folder)
    verdicts = judge(run)
    report = write_reports(run, verdicts)
    return Judged(run=run, verdicts=verdicts, report=report, exit_code=exit_code(run, verdicts))


def judge_series(folders: Sequence[Path]) -> list[tuple[FailoverCheck, Series]]:
    """What runs of one experiment prove together about each of its fail-overs; ExperimentError where they are of
    several. Nothing is written."""
    keep_freed_memory()
    judged: list[Verdicts] = []
    plan: Plan | None = None
    for folder in folders:
        run = read_run(folder)
        plan = plan or run.plan
        if (run.plan.experiment, run.plan.expect, run.plan.defect) != (plan.experiment, plan.expect, plan.defect):
            raise ExperimentError(
                f"{folder}: is a run of {run.plan.experiment} and does not expect what {folders[0]}, a run of "
                f"{plan.experiment}, does. A series is of one experiment with one defect or none."
            )
        judged.append(judge(run))
    checks = [] if plan is None else [check for check in plan.expect if isinstance(check, FailoverCheck)]
    if not checks:
        raise ExperimentError("The runs expect no fail-over, so there is nothing to count.")
    return [(check, series.series_of(judged, name_of(check))) for check in checks]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """The negative controls of the consistency checks, on the history of `source`."""

    source: str
    trials: tuple[Trial, ...]

    @property
    def exit_code(self) -> ExitCode:
        """A check that did not notice what it has to, or one that noticed what is not its own, is broken itself."""
        noticed = {trial.noticed for trial in self.trials}
        if Noticed.WRONGLY in noticed:
            return ExitCode.FAIL
        return ExitCode.INCONCLUSIVE if Noticed.NO_OCCASION in noticed else ExitCode.PASS


def try_the_checks(folder: Path | None) -> Tried:
    """On a recorded run, or on a small history that is sound."""
    if folder is None:
        return Tried(source="a small sound history", trials=selftest(sound_history()))
    run = read_run(folder)
    return Tried(source=run.environment.run_id, trials=selftest(history_of(run)))


def draft_post_mortem(folder: Path) -> str:
    """As Markdown, with what the record tells; nothing is written."""
    keep_freed_memory()
    run = read_run(folder)
    runbook = run.plan.target.runbook
    findings = () if runbook is None else diagnose(evidence_of(run), run.plan.target)
    return post_mortem(run, summarise(run, judge(run)), findings, runbook)


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosed:
    """What a runbook finds on `source`."""

    source: str
    runbook: Runbook
    findings: tuple[Finding, ...]


def diagnose_run(folder: Path) -> Diagnosed:
    """The runbook that the run was recorded with, followed on its record."""
    run = read_run(folder)
    return _diagnosed(run.environment.run_id, evidence_of(run), run.plan.target)


def diagnose_samples(samples: Sequence[Sample], target: TargetSpec, *, for_s: float, usual: Path | None) -> Diagnosed:
    """The same on what a running target has just shown; `usual` is a run whose baseline says what is usual."""
    frame = pd.DataFrame(samples, columns=list(Sample._fields))
    start_ns = int(frame["at_ns"].min())
    frame["at_s"] = (frame["at_ns"] - start_ns) / NS_PER_S
    before = None if usual is None else evidence_of(read_run(usual)).usual
    evidence = Evidence(samples=frame, stretch=Window(name="watched", start_s=0.0, end_s=for_s), usual=before)
    return _diagnosed(f"{target.name}, watched for {for_s:g} s", evidence, target)


def _diagnosed(source: str, evidence: Evidence, target: TargetSpec) -> Diagnosed:
    if target.runbook is None:
        raise ExperimentError(f"{source}: its target file has no runbook to follow.")
    return Diagnosed(source=source, runbook=target.runbook, findings=diagnose(evidence, target))
