"""What an expectation cannot be, although its types are right: names that must exist in the target, times that must
fit, and what could never be seen to fail.

One function for each check, in one table; a check without one has nothing to be looked at.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from harness.experiment.expectations.alerts import AlertsCheck
from harness.experiment.expectations.breakers import BreakersCheck
from harness.experiment.expectations.caching import CachingCheck
from harness.experiment.expectations.check import Check
from harness.experiment.expectations.consistency import ConsistencyCheck
from harness.experiment.expectations.degradation import DegradationCheck
from harness.experiment.expectations.diagnosis import DiagnosisCheck
from harness.experiment.expectations.failover import FailoverCheck, Operations
from harness.experiment.expectations.fan_out import FanOutCheck
from harness.experiment.expectations.recovery import RecoveryCheck
from harness.experiment.expectations.routing import RoutingCheck
from harness.experiment.expectations.scaling import ScalingCheck
from harness.experiment.expectations.severity import Severity, SeverityCheck
from harness.experiment.expectations.shedding import SheddingCheck
from harness.experiment.expectations.slo import SloCheck
from harness.experiment.experiment import Experiment
from harness.experiment.faults import DestroyFault, RegionDestroyedFault
from harness.experiment.load import Ramp, RateChange, Spike
from harness.loading.crosscheck_breakers import breakers_figures
from harness.loading.crosscheck_regions import Mistake
from harness.loading.crosscheck_runbook import diagnosis_mistakes
from harness.loading.crosscheck_scaling import scaling_figures
from harness.loading.mistakes import did_you_mean, shortened
from harness.loading.yaml_file import Where
from harness.target.target import TargetSpec

PHASES = ("warm_up", "baseline", "disturbed", "recovery", "final_reads")
SHORTEST_HOLD_S = 1.0  # service is looked at second by second
# Of what is left after a disturbance: the second by which the moment of a recovery is uncertain, and the one that a
# revert takes and that whole seconds leave over.
UNSEEN_S = 2.0
EPSILON_S = 1e-9  # sums of durations such as 0.1s + 0.2s are not exact

LookAt = Callable[[Any, Where, Experiment, TargetSpec], Iterator[Mistake]]


def expectations(experiment: Experiment, target: TargetSpec) -> Iterator[Mistake]:
    if not experiment.expect:
        yield ("expect",), "is empty, so nothing would be judged.", "Name at least one check."
    for number, check in enumerate(experiment.expect):
        if look_at := _TABLE.get(type(check)):
            yield from look_at(check, ("expect", number), experiment, target)


def _slo(check: SloCheck, where: Where, experiment: Experiment, target: TargetSpec) -> Iterator[Mistake]:
    del target
    yield from _phase(check.phase, where, experiment)
    length_s = float(getattr(experiment.phases, check.phase, 0.0))
    if length_s > 0 and not (check.start or 0.0) < (check.end or length_s) <= length_s + EPSILON_S:
        yield where, f"start and end must lie in this order within {check.phase}, which takes {length_s:g}s.", ""
    objectives = (check.p50, check.p95, check.p99, check.error_ratio, check.goodput_ratio, check.fails_within)
    if all(objective is None for objective in objectives):
        yield where, "names no objective.", "Known: error_ratio, fails_within, goodput_ratio, p50, p95, p99."
    if check.priority is not None and not 1 <= check.priority <= 4:
        yield (*where, "priority"), f"{check.priority} is not between 1 and 4.", ""


def _phase(name: str, where: Where, experiment: Experiment) -> Iterator[Mistake]:
    """Whether there is such a phase, and some of it."""
    if name not in PHASES:
        yield (*where, "phase"), f"{shortened(name)} is not a phase.", did_you_mean(name, PHASES)
    elif getattr(experiment.phases, name) <= 0:
        yield (*where, "phase"), f"the phase {name} has length 0s.", f"Give $.phases.{name} a length."


def _routing(check: RoutingCheck, where: Where, experiment: Experiment, target: TargetSpec) -> Iterator[Mistake]:
    yield from _phase(check.phase, where, experiment)
    if len(target.regions) < 2:
        yield where, f"{target.name} has one region only, so nobody can be moved.", ""
    if check.moves_at_most < 0:
        yield (*where, "moves_at_most"), f"{check.moves_at_most} is negative.", ""
    if check.reads_elsewhere is not None and check.reads_elsewhere >= 1:
        sentence = f"{check.reads_elsewhere} is everything, so it could not be seen to fail."
        yield (*where, "reads_elsewhere"), sentence, ""


def _recovery(check: RecoveryCheck, where: Where, experiment: Experiment, target: TargetSpec) -> Iterator[Mistake]:
    del target
    if experiment.phases.recovery <= 0:
        yield where, "needs the phase recovery, which has length 0s.", "Give $.phases.recovery a length."
    if experiment.phases.disturbed <= 0:
        yield where, "needs the phase disturbed, which has length 0s.", "There is nothing to recover from."


def recovery_watch(check: RecoveryCheck, where: Where, experiment: Experiment, *, over_s: float) -> Iterator[Mistake]:
    """Whether a recovery could be seen to be missed; the disturbance is over `over_s` after `disturbed` began."""
    recovery_s = float(experiment.phases.recovery)
    needed_s = check.rto + check.hold + UNSEEN_S
    watched_s = float(experiment.phases.disturbed) + recovery_s - over_s
    if recovery_s > 0 and needed_s > watched_s + EPSILON_S:
        sentence = (
            f"to see it missed takes {needed_s:g}s ({check.rto}, {check.hold} of `hold`, {UNSEEN_S:g}s of whole "
            f"seconds), but the load ends {watched_s:g}s after the last disturbance."
        )
        yield (*where, "rto"), sentence, f"Make $.phases.recovery {recovery_s + needed_s - watched_s:g}s long."


def change_over_s(change: RateChange) -> float:
    """From the start of `disturbed` until the rate is what it then stays."""
    match change:
        case Ramp():
            return change.at + change.over
        case Spike():
            return change.at + change.lasts
        case _:
            return float(change.at)


def _failover(check: FailoverCheck, where: Where, experiment: Experiment, target: TargetSpec) -> Iterator[Mistake]:
    if check.cohort not in target.regions:
        sentence = f"{shortened(check.cohort)} is not a region of {target.name}."
        yield (*where, "cohort"), sentence, did_you_mean(check.cohort, target.regions)
    elif len(target.regions) == 1:
        yield where, f"{check.cohort} is the only region of {target.name}, so nobody could take over.", ""
    refuge = check.taken_over_by
    if refuge is not None and refuge not in target.regions:
        yield (
            (*where, "taken_over_by"),
            f"{shortened(refuge)} is not a region of {target.name}.",
            did_you_mean(refuge, target.regions),
        )
    elif refuge == check.cohort:
        yield (*where, "taken_over_by"), f"{refuge} is the region that is lost.", ""
    if refuge is not None and check.operations is Operations.WRITES:
        yield (*where, "taken_over_by"), "is about what users read, and here only their writes are looked at.", ""
    if not experiment.faults:
        yield where, "there is no fault, so no region is lost.", ""
    watched_s = float(experiment.phases.disturbed + experiment.phases.recovery)
    if check.rto + check.holds > watched_s:
        needed = f"{check.rto} and then {check.holds} of service"
        sentence = f"{needed} are more than disturbed and recovery ({watched_s:g}s)."
        yield (*where, "rto"), sentence, "Make them longer, or `holds` shorter: it could not be seen to fail."
    if check.holds < SHORTEST_HOLD_S:
        yield (*where, "holds"), f"{check.holds} is less than {SHORTEST_HOLD_S:g}s, a block of time.", ""
    for key in ("rpo_writes", "split_brain_writes", "fail_overs_at_most"):
        if (getattr(check, key) or 0) < 0:
            yield (*where, key), f"{getattr(check, key)} is negative.", ""


def _degradation(
    check: DegradationCheck, where: Where, experiment: Experiment, target: TargetSpec
) -> Iterator[Mistake]:
    del experiment
    if target.promises.degradation is None:
        yield where, f"{target.name} promises no degradation levels, so there is nothing to check.", ""
        return
    known = [level.name for level in target.promises.degradation.levels]
    named: list[tuple[Where, str | None]] = [((*where, "reaches"), check.reaches), ((*where, "ends_at"), check.ends_at)]
    named += [((*where, "visits", number), level) for number, level in enumerate(check.visits)]
    for place, level in named:
        if level is not None and level not in known:
            yield place, f"{shortened(level)} is not a level of {target.name}.", did_you_mean(level, known)


def _alerts(check: AlertsCheck, where: Where, experiment: Experiment, target: TargetSpec) -> Iterator[Mistake]:
    known = [promise.alert for promise in target.promises.alerts]
    if not known:
        yield where, f"{target.name} promises no alerts, so there is nothing to check.", ""
        return
    for key in ("fire", "may_fire"):
        for number, alert in enumerate(getattr(check, key)):
            if alert not in known:
                sentence = f"{shortened(alert)} is not an alert of {target.name}."
                yield (*where, key, number), sentence, did_you_mean(alert, known)
    watched_s = float(experiment.phases.disturbed + experiment.phases.recovery)
    if check.fire and check.within > watched_s:
        sentence = (
            f"{check.within} is longer than disturbed and recovery ({watched_s:g}s), so it could not be seen to fail."
        )
        yield (*where, "within"), sentence, "Make them longer."


def _caching(check: CachingCheck, where: Where, experiment: Experiment, target: TargetSpec) -> Iterator[Mistake]:
    promise = target.promises.caching
    if promise is None:
        yield where, f"{target.name} promises nothing of its caches, so there is nothing to check.", ""
        return
    layers = [layer.layer for layer in promise.layers]
    for number, layer in enumerate(check.layers):
        if layer not in layers:
            sentence = f"{shortened(layer)} is not a cache of {target.name}."
            yield (*where, "layers", number), sentence, did_you_mean(layer, layers)
    if check.phase not in PHASES:
        yield (*where, "phase"), f"{shortened(check.phase)} is not a phase.", did_you_mean(check.phase, PHASES)
    elif check.layers and getattr(experiment.phases, check.phase) <= 0:
        yield (*where, "phase"), f"the phase {check.phase} has length 0s.", f"Give $.phases.{check.phase} a length."
    for key in ("builds_per_key", "builds_at_once"):
        limits: Mapping[str, float] = getattr(check, key)
        for kind, most in limits.items():
            if kind not in promise.kinds:
                sentence = f"{shortened(kind)} is not a kind of content of {target.name}."
                yield (*where, key, kind), sentence, did_you_mean(kind, promise.kinds)
            elif most < 1:
                yield (*where, key, kind), f"{most:g} is less than 1: what is not there has to be made.", ""
        if limits and not experiment.faults:
            yield (*where, key), "there is no fault that could empty a cache.", ""
    if check.builds_at_once and not promise.joined:
        sentence = f"answers of {target.name} do not tell who made something from who was given it, too."
        yield (*where, "builds_at_once"), sentence, "See promises.caching.joined of the target file."


def _severity(check: SeverityCheck, where: Where, experiment: Experiment, target: TargetSpec) -> Iterator[Mistake]:
    del experiment, target
    if check.at_most is Severity.SEV1:
        hint = did_you_mean(Severity.SEV2, [word for word in Severity if word is not Severity.SEV1])
        yield (*where, "at_most"), "nothing is worse than SEV1, so it could not be seen to fail.", hint
    if check.late <= 0:
        yield (*where, "late"), f"{check.late} makes every answer late.", ""


def _consistency(
    check: ConsistencyCheck, where: Where, experiment: Experiment, target: TargetSpec
) -> Iterator[Mistake]:
    final_s = float(experiment.phases.final_reads)
    if final_s <= 0:
        hint = "Give $.phases.final_reads a length: only a read in every region shows what is there in the end."
        yield where, "needs the phase final_reads, which has length 0s.", hint
    elif check.converges_within is not None and check.converges_within > final_s:
        sentence = f"{check.converges_within} is longer than the phase final_reads ({final_s:g}s)"
        hint = "Make $.phases.final_reads longer: while users write, regions never hold the same."
        yield (*where, "converges_within"), f"{sentence}, so it could not be seen to fail.", hint
    for key in ("lost", "duplicated", "unexpected", "resurrected", "undeleted"):
        if (getattr(check, key) or 0) < 0:
            yield (*where, key), f"{getattr(check, key)} is below 0.", ""
    if check.rpo is not None and not any(
        isinstance(fault, DestroyFault | RegionDestroyedFault) for fault in experiment.faults
    ):
        hint = "Leave it out, or add a fault of the kind region_destroyed or destroy."
        yield (*where, "rpo"), "no fault destroys data, so nothing acknowledged may be gone.", hint
    for key in ("staleness_p99", "converges_within"):
        if getattr(check, key) is not None and len(target.regions) < 2:
            yield (*where, key), f"{target.name} has one region only, so nothing travels between regions.", ""


def _fan_out(check: FanOutCheck, where: Where, experiment: Experiment, target: TargetSpec) -> Iterator[Mistake]:
    del target
    if not check.p95:
        yield (*where, "p95"), "is empty, so no delay would be judged.", "Name operations that post, each with a limit."
    if experiment.phases.final_reads <= 0:
        hint = "Give $.phases.final_reads a length: only where nobody posts any more can all have arrived."
        yield where, "needs the phase final_reads, which has length 0s.", hint


def _shedding(check: SheddingCheck, where: Where, experiment: Experiment, target: TargetSpec) -> Iterator[Mistake]:
    del check, experiment
    if target.promises.shedding is None:
        yield where, f"{target.name} promises no load shedding, so there is nothing to check.", ""


_TABLE: dict[type[Check], LookAt] = {
    SloCheck: _slo,
    RecoveryCheck: _recovery,
    DegradationCheck: _degradation,
    SheddingCheck: _shedding,
    RoutingCheck: _routing,
    FailoverCheck: _failover,
    ConsistencyCheck: _consistency,
    AlertsCheck: _alerts,
    ScalingCheck: scaling_figures,
    CachingCheck: _caching,
    FanOutCheck: _fan_out,
    SeverityCheck: _severity,
    BreakersCheck: breakers_figures,
    DiagnosisCheck: diagnosis_mistakes,
}
