"""The shedding promise: who is refused at which overload, and how.

The overload of the replica that answered is computed from the requests that clients sent it, and the promised curve
gives each request its probability of being shed. What was shed is compared with the sum of those probabilities, by
priority, over all overloaded time (which decides) and in each stretch of load (which may only contradict). Noise of the
arrivals around 1x needs no special case: it is in the probabilities.
"""

from itertools import pairwise

import numpy as np

from harness.experiment.expectations.shedding import SheddingCheck
from harness.record.reader import Run
from harness.verify import all_refusals, figures, overload, refusals, statistics, windows
from harness.verify.all_refusals import SAFE_SHED_SHARE
from harness.verify.figures import Tested, at, say
from harness.verify.shed_answers import Answers, answers_of
from harness.verify.statistics import Estimate
from harness.verify.verdict import Evidence, Figure, Interval, Outcome, Verdict
from harness.verify.windows import Bools, Floats, Ints

SAFE_OVERLOAD = 0.8  # measured overload at or below which no noise of the arrivals excuses a refusal
MIN_CELL = 100  # answers of one priority in one stretch of load
MIN_STRETCH_S = 5.0
POOLED = "whenever overloaded"


def check_shedding(run: Run, check: SheddingCheck) -> Verdict:
    name = name_of(check)
    promise = run.plan.target.promises.shedding
    if promise is None:
        return figures.verdict_of("shedding", name, [_nothing("the target promises no shedding")], passed="")
    load = overload.of_requests(run, promise)
    of_all = all_refusals.figures_of(run, check, promise, load)
    answers = answers_of(run, promise, load)
    if answers is None:
        why = "no answer names the replica that gave it and its level"
        return figures.verdict_of("shedding", name, [_nothing(why), *of_all], passed="")
    tests, stretches = _ratio_tests(run, check, answers)
    prices = refusals.latency_tests(check, answers)
    decided = figures.decided([*tests, *stretches, *prices], figures.alpha_of(run.plan))
    found = [
        *_pooled_decide(decided[: len(tests)], decided[len(tests) : len(tests) + len(stretches)]),
        *decided[len(tests) + len(stretches) :],
        *_too_few(check, answers),
        *of_all,
        _no_false_shedding(answers),
        *_inversions(answers),
        *refusals.figures_of(answers),
        *_occasion(check, answers),
    ]
    return figures.verdict_of("shedding", name, found, _evidence(answers, found), passed=_passed(answers, found))


def name_of(check: SheddingCheck) -> str:
    what = "as the curve says" if check.expect_shedding else "nothing without overload"
    return f"shedding: {what}, ± {check.tolerance}, refusals p99 ≤ {check.refusal_p99}"


# --- ratios ---------------------------------------------------------------------------------------------------------


def _ratio_tests(run: Run, check: SheddingCheck, answers: Answers) -> tuple[list[Tested], list[Tested]]:
    """By priority: pooled over all time with a chance to be shed, and for each stretch of planned load."""
    pooled, stretches = [], []
    long_enough = [stretch for stretch in windows.plateaus(run.plan) if stretch.length_s >= MIN_STRETCH_S]
    for priority in np.unique(answers.priority):
        mine = (answers.priority == priority) & (answers.chance > 0)
        if int(mine.sum()) >= MIN_CELL:
            pooled.append(_ratio_test(check, answers, mine, POOLED, int(priority)))
        for stretch in long_enough:
            here = mine & stretch.holds(answers.sent_s)
            if int(here.sum()) >= MIN_CELL:
                stretches.append(_ratio_test(check, answers, here, stretch.name, int(priority)))
    return pooled, stretches if len(long_enough) > 1 else []


