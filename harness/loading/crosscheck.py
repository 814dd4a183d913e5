"""What types alone cannot say: names that must exist elsewhere, times that must fit, figures that must make sense.

Pure: looks at what was read and returns mistakes with their place; it opens no file. All mistakes of a file are
returned together.
"""

from collections.abc import Iterable, Iterator
from itertools import combinations

from harness.errors import ExperimentError
from harness.experiment import (
    AlertsCheck,
    BandwidthFault,
    Check,
    ConsistencyCheck,
    CpuLimitFault,
    DegradationCheck,
    DestroyFault,
    DiagnosisCheck,
    Experiment,
    FailoverCheck,
    LatencyFault,
    MomentaryFault,
    Ramp,
    RecoveryCheck,
    RegionDestroyedFault,
    RegionFault,
    ResetFault,
    ScalingCheck,
    ServiceFault,
    Severity,
    SeverityCheck,
    SheddingCheck,
    SloCheck,
    Spike,
    WrittenFault,
)
from harness.loading.crosscheck_regions import (
    Mistake,
    everywhere_at_once,
    region_figures,
    region_overlaps,
    region_place,
)
from harness.loading.crosscheck_runbook import diagnosis_mistakes
from harness.loading.crosscheck_scaling import scaling_figures
from harness.loading.mistakes import did_you_mean, shortened
from harness.loading.yaml_file import Document, Where
from harness.target.target import TargetSpec

PHASES = ("warm_up", "baseline", "disturbed", "recovery", "final_reads")
LONGEST_RUN_S = 24 * 3600.0  # a forgotten unit ("3000m") shows here, not after a day
HIGHEST_RATE_PER_S = 100_000.0  # about ten times what one machine's generators can offer
MOST_SHARDS = 64
LARGEST_SEED = 2**63 - 1
SHORTEST_HOLD_S = 1.0  # service is looked at second by second
EPSILON_S = 1e-9  # sums of durations such as 0.1s + 0.2s are not exact


def experiment_mistakes(document: Document, experiment: Experiment, target: TargetSpec) -> list[ExperimentError]:
    found = [
        *_texts(experiment),
        *_load(experiment),
        *_changes(experiment),
        *_phases(experiment),
        *_faults(experiment, target),
        *_overlaps(experiment),
        *region_overlaps(experiment.faults, target),
        *everywhere_at_once(experiment.faults, target),
        *_stops(experiment),
        *_expectations(experiment, target),
    ]
    return told(document, found)


def fault_mistakes(document: Document, fault: WrittenFault, target: TargetSpec) -> list[ExperimentError]:
    """Mistakes of a fault that is in no experiment, at the place `$.fault`."""
    where: Where = ("fault",)
    found = [
        *_fault_place(fault, where, target),
        *_fault_time(fault, where, LONGEST_RUN_S),
        *_fault_figures(fault, where),
    ]
    return told(document, found)


def told(document: Document, found: Iterable[Mistake]) -> list[ExperimentError]:
    """The mistakes as errors that name file and line."""
    return [document.mistake(where, sentence, hint) for where, sentence, hint in found]


# --- the experiment -------------------------------------------------------------------------------------------------


def _texts(experiment: Experiment) -> Iterator[Mistake]:
    for key in ("title", "hypothesis"):
        if not getattr(experiment, key).strip():
            yield (key,), "is empty.", "Say in a sentence what has to hold."


def _load(experiment: Experiment) -> Iterator[Mistake]:
    load = experiment.load
    if not 0 < load.rate <= HIGHEST_RATE_PER_S:
        yield ("load", "rate"), f"{load.rate} is not above 0/s and at most {HIGHEST_RATE_PER_S:g}/s.", ""
    for number, change in enumerate(load.changes):
        if change.to > HIGHEST_RATE_PER_S:
            yield ("load", "changes", number, "to"), f"{change.to} is above {HIGHEST_RATE_PER_S:g}/s.", ""
    if not 0 <= load.seed <= LARGEST_SEED:
        yield ("load", "seed"), f"{load.seed} is not between 0 and {LARGEST_SEED}.", ""
    if not 1 <= load.shards <= MOST_SHARDS:
        yield ("load", "shards"), f"{load.shards} is not between 1 and {MOST_SHARDS}.", ""
    if load.deadline <= 0:
        yield ("load", "deadline"), f"{load.deadline} leaves no time to answer.", ""
    if load.in_flight_limit < 1:
        yield ("load", "in_flight_limit"), f"{load.in_flight_limit} lets no request out; at least 1.", ""


