"""From measured quantities to decided figures: how a check says what it found, and what that means.

Statistical figures of one check are decided together, so that many of them do not make a healthy system red by chance;
counts of things that must never happen are no hypotheses and are decided alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from harness.experiment.expectations.caching import CachingCheck
from harness.experiment.expectations.check import Check
from harness.experiment.expectations.consistency import ConsistencyCheck
from harness.experiment.expectations.fan_out import FanOutCheck
from harness.experiment.expectations.severity import SeverityCheck
from harness.experiment.expectations.shedding import SheddingCheck
from harness.experiment.expectations.slo import SloCheck
from harness.plan import Plan
from harness.verify import quantities, statistics
from harness.verify.quantities import unlike
from harness.verify.statistics import Estimate, Floats
from harness.verify.verdict import Evidence, Figure, Interval, Outcome, Verdict, worst

MOST_NAMED = 4  # figures in a verdict's sentence besides the first; the others are in its table
REPORTED = "reported"  # what is accepted of a figure that nothing was asked of
FAR_BEYOND = 2.0  # times the share that is allowed
STATISTICAL = (SloCheck, SheddingCheck, FanOutCheck, SeverityCheck)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tested:
    """A share or mean, and the region in which it is accepted. `shown` and `bar` replace what is printed where the
    test is on another scale than the objective (a quantile is tested as the share above its limit)."""

    name: str
    unit: str
    estimate: Estimate
    low: float | None = None
    high: float | None = None
    accept: str
    on_scale: bool = True
    shown: float | None = None
    bar: Interval | None = None

    @property
    def bound(self) -> float:
        """The end of the accepted region that is nearer."""
        ends = [end for end in (self.low, self.high) if end is not None]
        return min(ends, key=lambda end: abs(end - self.estimate.value))

    @property
    def beyond(self) -> bool:
        """Whether the estimate itself is outside the accepted region."""
        value = self.estimate.value
        return (self.high is not None and value > self.high) or (self.low is not None and value < self.low)

    @property
    def p_value(self) -> float:
        """How likely this is by chance, were the truth at the limit.

        Where the share is far beyond its limit, the course over time is taken as a fact: a third of all requests failed
        in one outage *is* more than one percent, though one outage says little about how many there are on average.
        """
        if not self.beyond:
            return 1.0
        p_value = self.estimate.p_beyond(self.bound)
        return min(p_value, self.estimate.p_beyond(self.bound, as_course=True)) if self._far_beyond else p_value

    @property
    def _far_beyond(self) -> bool:
        value = self.estimate.value
        if self.high is not None and value > self.high:
            return value >= FAR_BEYOND * self.high
        return self.low is not None and 1 - value >= FAR_BEYOND * (1 - self.low)


def alpha_of(plan: Plan) -> float:
    """What one check may spend of the run's chance to be red by accident; equal parts for all statistical checks."""
    return statistics.FALSE_RED / max(1, sum(_is_statistical(check) for check in plan.expect))


def _is_statistical(check: Check) -> bool:
    if isinstance(check, ConsistencyCheck):
        return check.staleness_p99 is not None
    if isinstance(check, CachingCheck):
        return bool(check.layers)
    return isinstance(check, STATISTICAL)


def decided(tests: Sequence[Tested], alpha: float) -> tuple[Figure, ...]:
    """Pass by the interval, fail by Holm over all, inconclusive with the number of samples that would decide."""
    rejected = statistics.holm([test.p_value for test in tests], alpha)
    each = alpha / max(1, len(tests))
    return tuple(_figure(test, rejected=hit, alpha=each) for test, hit in zip(tests, rejected, strict=True))


def _figure(test: Tested, *, rejected: bool, alpha: float) -> Figure:
    estimate = test.estimate
    outcome = statistics.decide(estimate.interval, low=test.low, high=test.high, rejected=rejected)
    undecided = outcome is Outcome.INCONCLUSIVE
    needed = None
    if undecided:
        needed = statistics.needed_samples(estimate, test.bound, beyond=test.beyond, alpha=alpha)
    return Figure(
        name=test.name,
        unit=test.unit,
        value=estimate.value if test.on_scale else test.shown,
        interval=estimate.interval if test.on_scale else test.bar,
        samples=estimate.samples,
        blocks=estimate.blocks,
        accept=test.accept,
        outcome=outcome,
        reason=_why_undecided(test) if undecided else "",
        needed_samples=needed,
    )


