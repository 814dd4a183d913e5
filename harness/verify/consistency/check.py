"""The expectation `consistency`: one verdict, with a figure, a row and scenes for each part of it."""

from collections.abc import Iterator

import msgspec

from harness.experiment.expectations.consistency import ConsistencyCheck
from harness.record.reader import Run
from harness.verify import figures, windows
from harness.verify.consistency import parts
from harness.verify.consistency.agreed import agreed
from harness.verify.consistency.answers import Answers, answers_of
from harness.verify.consistency.destroyed import Gone, destructions_of, without_what_is_gone
from harness.verify.consistency.findings import findings_of
from harness.verify.consistency.history import Ending, History, Kind, misfits
from harness.verify.consistency.parts import USUAL, Part, field_of
from harness.verify.consistency.recorded import history_of
from harness.verify.consistency.replicas import replicas
from harness.verify.consistency.staleness import staleness
from harness.verify.consistency.visibility import visibility
from harness.verify.verdict import Figure, Outcome, Verdict

CHECK = "consistency"
MOST_SCENES = 12


def check_consistency(run: Run, check: ConsistencyCheck) -> Verdict:
    history = history_of(run)
    disorder = _disorder(history)
    if disorder is not None:
        return figures.verdict_of(CHECK, name_of(check), [disorder], passed="")
    history, gone = _without_what_is_gone(run, check, history)
    answers = answers_of(history)
    found = [*_parts(run, check, answers), *([] if gone is None else [parts.went_down(gone)])]
    verdict = figures.verdict_of(
        CHECK,
        name_of(check),
        [figure for part in found for figure in part.figures],
        [moment for part in found for moment in part.evidence],
        passed=_passed(history, found, gone),
    )
    scenes = [scene for part in found for scene in part.scenes]
    return msgspec.structs.replace(
        verdict,
        guarantees=tuple(row for part in found for row in part.guarantees),
        scenes=tuple(sorted(scenes, key=lambda scene: not scene.promised)[:MOST_SCENES]),
        visibility=visibility(answers, disturbed=_disturbances(run)),
    )


def _without_what_is_gone(run: Run, check: ConsistencyCheck, history: History) -> tuple[History, Gone | None]:
    destroyed = destructions_of(run)
    if check.rpo is None or not destroyed:
        return history, None
    return without_what_is_gone(history, destroyed, rpo_s=float(check.rpo))


def _disturbances(run: Run) -> list[windows.Window]:
    return [fault.window(run.plan.duration_s) for fault in windows.fault_windows(run)]


def name_of(check: ConsistencyCheck) -> str:
    words = [f"{name} {getattr(check, name)}" for name in ("lost", "duplicated", "unexpected") if getattr(check, name)]
    for name in ("resurrected", "undeleted", *map(field_of, USUAL), "counters"):
        if getattr(check, name) is not None:
            words.append(f"{name.replace('_', ' ')} {getattr(check, name)}")
    if check.rpo is not None:
        words.append(f"RPO ≤ {check.rpo}")
    if check.staleness_p99 is not None:
        words.append(f"staleness p99 ≤ {check.staleness_p99}")
    if check.converges_within is not None:
        words.append(f"converges within {check.converges_within}")
    return f"consistency: {', '.join(words) or 'nothing lost, nothing twice, nothing out of nowhere'}"


def _disorder(history: History) -> Figure | None:
    """With requests of one session beside each other its order means nothing, and everything here rests on that."""
    odd = misfits(history)
    if len(odd) == 0:
        return None
    session = int(history.sessions[history.session[odd[0]]])
    return figures.condition(
        "requests out of their session's order", float(len(odd)), unit="", samples=len(history), accept="0",
        holds=False, reason=f"first in session {session} at {history.invoked_s[odd[0]]:.3f} s",
    )  # fmt: skip


def _parts(run: Run, check: ConsistencyCheck, answers: Answers) -> Iterator[Part]:
    found = findings_of(answers)
    yield parts.final_reads(found.durability)
    yield from parts.durability(check, found.durability)
    for name, finding in found.sessions.items():
        yield parts.session(name, getattr(check, field_of(name)), finding)
    yield parts.cycles(found.cycles)
    yield parts.counters(check.counters, found.counters)
    if check.staleness_p99 is not None:
        limit_s, alpha = float(check.staleness_p99), figures.alpha_of(run.plan)
        yield parts.staleness(staleness(answers), limit_s=limit_s, alpha=alpha)
    if check.converges_within is not None:
        yield replicas(run, within_s=float(check.converges_within))
    yield agreed(run)


def _passed(history: History, found: list[Part], gone: Gone | None) -> str:
    acked = int(((history.kind == Kind.WRITE) & (history.ending == Ending.OK)).sum())
    answers, regions = int(history.answered.sum()), len(history.regions)
    rows = [row for part in found for row in part.guarantees]
    kept = ", ".join(dict.fromkeys(row.name for row in rows if row.promised and row.observed and not row.violations))
    beyond = sum(row.violations for row in rows if not row.promised)
    said = (
        f"{acked:,} acknowledged writes were looked for in {_plural(regions, 'region')} in the end and in "
        f"{answers:,} answers on the way. Nothing was found against: {kept}."
    )
    allowed = [
        f"{figure.value:g} {figure.name}"
        for part in found
        for figure in part.figures
        if figure.outcome is Outcome.PASS and figure.value and figure.accept.startswith("at most") and not figure.unit
    ]
    if allowed:
        said += f" Within what is allowed: {', '.join(allowed)}."
    if gone is not None and gone.names:
        said += (
            f" {len(gone.names):,} more went down with {' and '.join(gone.regions)}, acknowledged at most "
            f"{figures.say(gone.reaches_back_s, 's')} before."
        )
    if beyond:
        said += f" Beyond what was promised, {beyond:,} answers were not consistent either."
    return said


def _plural(many: int, noun: str) -> str:
    return f"{many:,} {noun}" if many == 1 else f"{many:,} {noun}s"