def _changes(experiment: Experiment) -> Iterator[Mistake]:
    """Changes begin in `disturbed` or after it, one after the other, and end with the run."""
    phases = experiment.phases
    left_s = phases.disturbed + phases.recovery + phases.final_reads
    over_s = 0.0
    numbered = sorted(enumerate(experiment.load.changes), key=lambda each: each[1].at)
    for number, change in numbered:
        where: Where = ("load", "changes", number)
        if change.at < over_s - EPSILON_S:
            yield where, f"begins at {change.at}, before the one before it is over ({over_s:g}s).", ""
        match change:
            case Ramp():
                over_s = change.at + change.over
            case Spike():
                over_s = change.at + change.lasts
            case _:
                over_s = float(change.at)
        if over_s > left_s + EPSILON_S:
            hint = "Times count from the start of the phase `disturbed`."
            yield where, f"lasts until {over_s:g}s, the run is over after {left_s:g}s.", hint


def _phases(experiment: Experiment) -> Iterator[Mistake]:
    length_s = sum(getattr(experiment.phases, name) for name in PHASES)
    if length_s <= 0:
        yield ("phases",), "every phase has length 0s, so nothing would run.", ""
    if length_s > LONGEST_RUN_S:
        yield ("phases",), f"the run would take {length_s:g}s; at most {LONGEST_RUN_S:g}s.", "Look at the units."


def _faults(experiment: Experiment, target: TargetSpec) -> Iterator[Mistake]:
    for number, fault in enumerate(experiment.faults):
        where: Where = ("faults", number)
        yield from _fault_place(fault, where, target)
        yield from _fault_time(fault, where, float(experiment.phases.disturbed))
        yield from _fault_figures(fault, where)


def _fault_place(fault: WrittenFault, where: Where, target: TargetSpec) -> Iterator[Mistake]:
    if isinstance(fault, RegionFault):
        yield from region_place(fault, where, target)
    elif isinstance(fault, ServiceFault):
        if fault.service not in target.services:
            hint = did_you_mean(fault.service, _attackable(target))
            yield (*where, "service"), f"{shortened(fault.service)} is not a service of {target.name}.", hint
        elif not target.services[fault.service].attackable:
            hint = did_you_mean(fault.service, _attackable(target))
            yield (*where, "service"), f'"{fault.service}" may not be attacked ({target.name} says so).', hint
    elif fault.link not in target.links:
        hint = did_you_mean(fault.link, target.links)
        yield (*where, "link"), f"{shortened(fault.link)} is not a link of {target.name}.", hint


def _attackable(target: TargetSpec) -> list[str]:
    return [name for name, service in target.services.items() if service.attackable]


def _fault_time(fault: WrittenFault, where: Where, disturbed_s: float) -> Iterator[Mistake]:
    if isinstance(fault, MomentaryFault):
        if fault.at >= disturbed_s:
            yield (*where, "at"), f"begins at {fault.at}, but `disturbed` takes {disturbed_s:g}s.", ""
        return
    if fault.lasts <= 0:
        yield (*where, "lasts"), "a fault of 0s does nothing.", ""
    if fault.at + fault.lasts > disturbed_s + EPSILON_S:
        ends = f"ends at {fault.at + fault.lasts:g}s, but `disturbed` takes {disturbed_s:g}s."
        yield (*where, "lasts"), ends, "Make phases.disturbed longer, or the fault shorter or earlier."


def _fault_figures(fault: WrittenFault, where: Where) -> Iterator[Mistake]:
    if isinstance(fault, RegionFault):
        yield from region_figures(fault, where)
    match fault:
        case LatencyFault():
            if fault.latency <= 0:
                yield (*where, "latency"), "a latency of 0s does nothing.", ""
            if fault.jitter > fault.latency:
                yield (*where, "jitter"), f"{fault.jitter} is more than the latency, which cannot be negative.", ""
        case BandwidthFault():
            if fault.rate <= 0:
                yield (*where, "rate"), "a bandwidth of 0 is not a bandwidth.", "Use the fault blackhole instead."
        case CpuLimitFault():
            if not 0 < fault.share < 1:
                yield (*where, "share"), f"{fault.share} is not between 0% and 100%.", ""
        case ResetFault():
            if not 0 < fault.share <= 1:
                yield (*where, "share"), f"{fault.share} is not above 0% and at most 100%.", ""
        case _:  # nothing but a place and times
            pass


def _overlaps(experiment: Experiment) -> Iterator[Mistake]:
    """Two faults on one service at a time: reverting the first would end the second too."""
    spans = [
        (number, fault.service, float(fault.at), _end_s(fault))
        for number, fault in enumerate(experiment.faults)
        if isinstance(fault, ServiceFault)
    ]
    for (first, service, start_s, end_s), (second, other, other_start_s, other_end_s) in combinations(spans, 2):
        if service == other and start_s <= other_end_s and other_start_s <= end_s:
            sentence = f"overlaps with $.faults[{first}], which is on {service} too."
            yield ("faults", second), sentence, "One fault at a time on a service: revert the first before the second."