def _why_undecided(test: Tested) -> str:
    estimate = test.estimate
    if estimate.samples == 0:
        return "nothing measured"
    if estimate.interval is None:
        return f"{estimate.blocks} blocks of {estimate.block_s:g} s hold data, {statistics.MIN_BLOCKS} are needed"
    if test.beyond:
        return "outside, but not by more than chance can do"
    return "the error bar reaches over the limit"


def never(name: str, count: int, samples: int, *, accept: str = "0", reason: str = "") -> Figure:
    """Something that must not happen at all; inconclusive where there was no occasion for it."""
    outcome = Outcome.FAIL if count else Outcome.PASS if samples else Outcome.INCONCLUSIVE
    why = reason if count else "" if samples else "nothing measured"
    return Figure(name=name, unit="", value=float(count), samples=samples, accept=accept, outcome=outcome, reason=why)


def at_most(name: str, count: int, samples: int, *, allowed: int, reason: str = "", nothing: str = "") -> Figure:
    """Something that may happen so many times; `nothing` says what there was no occasion for."""
    outcome = Outcome.FAIL if count > allowed else Outcome.PASS if samples else Outcome.INCONCLUSIVE
    why = reason if count else "" if samples else nothing or "nothing measured"
    accept = f"at most {allowed:,}" if allowed else "0"
    return Figure(name=name, unit="", value=float(count), samples=samples, accept=accept, outcome=outcome, reason=why)


def rarely(name: str, count: int, samples: int, *, passes_at: float, fails_above: float, reason: str = "") -> Figure:
    """A broken promise of single answers, where a few stragglers between two clocks prove nothing: pass up to the share
    `passes_at`, fail above `fails_above` (and never on a single one), in between nobody knows."""
    share = count / samples if samples else None
    if share is None:
        outcome, why = Outcome.INCONCLUSIVE, "nothing measured"
    elif share <= passes_at:
        outcome, why = Outcome.PASS, ""
    elif share > fails_above and count > 1:
        outcome, why = Outcome.FAIL, reason
    else:
        outcome, why = Outcome.INCONCLUSIVE, reason
    accept = f"at most {say(passes_at, 'ratio')}"
    return Figure(name=name, unit="ratio", value=share, samples=samples, accept=accept, outcome=outcome, reason=why)


def condition(
    name: str, value: float | None, *, unit: str, samples: int, accept: str, holds: bool, reason: str = ""
) -> Figure:
    """A condition of a valid run: it holds, or nobody knows; never a fail, because it does not blame the system."""
    outcome = Outcome.PASS if holds else Outcome.INCONCLUSIVE
    why = "" if holds else reason
    return Figure(name=name, unit=unit, value=value, samples=samples, accept=accept, outcome=outcome, reason=why)


def stated(
    name: str, value: float | None, *, unit: str, samples: int, accept: str, outcome: Outcome, reason: str = ""
) -> Figure:
    """A figure whose outcome the caller decided."""
    return Figure(name=name, unit=unit, value=value, samples=samples, accept=accept, outcome=outcome, reason=reason)


def reported(name: str, value: float, *, unit: str, samples: int) -> Figure:
    """Something that nothing was asked of."""
    return stated(name, float(value), unit=unit, samples=samples, accept=REPORTED, outcome=Outcome.PASS)


def unknown(name: str, *, unit: str, accept: str, reason: str) -> Figure:
    """Something that was asked for, and that the record does not tell."""
    return stated(name, None, unit=unit, samples=0, accept=accept, outcome=Outcome.INCONCLUSIVE, reason=reason)


def bounded(name: str, value: float, most: float | None, *, unit: str, samples: int, reason: str) -> Figure:
    """Something counted or measured without error; reported where nothing was asked of it (`most` is None)."""
    if most is None:
        return reported(name, value, unit=unit, samples=samples)
    beyond = value > most
    return stated(
        name, float(value), unit=unit, samples=samples, accept=f"at most {say(most, unit)}",
        outcome=Outcome.FAIL if beyond else Outcome.PASS, reason=reason if beyond else "",
    )  # fmt: skip


