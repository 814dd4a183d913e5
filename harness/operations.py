"""What only shows when an experiment and its profile are put together: operations that a check names, and whether
anything happens that it is about. Users who do something else in the phase `disturbed` are a change of the load, too.
"""

from collections.abc import Iterator, Sequence

from harness.experiment.expectations.alerts import AlertsCheck
from harness.experiment.expectations.caching import CachingCheck
from harness.experiment.expectations.check import Check
from harness.experiment.expectations.fan_out import FanOutCheck
from harness.experiment.expectations.recovery import RecoveryCheck
from harness.experiment.experiment import Experiment
from harness.experiment.phases import DISTURBED, FINAL_READS
from harness.loading.crosscheck_expectations import change_over_s, recovery_watch
from harness.loading.crosscheck_regions import Mistake
from harness.loading.mistakes import did_you_mean, shortened
from harness.plan import OperationSpec


def operation_mistakes(
    experiment: Experiment, operations: Sequence[OperationSpec], *, profile: str
) -> Iterator[Mistake]:
    """`profile`: what its file is called."""
    if experiment.phases.final_reads > 0 and not any(one.phase == FINAL_READS for one in operations):
        sentence = f'{profile} has no operations for it, marked @does(…, phase="{FINAL_READS}").'
        yield ("phases", "final_reads"), sentence, "Add one, or leave the phase out."
    lasting = [one for one in operations if not one.phase or getattr(experiment.phases, one.phase) > 0]
    known = [operation.name for operation in lasting]
    for number, check in enumerate(experiment.expect):
        for key, name in _named_operations(check):
            if name not in known:
                sentence = f"{shortened(name)} is not an operation of {profile}."
                yield ("expect", number, key, name), sentence, did_you_mean(name, known)
    others = any(one.phase == DISTURBED for one in lasting)
    for number, check in enumerate(experiment.expect):
        yield from _happenings(check, ("expect", number), experiment, others=others)


def _named_operations(check: Check) -> list[tuple[str, str]]:
    """The operations that a check names, each after the key that it is under."""
    match check:
        case CachingCheck():
            return [("still_shown", name) for name in check.still_shown]
        case FanOutCheck():
            return [("p95", name) for name in check.p95]
        case _:
            return []


def _happenings(check: Check, where: tuple[str, int], experiment: Experiment, *, others: bool) -> Iterator[Mistake]:
    """`others`: users do something else in the phase `disturbed`."""
    calm = not (experiment.faults or experiment.load.changes or others)
    match check:
        case RecoveryCheck() if calm:
            yield where, "there is neither a fault nor a change of the load to recover from.", ""
        case RecoveryCheck():
            yield from recovery_watch(check, where, experiment, over_s=_over_s(experiment, others=others))
        case AlertsCheck() if check.fire and calm:
            sentence = "there is neither a fault nor a change of the load that an alert could tell of."
            yield (*where, "fire"), sentence, ""
        case FanOutCheck() if check.drained_within is not None and calm:
            sentence = "there is neither a fault nor a change of the load after which anything has to drain."
            yield (*where, "drained_within"), sentence, ""


def _over_s(experiment: Experiment, *, others: bool) -> float:
    """From the start of `disturbed` until all faults are over and the load is what it then stays, as planned."""
    faults_s = [float(fault.at) + getattr(fault, "lasts", 0.0) for fault in experiment.faults]
    mix_s = [float(experiment.phases.disturbed)] if others else []
    return max([*faults_s, *mix_s, *map(change_over_s, experiment.load.changes)], default=0.0)
