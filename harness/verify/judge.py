"""From a record to its verdicts: validity first, then each expectation by the one table below; the worst wins.

What happens to an expectation where the run itself is in doubt:

- The *evidence* does not hold (late generator, holes, a fault not shown to bite or to be gone, a run cut short): every
  expectation becomes inconclusive, passes and fails alike, because a fault of the harness must neither clear the system
  nor blame it. What it would have been stays in the sentence and in the figures.
- The *steady state* did not hold (the system was sick before it was disturbed, or a part of it died by itself): the run
  cannot pass, since validity is inconclusive itself. A fail stays a fail, since what the system broke is its own doing;
  only checks that compare with the baseline lose their ground and become inconclusive.
- The machine was *crowded* (something else used it while the system waited for a CPU): a pass stays a pass, a fail
  becomes inconclusive, since a system that is kept from working is not to blame. But whoever waits is late and no more
  than that: a fail of an invariant (a lost write, something shown to who must not see it) stays one.
- The generator was late in *one window* only: the same, for what latency decides there (`lateness.py`, in the checks).

So the rule at the end is only "the worst wins". A check that throws is inconclusive and names the exception. There is
room in the table for a person's own check, a dotted path to `(Run, arguments) → Verdict`; it is not built yet.
"""

from collections import Counter
from collections.abc import Callable
from typing import Any

import msgspec

from harness.experiment.expectations.alerts import AlertsCheck
from harness.experiment.expectations.breakers import BreakersCheck
from harness.experiment.expectations.caching import CachingCheck
from harness.experiment.expectations.check import Check
from harness.experiment.expectations.consistency import ConsistencyCheck
from harness.experiment.expectations.degradation import DegradationCheck
from harness.experiment.expectations.diagnosis import DiagnosisCheck
from harness.experiment.expectations.failover import FailoverCheck
from harness.experiment.expectations.fan_out import FanOutCheck
from harness.experiment.expectations.recovery import RecoveryCheck
from harness.experiment.expectations.retries import RetriesCheck
from harness.experiment.expectations.routing import RoutingCheck
from harness.experiment.expectations.scaling import ScalingCheck
from harness.experiment.expectations.severity import SeverityCheck
from harness.experiment.expectations.shedding import SheddingCheck
from harness.experiment.expectations.slo import SloCheck
from harness.record import rows
from harness.record.reader import Run
from harness.verify import windows
from harness.verify.alerts.check import check_alerts
from harness.verify.breakers.check import check_breakers
from harness.verify.caching.check import check_caching
from harness.verify.consistency.check import check_consistency
from harness.verify.degradation import check_degradation
from harness.verify.diagnosis.check import check_diagnosis
from harness.verify.failover.check import check_failover
from harness.verify.fan_out.check import check_fan_out
from harness.verify.recovery import check_recovery
from harness.verify.retries import check_retries
from harness.verify.routing import check_routing
from harness.verify.scaling.check import check_scaling
from harness.verify.severity.check import check_severity
from harness.verify.shedding import check_shedding
from harness.verify.slo import check_slo
from harness.verify.validity import Validity, check_validity
from harness.verify.verdict import Outcome, Verdict, Verdicts, worst

CHECKS: dict[type[Check], Callable[[Run, Any], Verdict]] = {
    SloCheck: check_slo,
    DegradationCheck: check_degradation,
    SheddingCheck: check_shedding,
    RecoveryCheck: check_recovery,
    RetriesCheck: check_retries,
    RoutingCheck: check_routing,
    FailoverCheck: check_failover,
    ConsistencyCheck: check_consistency,
    AlertsCheck: check_alerts,
    ScalingCheck: check_scaling,
    CachingCheck: check_caching,
    FanOutCheck: check_fan_out,
    SeverityCheck: check_severity,
    DiagnosisCheck: check_diagnosis,
    BreakersCheck: check_breakers,
}
COMPARES_WITH_BASELINE = (RecoveryCheck, DiagnosisCheck)
HARMLESS_STATES = ("PLANNED", "VERIFIED")  # of a fault in the journal: nothing was done, or it is shown to be undone