def _ratio_test(check: SheddingCheck, answers: Answers, mine: Bools, where: str, priority: int) -> Tested:
    """Observed minus promised share of shed answers; its error is that of blocks, and at least the binomial one.

    By how much the parts of a run differ was done to the system and is no chance; within a part everything is.
    """
    shed, chance = answers.shed[mine], answers.chance[mine]
    busy_s, length_s = windows.busy_time_s(answers.sent_s[mine])
    off = _without_course(shed - chance, answers.part[mine])
    difference = statistics.block_mean(busy_s, off, start_s=0.0, end_s=length_s)
    estimate = _at_least_binomial(difference, chance)
    promised, tolerance = float(chance.mean()), float(check.tolerance)
    return Tested(
        name=f"priority {priority} shed {where}",
        unit="ratio",
        estimate=estimate,
        low=-tolerance,
        high=tolerance,
        accept=_accepted(check, chance),
        on_scale=False,
        shown=promised + estimate.value,
        bar=_shifted(estimate.interval, promised),
    )


def _without_course(values: Floats, part: Ints) -> Floats:
    """The same mean, with the means of all parts made equal to it."""
    means = np.bincount(part, weights=values) / np.maximum(np.bincount(part), 1)
    result: Floats = values - means[part] + values.mean()
    return result


def _at_least_binomial(estimate: Estimate, chance: Floats) -> Estimate:
    """Draws with these probabilities cannot be known better than their own variance allows."""
    if estimate.interval is None:
        return estimate
    binomial = float(np.sqrt((chance * (1 - chance)).sum())) / len(chance)
    return statistics.with_error_at_least(estimate, max(binomial, 1 / len(chance)))


def _too_few(check: SheddingCheck, answers: Answers) -> list[Figure]:
    """Priorities of which so little came while overloaded that nobody knows how they are shed."""
    found = []
    for priority in np.unique(answers.priority) if check.expect_shedding else ():
        mine = (answers.priority == priority) & (answers.chance > 0)
        if 0 < (count := int(mine.sum())) < MIN_CELL:
            found.append(
                figures.stated(
                    f"priority {int(priority)} shed {POOLED}",
                    float(answers.shed[mine].mean()),
                    unit="ratio",
                    samples=count,
                    accept=_accepted(check, answers.chance[mine]),
                    outcome=Outcome.INCONCLUSIVE,
                    reason=f"at least {MIN_CELL} answers are needed",
                )
            )
    return found


def _accepted(check: SheddingCheck, chance: Floats) -> str:
    """With the ends of it, which a share may be close to."""
    promised = float(chance.mean())
    low, high = max(0.0, promised - check.tolerance), min(1.0, promised + check.tolerance)
    return f"{say(promised, 'ratio')} ± {say(check.tolerance, 'ratio')}, so {say(low, 'ratio')} to {say(high, 'ratio')}"


def _shifted(interval: Interval | None, by: float) -> Interval | None:
    if interval is None:
        return None
    low, high = statistics.ends(interval)
    return Interval(low=max(0.0, low + by), high=min(1.0, high + by), level=interval.level, method=interval.method)


def _pooled_decide(pooled: tuple[Figure, ...], stretches: tuple[Figure, ...]) -> list[Figure]:
    """A stretch that alone has too few answers is not held against a priority that all of them together decide."""
    settled = {_priority_of(figure) for figure in pooled if figure.outcome is Outcome.PASS}
    found = list(pooled)
    for figure in stretches:
        if figure.outcome is Outcome.INCONCLUSIVE and _priority_of(figure) in settled:
            found.append(
                Figure(
                    name=figure.name,
                    unit=figure.unit,
                    value=figure.value,
                    interval=figure.interval,
                    samples=figure.samples,
                    blocks=figure.blocks,
                    accept=figure.accept,
                    outcome=Outcome.PASS,
                    reason="too few answers to decide alone; does not contradict, and the whole run decides",
                )
            )
        else:
            found.append(figure)
    return found


def _priority_of(figure: Figure) -> str:
    return figure.name.split(" shed ")[0]


# --- what must never be ---------------------------------------------------------------------------------------------


