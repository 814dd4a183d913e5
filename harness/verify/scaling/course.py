"""How scaling went after the planned rate changed: when it was decided, when capacity was ready, how far it overshot.

A plateau is the time from one change of the planned rate to the next. What an autoscaler decides within it in two
directions it did by itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from harness.experiment.expectations.autoscaler import Autoscaler
from harness.experiment.expectations.scaling import ScalingCheck
from harness.record.reader import Run
from harness.verify import figures, windows
from harness.verify.figures import at
from harness.verify.moments import Lapse, Moment, lapse, never_within, timed
from harness.verify.scaling.trace import Sync
from harness.verify.verdict import Figure, Outcome

DECIDED, READY = "first decision after", "ready capacity after"
FLAPS_WITHIN_S = 600.0  # divided by `time_scale`


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A planned change of the rate by more than the autoscaler tolerates, until the next one."""

    at_s: float
    until_s: float
    before_per_s: float
    after_per_s: float

    @property
    def rises(self) -> bool:
        return self.after_per_s > self.before_per_s

    @property
    def words(self) -> str:
        return f"the {'rise' if self.rises else 'fall'} at {at(self.at_s)}"


def steps_of(run: Run, hpa: Autoscaler) -> list[Step]:
    """A ramp counts from its beginning."""
    moments = []
    for before, after in pairwise(run.plan.rate):
        change = abs(after.to_per_s - before.to_per_s)
        if change > hpa.tolerance * before.to_per_s:
            moments.append((after.start_s, before.to_per_s, after.to_per_s))
    ends = [*(moment[0] for moment in moments[1:]), windows.end_of_load_s(run)]
    return [
        Step(at_s=at_s, until_s=until_s, before_per_s=before_per_s, after_per_s=after_per_s)
        for (at_s, before_per_s, after_per_s), until_s in zip(moments, ends, strict=False)
    ]


def figures_of(run: Run, check: ScalingCheck, hpa: Autoscaler, syncs: Sequence[Sync]) -> list[Figure]:
    """`hpa` is in the system's scale."""
    steps = steps_of(run, hpa)
    found = [figure for step in steps for figure in _after(step, check, _between(syncs, step.at_s, step.until_s))]
    if check.ready_within is not None and not any(figure.name.startswith(READY) for figure in found):
        why = "no rise of the planned rate made it scale up"
        found.append(figures.unknown(READY, unit="s", accept=f"at most {check.ready_within}", reason=why))
    return [*found, _flaps(check, steps, syncs, windows.end_of_load_s(run))]


def _after(step: Step, check: ScalingCheck, syncs: Sequence[Sync]) -> list[Figure]:
    if not syncs:
        return []
    found = [_first_decision(step, syncs)]
    settled = syncs[-1].desired
    if step.rises and settled > syncs[0].seen.current:
        found.append(_ready(step, check, syncs, settled))
    if step.rises:
        highest = max(sync.desired for sync in syncs)
        name = f"overshoot after {step.words}"
        found.append(figures.reported(name, highest - settled, unit="replicas", samples=len(syncs)))
    return found


def _first_decision(step: Step, syncs: Sequence[Sync]) -> Figure:
    """The first change in the direction of the rate."""
    name = f"{DECIDED} {step.words}"
    way = 1 if step.rises else -1
    first = next((sync for sync in syncs if sync.change * way > 0), None)
    if first is None:
        return _never(name, len(syncs), "none followed")
    return timed(name, _since(step, first, first), None, samples=len(syncs))


def _ready(step: Step, check: ScalingCheck, syncs: Sequence[Sync], settled: int) -> Figure:
    """From when on as many replicas were ready as the autoscaler wanted at the end of the plateau."""
    name = f"{READY} {step.words}"
    objective_s = None if check.ready_within is None else float(check.ready_within)
    short = [place for place, sync in enumerate(syncs) if sync.ready < settled]
    since = short[-1] + 1 if short else 0
    if since < len(syncs):
        took = _since(step, syncs[max(0, since - 1)], syncs[since])
        return timed(name, took, objective_s, samples=len(syncs))
    why = f"{syncs[-1].ready} of {settled} replicas were ready in the end"
    if objective_s is None:
        return _never(name, len(syncs), why)
    return never_within(name, objective_s, watched_s=syncs[-1].at_s - step.at_s, samples=len(syncs), why=why)


def _since(step: Step, not_before: Sync, shown: Sync) -> Lapse:
    """From the step to something that the sync `shown` shows and that was not there before the other one."""
    earliest_s = max(step.at_s, not_before.at_s - not_before.seen.error_s)
    moment = Moment(at_s=shown.at_s, earliest_s=earliest_s, latest_s=shown.at_s, source="metrics")
    return lapse(Moment.exactly(step.at_s, "events"), moment)


def _never(name: str, samples: int, why: str) -> Figure:
    """Something that nothing was asked of, and that did not happen."""
    return figures.stated(name, None, unit="s", samples=samples, accept="reported", outcome=Outcome.PASS, reason=why)


def _flaps(check: ScalingCheck, steps: Sequence[Step], syncs: Sequence[Sync], end_s: float) -> Figure:
    """The most changes of direction in any ten minutes."""
    edges_s = [float("-inf"), *(step.at_s for step in steps), end_s]
    turns_s = [turn for from_s, to_s in pairwise(edges_s) for turn in _turns_s(_between(syncs, from_s, to_s))]
    within_s = FLAPS_WITHIN_S / check.autoscaler.time_scale
    most = max((sum(start_s <= turn < start_s + within_s for turn in turns_s) for start_s in turns_s), default=0)
    return figures.bounded(
        f"changes of direction within {figures.say(within_s, 's')}", most, check.max_flaps, unit="", samples=len(syncs),
        reason="at " + ", ".join(at(turn) for turn in turns_s),
    )  # fmt: skip


def _turns_s(syncs: Sequence[Sync]) -> list[float]:
    moves = [sync for sync in syncs if sync.change]
    return [after.at_s for before, after in pairwise(moves) if before.change * after.change < 0]


def _between(syncs: Sequence[Sync], from_s: float, to_s: float) -> list[Sync]:
    return [sync for sync in syncs if from_s < sync.at_s <= to_s]