def judge(run: Run) -> Verdicts:
    """All verdicts of a run; a pure function of its record."""
    validity = _validity(run)
    judged = [_weighed(check, _checked(run, check), validity) for check in run.plan.expect]
    verdicts = (validity.verdict, *_with_own_names(judged))
    return Verdicts(
        run_id=run.environment.run_id,
        outcome=worst([verdict.outcome for verdict in verdicts]),
        stopped=windows.first(run, rows.RunStopped) is not None,
        clean=is_clean(run),
        verdicts=verdicts,
    )


def is_clean(run: Run) -> bool:
    """Whether everything that was done to the target is shown to be undone, by events and by the journal."""
    ended = windows.first(run, rows.RunEnded)
    if ended is not None and not ended.clean:
        return False
    last_state = {str(line["fault"]): str(line.get("state")) for line in run.journal if "state" in line}
    if last_state:
        return all(state in HARMLESS_STATES for state in last_state.values())
    return all(fault.confirmed for fault in windows.fault_windows(run))


def _validity(run: Run) -> Validity:
    try:
        return check_validity(run)
    except Exception as crash:  # whatever a damaged record does to it, the run is then not shown valid
        return Validity(verdict=_crashed("validity", crash), evidence_holds=False, was_steady=False)


def _checked(run: Run, check: Check) -> Verdict:
    try:
        return CHECKS[type(check)](run, check)
    except Exception as crash:  # a check's own mistake says nothing about the system
        return _crashed(str(check.__struct_config__.tag), crash)


def _crashed(check: str, crash: Exception) -> Verdict:
    notes = "".join(f" {note}" for note in getattr(crash, "__notes__", ()))
    return Verdict(
        check=check,
        name=f"{check}: could not be judged",
        outcome=Outcome.INCONCLUSIVE,
        sentence=f"The check crashed, so it says nothing: {type(crash).__name__}: {crash}{notes}",
    )


def _weighed(check: Check, verdict: Verdict, validity: Validity) -> Verdict:
    """What a verdict is worth in a run whose validity is in doubt (see above)."""
    if verdict.outcome is Outcome.INCONCLUSIVE:
        return verdict
    if not validity.evidence_holds:
        return _taken_back(verdict, "Says nothing, because the run is not valid.")
    if not validity.was_steady and isinstance(check, COMPARES_WITH_BASELINE):
        return _taken_back(verdict, f"There was no steady state to compare with: {validity.verdict.sentence}")
    if validity.crowded and verdict.outcome is Outcome.FAIL:
        return _excused(verdict, validity.crowded)
    return verdict


def _excused(verdict: Verdict, crowded: str) -> Verdict:
    """Taken back, unless something is broken that a crowded machine does not explain."""
    broken = [figure.name for figure in verdict.figures if figure.outcome is Outcome.FAIL and figure.invariant]
    if not broken:
        return _taken_back(verdict, crowded)
    sentence = f"{verdict.sentence} {crowded} That does not explain: {', '.join(broken)}."
    return msgspec.structs.replace(verdict, sentence=sentence)


def _taken_back(verdict: Verdict, why: str) -> Verdict:
    sentence = f"{why} It would have been a {verdict.outcome}: {verdict.sentence}"
    return msgspec.structs.replace(verdict, outcome=Outcome.INCONCLUSIVE, sentence=sentence)


def _with_own_names(verdicts: list[Verdict]) -> list[Verdict]:
    """Two expectations of the same words get numbers, so that reports can tell them apart."""
    total, seen = Counter(verdict.name for verdict in verdicts), Counter[str]()
    named = []
    for verdict in verdicts:
        seen[verdict.name] += 1
        again = total[verdict.name] > 1
        name = f"{verdict.name} ({seen[verdict.name]})" if again else verdict.name
        named.append(msgspec.structs.replace(verdict, name=name))
    return named