def _no_false_shedding(answers: Answers) -> Figure:
    calm = answers.overload <= SAFE_OVERLOAD
    hits = calm & answers.shed
    name = f"shed at or below {SAFE_OVERLOAD:g}x"
    if not calm.any():
        return figures.stated(
            name, None, unit="ratio", samples=0, accept="0", outcome=Outcome.PASS, reason="never so calm"
        )
    reason = f"first at {at(answers.sent_s[hits][0])}" if hits.any() else ""
    return figures.rarely(
        name, int(hits.sum()), int(calm.sum()), passes_at=0.0, fails_above=SAFE_SHED_SHARE, reason=reason
    )


def _inversions(answers: Answers) -> list[Figure]:
    """Whether a more important priority was shed more than a less important one, beyond chance."""
    busy = answers.chance > 0
    priorities = [int(value) for value in np.unique(answers.priority[busy])]
    found = []
    for upper, lower in pairwise(priorities):
        first, second = busy & (answers.priority == upper), busy & (answers.priority == lower)
        n, m = int(first.sum()), int(second.sum())
        if min(n, m) < MIN_CELL:
            continue
        high = statistics.clopper_pearson(int(answers.shed[second].sum()), m, 0.99).high
        low = statistics.clopper_pearson(int(answers.shed[first].sum()), n, 0.99).low
        inverted = low is not None and high is not None and low > high
        found.append(
            figures.stated(
                f"priority {upper} shed less than {lower}",
                float(answers.shed[first].mean() - answers.shed[second].mean()),
                unit="ratio",
                samples=n + m,
                accept="not above 0",
                outcome=Outcome.FAIL if inverted else Outcome.PASS,
                reason="the more important was refused more often" if inverted else "",
            )
        )
    return found


def _occasion(check: SheddingCheck, answers: Answers) -> list[Figure]:
    """A run without overload proves nothing about shedding."""
    if not check.expect_shedding:
        return []
    expected = float(answers.chance.sum())
    enough = expected >= MIN_CELL
    return [
        figures.stated(
            "refusals that the curve promises in this run",
            expected,
            unit="answers",
            samples=len(answers.chance),
            accept=f"at least {MIN_CELL}, to have something to judge",
            outcome=Outcome.PASS if enough else Outcome.INCONCLUSIVE,
            reason="" if enough else f"the highest overload was {answers.overload.max():.2f}x",
        )
    ]


# --- words ----------------------------------------------------------------------------------------------------------


def _nothing(why: str) -> Figure:
    return figures.stated("answers", 0.0, unit="", samples=0, accept="some", outcome=Outcome.INCONCLUSIVE, reason=why)


def _passed(answers: Answers, found: list[Figure]) -> str:
    shares = [
        f"{figure.name} {say(figure.value, 'ratio')} (promised {figure.accept})"
        for figure in found
        if figure.name.endswith(POOLED) and figure.value is not None
    ]
    if not shares:
        return f"Nothing was shed that should not have been; the highest overload was {answers.overload.max():.2f}x."
    return f"Shed as promised up to {answers.overload.max():.2f}x: {'; '.join(shares)}."


def _evidence(answers: Answers, found: list[Figure]) -> list[Evidence]:
    """The moment of highest overload, and for each refusal that should not have been the first one."""
    top = int(answers.overload.argmax())
    evidence = [
        Evidence(
            at_s=float(answers.sent_s[top]),
            sentence=f"The highest overload of a replica was {answers.overload[top]:.2f}x.",
            source="requests",
        )
    ]
    wrong = answers.shed & (answers.chance == 0)
    if wrong.any() and any(figure.outcome is not Outcome.PASS for figure in found):
        first = int(wrong.argmax())
        sentence = (
            f"Shed at {answers.overload[first]:.2f}x with priority {int(answers.priority[first])}, where the curve "
            f"sheds nothing; {int(wrong.sum()):,} such in all."
        )
        evidence.append(Evidence(at_s=float(answers.sent_s[first]), sentence=sentence, source="requests"))
    return evidence