def _end_s(fault: ServiceFault) -> float:
    return float(fault.at) if isinstance(fault, MomentaryFault) else fault.at + fault.lasts


def _stops(experiment: Experiment) -> Iterator[Mistake]:
    for number, condition in enumerate(experiment.stop_when):
        if condition.above <= 0:
            yield ("stop_when", number, "above"), f"{condition.above} would stop every run.", ""


# --- what is expected -----------------------------------------------------------------------------------------------


def _expectations(experiment: Experiment, target: TargetSpec) -> Iterator[Mistake]:
    if not experiment.expect:
        yield ("expect",), "is empty, so nothing would be judged.", "Name at least one check."
    for number, check in enumerate(experiment.expect):
        yield from _expectation(check, ("expect", number), experiment, target)


def _expectation(check: Check, where: Where, experiment: Experiment, target: TargetSpec) -> Iterator[Mistake]:
    match check:
        case SloCheck():
            yield from _slo(check, where, experiment)
        case RecoveryCheck():
            yield from _recovery(check, where, experiment)
        case DegradationCheck():
            yield from _degradation(check, where, target)
        case ConsistencyCheck():
            yield from _consistency(check, where, experiment, target)
        case SheddingCheck():
            if target.promises.shedding is None:
                yield where, f"{target.name} promises no load shedding, so there is nothing to check.", ""
        case FailoverCheck():
            yield from _failover(check, where, experiment, target)
        case AlertsCheck():
            yield from _alerts(check, where, experiment, target)
        case ScalingCheck():
            yield from scaling_figures(check, where, target)
        case SeverityCheck():
            yield from _severity(check, where)
        case DiagnosisCheck():
            yield from diagnosis_mistakes(check, where, target)
        case _:
            pass


def _slo(check: SloCheck, where: Where, experiment: Experiment) -> Iterator[Mistake]:
    if check.phase not in PHASES:
        yield (*where, "phase"), f"{shortened(check.phase)} is not a phase.", did_you_mean(check.phase, PHASES)
        return
    length_s = float(getattr(experiment.phases, check.phase))
    if length_s <= 0:
        yield (*where, "phase"), f"the phase {check.phase} has length 0s.", f"Give $.phases.{check.phase} a length."
    elif not (check.start or 0.0) < (check.end or length_s) <= length_s + EPSILON_S:
        yield where, f"start and end must lie in this order within {check.phase}, which takes {length_s:g}s.", ""
    objectives = (check.p50, check.p95, check.p99, check.error_ratio, check.goodput_ratio, check.fails_within)
    if all(objective is None for objective in objectives):
        yield where, "names no objective.", "Known: error_ratio, fails_within, goodput_ratio, p50, p95, p99."
    if check.priority is not None and not 1 <= check.priority <= 4:
        yield (*where, "priority"), f"{check.priority} is not between 1 and 4.", ""


def _recovery(check: RecoveryCheck, where: Where, experiment: Experiment) -> Iterator[Mistake]:
    recovery_s = float(experiment.phases.recovery)
    if recovery_s <= 0:
        yield where, "needs the phase recovery, which has length 0s.", "Give $.phases.recovery a length."
    elif check.rto > recovery_s:
        sentence = f"{check.rto} is longer than the phase recovery ({recovery_s:g}s), so it could not be seen to fail."
        yield (*where, "rto"), sentence, "Make $.phases.recovery longer."
    if experiment.phases.disturbed <= 0:
        yield where, "needs the phase disturbed, which has length 0s.", "There is nothing to recover from."
    if not experiment.faults and not experiment.load.changes:
        yield where, "there is neither a fault nor a change of the load to recover from.", ""


def _failover(check: FailoverCheck, where: Where, experiment: Experiment, target: TargetSpec) -> Iterator[Mistake]:
    if check.cohort not in target.regions:
        sentence = f"{shortened(check.cohort)} is not a region of {target.name}."
        yield (*where, "cohort"), sentence, did_you_mean(check.cohort, target.regions)
    elif len(target.regions) == 1:
        yield where, f"{check.cohort} is the only region of {target.name}, so nobody could take over.", ""
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


def _degradation(check: DegradationCheck, where: Where, target: TargetSpec) -> Iterator[Mistake]:
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
    if check.fire and not experiment.faults and not experiment.load.changes:
        yield (*where, "fire"), "there is neither a fault nor a change of the load that an alert could tell of.", ""
    watched_s = float(experiment.phases.disturbed + experiment.phases.recovery)
    if check.fire and check.within > watched_s:
        sentence = (
            f"{check.within} is longer than disturbed and recovery ({watched_s:g}s), so it could not be seen to fail."
        )
        yield (*where, "within"), sentence, "Make them longer."


def _severity(check: SeverityCheck, where: Where) -> Iterator[Mistake]:
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
