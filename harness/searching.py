"""A search as a sequence of ordinary runs: each is planned, recorded and judged alone, and only its verdict chooses the
next. Beside `gameday.py` and `judging.py` because it calls both; the choosing itself is `search/bisection.py`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import TypeGuard

import msgspec

from harness import gameday
from harness.errors import ExitCode, ExperimentError
from harness.experiment.expectations.check import Check
from harness.experiment.expectations.recovery import RecoveryCheck
from harness.experiment.expectations.slo import SloCheck
from harness.gameday import Place
from harness.judging import judge_run
from harness.plan import Plan
from harness.record.reader import Run
from harness.report.load_curve import load_curve_html
from harness.report.summary import summarise
from harness.runner import Progress
from harness.search.bisection import Ending, Search, next_rate
from harness.search.knee import JudgedBy, Knee, Point, Subject, knee_json, knee_of
from harness.units import PerSecond
from harness.verify import recovery, slo
from harness.verify.verdict import Outcome, Verdict, Verdicts

RATE = "rate"  # the variable of the experiment's file that is the arrival rate


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Which expectation is searched by, and what the runs measure: requests scheduled in `phase`."""

    judged_by: JudgedBy
    phase: str
    capacity: PerSecond | None = None  # what the whole target is known to do

    def asks(self, check: Check) -> TypeGuard[SloCheck | RecoveryCheck]:
        if self.judged_by == "recovery":
            return isinstance(check, RecoveryCheck)
        return isinstance(check, SloCheck) and check.phase == self.phase


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """A run of the search and its verdicts; `ended` is the exit code with which the whole search ends, if it has to,
    and `why` the reason."""

    run: Run
    verdicts: Verdicts
    ended: ExitCode | None = None
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Searched:
    """The result, and the exit code: that of a run that ended the search, and why, else whether there is an answer."""

    knee: Knee
    exit_code: ExitCode
    why: str = ""


def attempt(plan: Plan, place: Place, *, on_progress: Callable[[Progress], None]) -> Attempt:
    """Run a plan on a target of its own, unless one is up already, and judge it. A run that its stop condition ended
    decides nothing, and the search goes on; what the operator ended, or could not be driven or cleaned up, ends it."""
    result = gameday.run_plan(plan, place, on_progress=on_progress)
    judged = judge_run(result.folder)
    ends_all = judged.exit_code in (ExitCode.UNCLEAN, ExitCode.BROKEN) or result.stopped_by == "operator"
    ended = judged.exit_code if ends_all else None
    return Attempt(run=judged.run, verdicts=judged.verdicts, ended=ended, why=result.unclean or result.reason)


def subject_of(plan: Plan, question: Question) -> Subject:
    """What every point of the search has in common; ExperimentError where the plan cannot be searched by it."""
    if plan.variables.get(RATE) != str(plan.load.rate):
        raise ExperimentError(
            f"{plan.experiment}: its variable {RATE} is not the arrival rate, so a search cannot change that. Write "
            f'load: {{rate: "${{{RATE}}}", …}}.'
        )
    if plan.phase(question.phase) is None:
        known = ", ".join(span.name for span in plan.phases)
        raise ExperimentError(f'{plan.experiment}: has no phase "{question.phase}". It has: {known}.')
    asked = [check for check in plan.expect if question.asks(check)]
    if not asked:
        what = "a check recovery" if question.judged_by == "recovery" else f"a check slo of phase {question.phase}"
        raise ExperimentError(f"{plan.experiment}: expects nothing to search by; {what} is needed.")
    limits = [check.p99 for check in asked if isinstance(check, SloCheck) and check.p99 is not None]
    return Subject(
        experiment=plan.experiment,
        title=plan.title,
        target=plan.target.name,
        runtime=plan.runtime,
        defect=plan.defect,
        regions=len(plan.target.regions),
        replicas=sum(service.role == "api" for service in plan.target.services.values()),
        phase=question.phase,
        judged_by=question.judged_by,
        objectives=tuple(_name_of(check) for check in asked),
        p99_limit=min(limits, default=None),
        capacity=question.capacity,
    )


def find_knee(
    plan_at: Callable[[PerSecond], Plan],
    search: Search,
    question: Question,
    *,
    attempt: Callable[[Plan], Attempt],
    on_point: Callable[[Knee], None],
) -> Searched:
    """Run after run until the search is over, or until one ends it; `on_point` is told what is known after each.

    A rate that is tried again has a seed of its own, so that what holds twice does so for other arrivals too.
    """
    subject = subject_of(plan_at(search.low), question)
    knee = knee_of(subject, search, ())
    while (rate := next_rate(search, [point.trial for point in knee.points])) is not None:
        before = sum(point.rate == rate for point in knee.points)
        tried = attempt(_reseeded(plan_at(PerSecond(rate)), by=before))
        if tried.ended is not None:
            return Searched(knee=knee, exit_code=tried.ended, why=tried.why)
        knee = knee_of(subject, search, (*knee.points, _point(tried, question)))
        on_point(knee)
    return Searched(knee=knee, exit_code=ExitCode.PASS if knee.ending is Ending.FOUND else ExitCode.INCONCLUSIVE)


def _reseeded(plan: Plan, *, by: int) -> Plan:
    load = msgspec.structs.replace(plan.load, seed=plan.load.seed + by)
    return msgspec.structs.replace(plan, load=load)


def _name_of(check: SloCheck | RecoveryCheck) -> str:
    return slo.name_of(check) if isinstance(check, SloCheck) else recovery.name_of(check)


def _point(tried: Attempt, question: Question) -> Point:
    run = tried.run
    guilty = max(_asked(tried, question), key=lambda verdict: list(Outcome).index(verdict.outcome))
    phase = next(part for part in summarise(run, tried.verdicts).phases if part.name == question.phase)
    p99_s = phase.latency.p99_s
    return Point(
        rate=run.plan.load.rate,
        outcome=guilty.outcome,
        sentence=guilty.sentence,
        run=tried.verdicts.run_id,
        offered_per_s=phase.per_s(phase.offered),
        goodput_per_s=phase.per_s(phase.good),
        latency_p99_s=p99_s if p99_s is not None and isfinite(p99_s) else None,
        timed=phase.latency.samples,
    )


def _asked(tried: Attempt, question: Question) -> list[Verdict]:
    """The verdicts that the search goes by; that on the run itself has already been taken into account in them."""
    own = tried.verdicts.verdicts[1:]
    return [verdict for check, verdict in zip(tried.run.plan.expect, own, strict=True) if question.asks(check)]


def write_knee(knee: Knee, folder: Path) -> None:
    """knee.json and knee.html."""
    (folder / "knee.json").write_bytes(knee_json(knee))
    (folder / "knee.html").write_text(load_curve_html(knee), encoding="utf-8")