def late(
    name: str, ordered_s: Floats, quantile: float, *, limit_s: float, alpha: float, what: str, reason: str
) -> Figure:
    """How long something took, by an order statistic; infinite where it never came to that.

    Passes where the quantile's upper end is within the limit, fails where its lower end is not by chance beyond.
    """
    bar = statistics.quantile_interval(ordered_s, quantile, statistics.DECIDING)
    surely = statistics.quantile_interval(ordered_s, quantile, 1 - 2 * alpha)
    value = statistics.empirical_quantile(ordered_s, quantile)
    outcome, why, needed = Outcome.INCONCLUSIVE, "the error bar reaches over the limit", None
    if bar.high is not None and bar.high <= limit_s:
        outcome, why = Outcome.PASS, ""
    elif surely.low is not None and surely.low > limit_s:
        outcome, why = Outcome.FAIL, reason
    elif value is None:
        needed = statistics.min_samples(quantile)
        why = f"not estimable from fewer than {needed} {what} that were read there"
    return Figure(
        name=name, unit="s", value=_finite(value), samples=len(ordered_s), accept=f"at most {say(limit_s, 's')}",
        interval=Interval(low=_finite(bar.low), high=_finite(bar.high), level=bar.level, method=bar.method),
        outcome=outcome, reason=why, needed_samples=needed,
    )  # fmt: skip


def deciding(found: Sequence[Figure]) -> Figure:
    """Of several figures of one thing the worst, and of several such the one with the largest value."""
    outcome = worst([figure.outcome for figure in found])
    guilty = [figure for figure in found if figure.outcome is outcome]
    return max(guilty, key=lambda figure: float("inf") if figure.value is None else figure.value)


def _finite(value: float | None) -> float | None:
    """None for what never came."""
    return None if value is None or value == float("inf") else value


def invariant(figure: Figure) -> Figure:
    """The same of something that no want of CPU can break, as what becomes of data and who is shown what."""
    return msgspec.structs.replace(figure, invariant=True)


def verdict_of(
    check: str, name: str, figures: Sequence[Figure], evidence: Sequence[Evidence] = (), *, passed: str
) -> Verdict:
    """The worst figure decides; the sentence is `passed`, or the first of the worst figures in words."""
    outcome = worst([figure.outcome for figure in figures])
    sentence = passed
    if outcome is not Outcome.PASS:
        guilty = [figure for figure in figures if figure.outcome is outcome]
        sentence = in_words(guilty[0]) if guilty else "Nothing was measured."
        if len(guilty) > 1:
            rest = len(guilty) - 1 - MOST_NAMED
            named = ", ".join(figure.name for figure in guilty[1 : 1 + MOST_NAMED])
            sentence += f" So with {len(guilty) - 1} more: {named}{f' and {rest} others' if rest > 0 else ''}."
    return Verdict(
        check=check, name=name, outcome=outcome, sentence=sentence, figures=tuple(figures), evidence=tuple(evidence)
    )


def in_words(figure: Figure) -> str:
    """`p99: expected at most 400 ms, measured 512 ms [480 ms to 560 ms] (n = 2,000).`"""
    measured = "not estimable" if figure.value is None else unlike(figure.value, figure.unit, figure.accept)
    bar = ""
    if figure.interval is not None:
        low, high = figure.interval.low, figure.interval.high
        low_end = "unbounded" if low is None else say(low, figure.unit)
        bar = f" [{low_end} to {'unbounded' if high is None else say(high, figure.unit)}]"
    said = f"{figure.name}: expected {figure.accept}, measured {measured}{bar} (n = {figure.samples:,})"
    if figure.reason:
        said += f": {figure.reason}"
    if figure.needed_samples is not None:
        said += f"; {figure.needed_samples:,} samples would decide"
    return said + "."


def say(value: float, unit: str) -> str:
    """Three significant digits with the unit as people say it."""
    return quantities.say(value, unit)


def at(at_s: float) -> str:
    """A moment of the run: `T+31.5 s`."""
    return f"T{at_s:+.1f} s"
