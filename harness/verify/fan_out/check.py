"""Whether what is posted is soon where the followers look, whoever else posts, and whether all of it arrives.

How soon is judged by what users saw; how late the queue was, and what became of all posts, by what the workers show
beside the posts that clients were told of.
"""

import numpy as np

from harness.experiment.expectations.fan_out import FanOutCheck
from harness.record.reader import Run
from harness.record.rows import Change
from harness.verify import figures
from harness.verify.consistency.answers import answers_of
from harness.verify.consistency.recorded import history_of
from harness.verify.fan_out import queue
from harness.verify.fan_out.delays import Delays, delays
from harness.verify.figures import at, say
from harness.verify.verdict import Evidence, Figure, Verdict
from harness.verify.windows import Bools, is_word

QUANTILE = 0.95


def check_fan_out(run: Run, check: FanOutCheck) -> Verdict:
    limits = ", ".join(f"{operation} ≤ {limit}" for operation, limit in check.p95.items())
    name = f"fan-out: missed for {limits}"
    found = delays(answers_of(history_of(run)))
    evidence: list[Evidence] = []
    told = _delay_figures(run, check, found, evidence)
    told.append(_missed(found))
    queues = queue.queues_of(run)
    if not queues:
        told.append(figures.unknown("queues", unit="", accept="some", reason="no worker showed what waits"))
    for each in queues:
        if check.lag is not None:
            told.append(queue.longest_lag(each, float(check.lag)))
        if check.drained_within is not None:
            told.append(queue.drained(run, each, float(check.drained_within)))
        told += queue.in_the_end(run, each)
    return figures.verdict_of("fan_out", name, told, evidence, passed=_passed(told))


def _delay_figures(run: Run, check: FanOutCheck, found: Delays, evidence: list[Evidence]) -> list[Figure]:
    alpha = figures.alpha_of(run.plan) / len(check.p95)
    operations = _operations(run, found)
    told = []
    for operation, limit_s in check.p95.items():
        mine = operations == operation
        late = np.flatnonzero(mine & (found.delay_s > limit_s))
        reason = ""
        if len(late):
            first, last = float(found.acked_s[late[0]]), float(found.acked_s[late[-1]])
            reason = f"{len(late):,} of {int(mine.sum()):,} were later, posted from {at(first)} to {at(last)}"
            sentence = f"{operation} {found.post[late[0]]} is missed {_for(float(found.delay_s[late[0]]))}."
            evidence.append(Evidence(at_s=first, until_s=last, sentence=sentence, source="requests"))
        ordered_s = np.sort(found.delay_s[mine])
        told.append(
            figures.late(
                f"{operation} missed for p95", ordered_s, QUANTILE,
                limit_s=float(limit_s), alpha=alpha, what="posts", reason=reason,
            )
        )  # fmt: skip
    return told


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
    return figures.never("posts missed in the end", int(missed.sum()), len(missed), reason=f"first {first}")


def _passed(told: list[Figure]) -> str:
    said = [
        f"{figure.name} {say(figure.value, 's')}" for figure in told if figure.unit == "s" and figure.value is not None
    ]
    return f"{'; '.join(said)}. In the end nothing waits, nothing was given up, and nothing is missing."
