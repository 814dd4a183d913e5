"""Whether the autoscaler decides what Kubernetes' would, from the metrics that it recorded itself, and how that went.

Every decision is predicted by an implementation of its own and compared. A decision that is off by one replica at one
sync may be a matter of instants that nobody knows; more replicas, a second sync in a row, or the same at many decisions
is a deviation. Whether the metrics are honest is asked of one of them, the offered load.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise

import msgspec

from harness.experiment.expectations.autoscaler import Autoscaler
from harness.experiment.expectations.scaling import ScalingCheck
from harness.record.reader import Run
from harness.verify import figures
from harness.verify.figures import at, bounded, say
from harness.verify.scaling import course, offered
from harness.verify.scaling.hpa import scaled
from harness.verify.scaling.prediction import Prediction, longest_deviation, predictions
from harness.verify.scaling.trace import Sync, Trace, restarted, traces_of, unseen_between
from harness.verify.verdict import Evidence, Figure, Verdict

MISSED_SHARE = 0.02  # of syncs that no scrape caught
SILENT_PERIODS = 5  # sync periods without a sync after which the autoscaler counts as stopped
SILENT_S = 5.0  # … and at least so long: a busy machine stands still for seconds, however its times are scaled
SLIPS_PASS, SLIPS_FAIL = 0.05, 0.1  # of all decisions, those that are off; a single one is let pass
SHOWN_DEVIATIONS = 3
SHOWN_CHANGES = 20


def check_scaling(run: Run, check: ScalingCheck) -> Verdict:
    name = name_of(check)
    hpa = scaled(check.autoscaler)
    traces = traces_of(run, hpa)
    if not any(trace.syncs for trace in traces):
        doubts = [trace.doubt for trace in traces] or ["no scrape of a controller shows a sync"]
        return figures.verdict_of("scaling", name, [_nothing(doubts[0])], passed="")
    found: list[Figure] = []
    evidence: list[Evidence] = []
    told = []
    for trace in traces:
        predicted = predictions(hpa, trace.syncs)
        own = _of_trace(run, check, hpa, trace, predicted)
        found += own if len(traces) == 1 else [_named(figure, trace.service) for figure in own]
        evidence += [*_deviations(predicted), *_changes(predicted)]
        told.append(_told(trace, predicted))
    return figures.verdict_of("scaling", name, found, evidence, passed=" ".join(told))


def name_of(check: ScalingCheck) -> str:
    words = ["scales as Kubernetes would"]
    if check.ready_within is not None:
        words.append(f"ready within {check.ready_within}")
    if check.max_flaps is not None:
        words.append(f"at most {check.max_flaps} changes of direction")
    return f"scaling: {'; '.join(words)}"


def _nothing(why: str) -> Figure:
    return figures.unknown("syncs", unit="", accept="some", reason=why)


def _named(figure: Figure, service: str) -> Figure:
    return msgspec.structs.replace(figure, name=f"{figure.name} ({service})")


def _of_trace(
    run: Run, check: ScalingCheck, hpa: Autoscaler, trace: Trace, predicted: Sequence[Prediction]
) -> list[Figure]:
    if not predicted:
        return [_nothing(trace.doubt)]
    return [
        *_agreement(predicted),
        *_evidence_of_it(check, trace, predicted),
        _keeps_syncing(hpa, trace),
        _carried_out(trace.syncs),
        *offered.figures_of(run, check, hpa, trace),
        *course.figures_of(run, check, hpa, trace.syncs),
    ]


# --- agreement --------------------------------------------------------------------------------------------------------


def _agreement(predicted: Sequence[Prediction]) -> list[Figure]:
    furthest = max(predicted, key=lambda each: abs(each.off))
    longest = longest_deviation(predicted)
    moves = _moves(predicted)
    slips = [each for each in moves if each.off]
    return [
        bounded(
            "replicas away from the predicted number", abs(furthest.off), 1, unit="", samples=len(predicted),
            reason=f"the autoscaler deviates at {_in_words(furthest)}",
        ),
        bounded(
            "syncs in a row away from the predicted number", len(longest), 1, unit="", samples=len(predicted),
            reason=f"the autoscaler deviates from {_in_words(longest[0])}" if longest else "",
        ),
        figures.rarely(
            "decisions away from the predicted number", len(slips), len(moves),
            passes_at=max(SLIPS_PASS, 1 / max(1, len(moves))), fails_above=SLIPS_FAIL,
            reason=f"the autoscaler deviates, first at {_in_words(slips[0])}" if slips else "",
        ) if moves else figures.reported("decisions away from the predicted number", 0, unit="", samples=0),
    ]  # fmt: skip


def _moves(predicted: Sequence[Prediction]) -> list[Prediction]:
    return [each for each in predicted if each.due or each.sync.change]


def _in_words(each: Prediction) -> str:
    """`T+36.5 s (sync 103): of 12 replicas it made 16, expected 12 (by stabilisation; proposed 16)`"""
    sync, decision = each.sync, each.most if each.off > 0 else each.least
    low, high = each.least.desired, each.most.desired
    expected = f"{low}" if low == high else f"{low} to {high}"
    proposed = "" if decision.proposed is None else f"; proposed {decision.proposed}"
    return (
        f"{at(sync.at_s)} (sync {sync.number}): of {sync.seen.current} replicas it made {sync.desired}, "
        f"expected {expected} (by {decision.rule.value}{proposed})"
    )


def _evidence_of_it(check: ScalingCheck, trace: Trace, predicted: Sequence[Prediction]) -> list[Figure]:
    """Whether enough was seen, and whether there was anything to decide."""
    caught, missed = len(trace.syncs), trace.missed
    share = missed / (missed + caught)
    moves = len(_moves(predicted))
    needed = check.expect_scaling
    return [
        figures.condition(
            "syncs that no scrape caught", share, unit="ratio", samples=missed + caught,
            accept=f"at most {say(MISSED_SHARE, 'ratio')}", holds=share <= MISSED_SHARE,
            reason="too few syncs were recorded to follow the autoscaler",
        ),
        figures.condition(
            "syncs at which the number changed or had to", moves, unit="", samples=caught,
            accept="some" if needed else "reported", holds=moves > 0 or not needed,
            reason="the run never made it necessary to scale",
        ),
        figures.reported("restarts of the autoscaler", trace.restarts, unit="", samples=caught),
    ]  # fmt: skip


def _keeps_syncing(hpa: Autoscaler, trace: Trace) -> Figure:
    """Scrapes went on and showed no new sync; what was not shown until the end nobody knows."""
    name, most_s = "longest time without a sync", max(SILENT_S, SILENT_PERIODS * float(hpa.sync_period))
    if trace.ends_early and trace.silent_s <= most_s:
        return figures.unknown(name, unit="s", accept=f"at most {say(most_s, 's')}", reason=trace.ends_early)
    return bounded(
        name, trace.silent_s, most_s, unit="s", samples=len(trace.syncs), reason="the autoscaler stopped"
    )  # fmt: skip


def _carried_out(syncs: Sequence[Sync]) -> Figure:
    """What was decided at a sync is the size at the next one; somebody else may have changed it once."""
    longest, running, first = 0, 0, ""
    for before, after in pairwise(syncs):
        if restarted(before, after) or unseen_between(before, after):
            running = 0
            continue
        differs = before.desired != after.seen.current
        running = running + 1 if differs else 0
        if differs and not first:
            first = f"{before.desired} were decided and {after.seen.current} found at {at(after.at_s)}"
        longest = max(longest, running)
    return bounded(
        "syncs in a row at another size than was decided", longest, 1, unit="", samples=len(syncs), reason=first
    )


# --- words ------------------------------------------------------------------------------------------------------------


def _told(trace: Trace, predicted: Sequence[Prediction]) -> str:
    sizes = [sync.desired for sync in trace.syncs]
    changes = sum(sync.change != 0 for sync in trace.syncs)
    return (
        f"{trace.service} decided what was predicted at {len(predicted):,} syncs; with {changes:,} changes it kept "
        f"between {min(sizes, default=0)} and {max(sizes, default=0)} replicas."
    )


def _deviations(predicted: Sequence[Prediction]) -> list[Evidence]:
    found = [each for each in predicted if each.off]
    return [
        Evidence(at_s=each.sync.at_s, sentence=f"Deviation: {_in_words(each)}.", source="metrics")
        for each in found[:SHOWN_DEVIATIONS]
    ]


def _changes(predicted: Sequence[Prediction]) -> Iterable[Evidence]:
    changes = [each for each in predicted if each.sync.change]
    for each in changes[:SHOWN_CHANGES]:
        sync, decision = each.sync, each.most if each.sync.desired == each.most.desired else each.least
        why = f", by {decision.rule.value}" if each.off == 0 else ""
        sentence = f"{sync.seen.current} → {sync.desired} replicas{why}; {sync.ready} were ready."
        yield Evidence(at_s=sync.at_s, sentence=sentence, source="metrics")
