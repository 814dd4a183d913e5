"""All numbers of a report, chosen once, so that HTML, Markdown and JUnit cannot disagree.

Made from the record and its verdicts alone. It judges nothing: outcomes are the verdicts', and the sentences at the top
repeat what they say and what the record shows for it.
"""

from dataclasses import dataclass

import msgspec
import numpy as np

from harness.errors import ExitCode
from harness.experiment.expectations.slo import SloCheck
from harness.record.reader import Run
from harness.record.rows import Outcome as Ending
from harness.report import headline, story, wording
from harness.report.counts import ERRORS, Columns, Mask, Slice, columns_of, good_mask, slice_of
from harness.report.failovers import Failover, failovers_of
from harness.report.hurt import who_was_hurt
from harness.report.incident import Incident, incident_of
from harness.report.series import Series, series_of
from harness.report.story import FaultStory, Happening, LevelCourse
from harness.verify.verdict import Outcome, Verdict, Verdicts

DEFAULT_WITHIN_S = 1.0  # the default of an objective's `within`: what counts as good where no objective says otherwise
EXIT_MEANINGS = {
    ExitCode.PASS: "every expectation held",
    ExitCode.FAIL: "the system under test broke an expectation",
    ExitCode.INCONCLUSIVE: "the evidence does not decide; this is neither a pass nor a fail",
    ExitCode.STOPPED: "stopped before its end by a stop condition or by the operator, and clean",
    ExitCode.BROKEN: "the harness or the target could not be driven to the end of the plan",
    ExitCode.UNCLEAN: "a fault could not be shown to be reverted: the target may still be disturbed",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """Something left inconclusive, why, and how many samples would have decided it."""

    name: str
    why: str
    needed_samples: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What every format of the report shows. Times in seconds of run time, rates in requests a second."""

    run_id: str
    experiment: str
    title: str
    hypothesis: str
    outcome: Outcome
    exit_code: ExitCode
    headline: str
    incident: Incident | None
    hurt: str
    trust: str
    trusted: bool
    tally: dict[Outcome, int]
    verdicts: tuple[Verdict, ...]
    doubts: tuple[Doubt, ...]
    warnings: tuple[str, ...]
    planned_s: float
    reached_s: float
    good_within_s: float
    whole: Slice
    errors: tuple[tuple[str, int], ...]
    phases: tuple[Slice, ...]
    priorities: tuple[Slice, ...]
    operations: tuple[Slice, ...]
    faults: tuple[FaultStory, ...]
    failovers: tuple[Failover, ...]
    levels: tuple[LevelCourse, ...]
    alerts: tuple[Happening, ...]
    services: tuple[Happening, ...]
    environment: tuple[tuple[str, str], ...]
    series: Series

    @property
    def exit_meaning(self) -> str:
        return EXIT_MEANINGS[self.exit_code]

    @property
    def adds_up(self) -> bool:
        """Whether every offered request has exactly one ending."""
        return sum(self.whole.outcomes.values()) == self.whole.offered


def summarise(run: Run, verdicts: Verdicts) -> Summary:
    columns = columns_of(run.requests)
    within_s = good_within_s(run)
    good = good_mask(columns, within_s)
    reached_s = story.reached_s(run)
    series = series_of(run, columns, good, end_s=reached_s)
    faults = story.faults_of(run)
    everything = np.ones(len(columns.scheduled_s), dtype=np.bool_)
    whole = slice_of(columns, everything, good, name="whole run", seconds=reached_s)
    return Summary(
        run_id=verdicts.run_id,
        experiment=run.plan.experiment,
        title=run.plan.title,
        hypothesis=run.plan.hypothesis,
        outcome=verdicts.outcome,
        exit_code=exit_code(run, verdicts),
        headline=headline.happened(run, verdicts),
        incident=incident_of(run),
        hurt=who_was_hurt(run),
        trust=headline.trust(run, verdicts, whole, faults),
        trusted=headline.trusted(run, verdicts),
        tally={outcome: sum(v.outcome is outcome for v in verdicts.verdicts) for outcome in Outcome},
        verdicts=_worst_first(verdicts),
        doubts=_doubts(verdicts),
        warnings=headline.warnings(run, verdicts, faults),
        planned_s=run.plan.duration_s if run.plan.phases else 0.0,
        reached_s=reached_s,
        good_within_s=within_s,
        whole=whole,
        errors=_errors(columns),
        phases=_by_phase(run, columns, good, reached_s),
        priorities=_by_priority(columns, good, reached_s),
        operations=_by_operation(columns, good, reached_s),
        faults=faults,
        failovers=failovers_of(run),
        levels=story.levels_of(run, series.levels, reached_s),
        alerts=story.alerts_of(run),
        services=story.services_of(run),
        environment=_environment(run),
        series=series,
    )


def exit_code(run: Run, verdicts: Verdicts) -> ExitCode:
    """The code that the record comes to: unclean outweighs all, then a run that broke, then one that was stopped."""
    stop = story.stopped(run)
    if not verdicts.clean:
        return ExitCode.UNCLEAN
    if stop is not None and stop.by == "error":
        return ExitCode.BROKEN
    if verdicts.stopped:
        return ExitCode.STOPPED
    match verdicts.outcome:
        case Outcome.PASS:
            return ExitCode.PASS
        case Outcome.FAIL:
            return ExitCode.FAIL
        case Outcome.INCONCLUSIVE:
            return ExitCode.INCONCLUSIVE


def good_within_s(run: Run) -> float:
    """How fast an answer has to be to be good: the strictest objective on goodput, else the default."""
    objectives = [check for check in run.plan.expect if isinstance(check, SloCheck) and check.goodput_ratio is not None]
    return min((float(check.within) for check in objectives), default=DEFAULT_WITHIN_S)


def _worst_first(verdicts: Verdicts) -> tuple[Verdict, ...]:
    """Verdicts, and the figures of each, in the order in which somebody in a hurry needs them."""
    order = list(Outcome)
    sorted_inside = [
        msgspec.structs.replace(
            verdict, figures=tuple(sorted(verdict.figures, key=lambda figure: -order.index(figure.outcome)))
        )
        for verdict in verdicts.verdicts
    ]
    return tuple(sorted(sorted_inside, key=lambda verdict: -order.index(verdict.outcome)))


def _doubts(verdicts: Verdicts) -> tuple[Doubt, ...]:
    doubts = []
    for verdict in verdicts.verdicts:
        if verdict.outcome is not Outcome.INCONCLUSIVE:
            continue
        open_ones = [figure for figure in verdict.figures if figure.outcome is Outcome.INCONCLUSIVE]
        if not open_ones:
            doubts.append(Doubt(name=verdict.name, why=verdict.sentence, needed_samples=None))
        for figure in open_ones:
            why = figure.reason or wording.figure_line(figure)
            doubts.append(Doubt(name=f"{verdict.name}: {figure.name}", why=why, needed_samples=figure.needed_samples))
    return tuple(doubts)


# --- tables ---------------------------------------------------------------------------------------------------------


def _errors(columns: Columns) -> tuple[tuple[str, int], ...]:
    """Error classes of failed, unknown and unsent requests, the most frequent first."""
    many = np.bincount(columns.error[columns.are(*ERRORS)], minlength=len(columns.errors))
    found = [(name or "no class", int(count)) for name, count in zip(columns.errors, many, strict=True) if count]
    return tuple(sorted(found, key=lambda pair: (-pair[1], pair[0])))


def _by_phase(run: Run, columns: Columns, good: Mask, reached_s: float) -> tuple[Slice, ...]:
    slices = []
    for phase in run.plan.phases:
        inside = (columns.scheduled_s >= phase.start_s) & (columns.scheduled_s < phase.end_s)
        seconds = max(0.0, min(phase.end_s, reached_s) - phase.start_s)
        slices.append(slice_of(columns, inside, good, name=phase.name, seconds=seconds))
    return tuple(slices)


def _by_priority(columns: Columns, good: Mask, reached_s: float) -> tuple[Slice, ...]:
    return tuple(
        slice_of(columns, columns.priority == priority, good, name=f"P{priority}", seconds=reached_s)
        for priority in np.unique(columns.priority)
    )


def _by_operation(columns: Columns, good: Mask, reached_s: float) -> tuple[Slice, ...]:
    slices = [
        slice_of(columns, columns.operation == place, good, name=name, seconds=reached_s)
        for place, name in enumerate(columns.operations)
    ]
    return tuple(sorted(slices, key=lambda part: (-part.offered, part.name)))


def _environment(run: Run) -> tuple[tuple[str, str], ...]:
    made = run.environment
    ended = story.ended(run)
    lasted = None if ended is None else story.seconds(run, ended.at_ns)
    pairs = [
        ("run", made.run_id),
        ("started", made.started_at),
        ("load lasted", wording.duration(lasted) if lasted is not None else "the run has no end"),
        ("command", " ".join(made.command)),
        ("commit", made.git_commit + (" with uncommitted changes" if made.git_dirty else "")),
        ("target", run.plan.target.name),
        ("runtime", made.runtime),
        ("seed", str(run.plan.load.seed)),
        ("arrivals", run.plan.load.arrivals.value),
        ("deadline of a request", wording.duration(float(run.plan.load.deadline))),
        ("machine", f"{made.machine}, {wording.plural(made.cpu_count, 'CPU')}"),
        ("planted defect", made.defect or "none"),
        ("record", "sealed" if run.sealed else "not sealed"),
        *((f"version of {name}", version) for name, version in sorted(made.versions.items())),
        *((f"variable {name}", value) for name, value in sorted(run.plan.variables.items())),
    ]
    return tuple(pairs)


def accounting(whole: Slice) -> tuple[tuple[Ending, int, str], ...]:
    """The endings of all offered requests, each with what it means; together they are the offered load."""
    meanings = {
        Ending.OK: "answered as asked",
        Ending.SHED: "refused by the load shedder; did not happen",
        Ending.DISABLED: "refused because its feature was off; did not happen",
        Ending.FAILED: "an error; did not happen, or was a read",
        Ending.UNKNOWN: "a write that may have happened",
        Ending.NOT_SENT: "scheduled, but the generator could not send it",
    }
    return tuple((ending, whole.outcomes[ending], meanings[ending]) for ending in Ending)
