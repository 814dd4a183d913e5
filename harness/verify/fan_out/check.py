"""Whether what is posted is soon where the followers look, whoever else posts, and whether all of it arrives.

How soon is judged by what users saw; how late the queue was, and what became of all posts, by what the workers show
beside the posts that clients were told of.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec
import numpy as np

from harness.experiment.expectations.fan_out import FanOutCheck
from harness.record.reader import Run
from harness.record.rows import Change
from harness.verify import figures
from harness.verify.consistency.answers import answers_of
from harness.verify.consistency.recorded import history_of
from harness.verify.fan_out import queue
from harness.verify.fan_out.delays import Delays, delays
from harness.verify.figures import Tested, at, say
from harness.verify.slo import QuantileObjective, quantile_test
from harness.verify.statistics import Floats, min_samples
from harness.verify.verdict import Evidence, Figure, Outcome, Verdict
from harness.verify.windows import Bools, Window, end_of_load_s, is_steady, is_word

QUANTILE = 0.95


def check_fan_out(run: Run, check: FanOutCheck) -> Verdict:
    limits = ", ".join(f"{operation} ≤ {limit}" for operation, limit in check.p95.items())
    name = f"fan-out: missed for {limits}"
    settled_s = max(queue.SETTLED_S, *map(float, check.p95.values()))
    found = delays(answers_of(history_of(run)), settled_s=settled_s)
    evidence: list[Evidence] = []
    told = _delay_figures(run, check, found, evidence)
    told.append(_missed(found))
    queues, doubts = queue.queues_of(run)
    told += doubts
    for each in queues:
        if check.lag is not None:
            told.append(queue.longest_lag(each, float(check.lag)))
        if check.drained_within is not None:
            told.append(queue.drained(run, each, float(check.drained_within)))
        told += queue.in_the_end(run, each)
    return figures.verdict_of("fan_out", name, told, evidence, passed=_passed(told))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Limit:
    """How long the posts of one operation may be missed; `mine` says which of all posts those are."""

    operation: str
    limit_s: float
    mine: Bools


def _delay_figures(run: Run, check: FanOutCheck, found: Delays, evidence: list[Evidence]) -> list[Figure]:
    """A limit is kept if it is by the longest that posts can have been missed, and broken if it is by the shortest.

    Posts that wait in one queue are late together, so the error bar is over blocks of time and not over posts.
    """
    alpha, operations = figures.alpha_of(run.plan), _operations(run, found)
    limits = [
        _Limit(operation=operation, limit_s=float(limit_s), mine=operations == operation)
        for operation, limit_s in check.p95.items()
    ]
    least, most = (
        figures.decided([_tested(run, limit, found.acked_s, delay_s) for limit in limits], alpha)
        for delay_s in (found.least_s, found.most_s)
    )
    evidence += [moment for limit in limits for moment in _late(limit, found)]
    return [_delay_figure(*each, found) for each in zip(limits, least, most, strict=True)]


def _tested(run: Run, limit: _Limit, acked_s: Floats, delay_s: Floats) -> Tested:
    window = Window(name="run", start_s=0.0, end_s=end_of_load_s(run))
    objective = QuantileObjective(name=f"{limit.operation} missed for p95", quantile=QUANTILE, limit_s=limit.limit_s)
    return quantile_test(
        objective, acked_s[limit.mine], delay_s[limit.mine], window=window, steady=is_steady(run, window)
    )


def _delay_figure(limit: _Limit, surely: Figure, possibly: Figure, found: Delays) -> Figure:
    if surely.outcome is Outcome.FAIL:
        late_s = found.acked_s[limit.mine & (found.least_s > limit.limit_s)]
        many = f"{len(late_s):,} of {surely.samples:,} were later"
        reason = f"{many}, posted from {at(float(late_s[0]))} to {at(float(late_s[-1]))}"
        return msgspec.structs.replace(surely, reason=reason)
    if surely.samples < (needed := min_samples(QUANTILE)):
        why = f"not estimable from fewer than {needed} posts that were read there"
        return msgspec.structs.replace(surely, value=None, outcome=Outcome.INCONCLUSIVE, reason=why)
    if surely.outcome is Outcome.PASS and possibly.outcome is not Outcome.PASS:
        unseen = int((limit.mine & (found.most_s > limit.limit_s) & (found.least_s <= limit.limit_s)).sum())
        why = f"for {unseen:,} posts nobody looked in time"
        return msgspec.structs.replace(possibly, value=surely.value, outcome=Outcome.INCONCLUSIVE, reason=why)
    return possibly if possibly.outcome is Outcome.PASS else surely


def _late(limit: _Limit, found: Delays) -> Iterator[Evidence]:
    """The first post that was, and the time of all of them."""
    late = np.flatnonzero(limit.mine & (found.least_s > limit.limit_s))
    if len(late):
        first, last = float(found.acked_s[late[0]]), float(found.acked_s[late[-1]])
        sentence = f"{limit.operation} {found.post[late[0]]} is missed {_for(float(found.least_s[late[0]]))}."
        yield Evidence(at_s=first, until_s=last, sentence=sentence, source="requests")


def _operations(run: Run, found: Delays) -> "np.ndarray[tuple[int], np.dtype[np.object_]]":
    """By which operation each of the posts was made."""
    posted = run.requests.loc[is_word(run.requests["change"], Change.ADD), ["written", "operation"]]
    made_by = dict(zip(posted["written"].astype(str), posted["operation"].astype(str), strict=True))
    return np.array([made_by[post] for post in found.post], dtype=object)


def _for(delay_s: float) -> str:
    return "until its place was gone" if np.isinf(delay_s) else f"for {say(delay_s, 's')}"


def _missed(found: Delays) -> Figure:
    missed: Bools = found.missed_in_the_end
    first = found.post[int(missed.argmax())] if missed.any() else ""
    return figures.never(
        "posts missed in the end", int(missed.sum()), int(found.in_the_end.sum()), reason=f"first {first}"
    )


def _passed(told: list[Figure]) -> str:
    said = [
        f"{figure.name} {say(figure.value, 's')}" for figure in told if figure.unit == "s" and figure.value is not None
    ]
    return f"{'; '.join(said)}. In the end nothing waits, nothing was given up, and nothing is missing."
