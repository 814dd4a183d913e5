"""What types alone cannot say: names that must exist elsewhere, times that must fit, figures that must make sense.

Pure: looks at what was read and returns mistakes with their place; it opens no file. All mistakes of a file are
returned together.
"""

from collections.abc import Iterable, Iterator
from itertools import combinations

from harness.errors import ExperimentError
from harness.experiment.experiment import Experiment
from harness.experiment.faults import (
    BandwidthFault,
    CpuLimitFault,
    LatencyFault,
    MemoryLimitFault,
    MomentaryFault,
    RegionFault,
    ResetFault,
    ServiceFault,
    WrittenFault,
)
from harness.loading.crosscheck_expectations import EPSILON_S, PHASES, change_over_s, expectations
from harness.loading.crosscheck_regions import (
    Mistake,
    everywhere_at_once,
    region_figures,
    region_overlaps,
    region_place,
)
from harness.loading.mistakes import did_you_mean, shortened
from harness.loading.yaml_file import Document, Where
from harness.target.target import TargetSpec

LONGEST_RUN_S = 24 * 3600.0  # a forgotten unit ("3000m") shows here, not after a day
HIGHEST_RATE_PER_S = 100_000.0  # about ten times what one machine's generators can offer
MOST_SHARDS = 64
LARGEST_SEED = 2**63 - 1


def experiment_mistakes(document: Document, experiment: Experiment, target: TargetSpec) -> list[ExperimentError]:
    found = [
        *_texts(experiment),
        *_planted(experiment, target),
        *_load(experiment),
        *_changes(experiment),
        *_phases(experiment),
        *_faults(experiment, target),
        *_overlaps(experiment),
        *region_overlaps(experiment.faults, target),
        *everywhere_at_once(experiment.faults, target),
        *_stops(experiment),
        *expectations(experiment, target),
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


def _planted(experiment: Experiment, target: TargetSpec) -> Iterator[Mistake]:
    planted = experiment.planted
    if planted is not None and planted not in target.defects:
        yield (
            ("planted",),
            f"{shortened(planted)} is not a defect of {target.name}.",
            did_you_mean(planted, target.defects),
        )


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
        over_s = change_over_s(change)
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
        case CpuLimitFault() | MemoryLimitFault():
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
