"""Whether probes are as few as promised, and whether replicas send them at moments of their own.

Two replicas whose pauses are drawn independently still probe together now and then. How often at most follows from the
promise: whatever happened before, and whatever the other replica does, a probe falls evenly into a stretch of
`open_for` x `jitter`, of which the other one's probes, at least `open_for` apart, cover 2 x `NEAR_S` at most for each
`open_for` that has begun. So the number of coincidences is at most binomial with that share. In step, nearly all
coincide. Which of the two it was is decided by both tests; between them nobody knows.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import ceil

import numpy as np
from scipy import stats

from harness.target.promises import BreakersPromise
from harness.verify import figures
from harness.verify.breakers.history import HALF_OPEN, Breaker
from harness.verify.figures import at, say
from harness.verify.verdict import Evidence, Figure, Outcome, worst
from harness.verify.windows import Floats

NEAR_S = 0.05  # a busy machine wakes a process that much too late
IN_STEP = 0.9  # of probes on one beat so many are near each other
SURELY = 0.001  # that chance alone makes the one look like the other
SLACK = 1.0  # probes: one may be under way when the record begins or ends


def few(promise: BreakersPromise, dependency: str, breakers: Sequence[Breaker], end_s: float) -> Figure:
    """Probes a second of all the time in which breakers were not closed; the worst replica decides."""
    name, accept = f"{dependency}: probes a second", f"at most {1 / promise.open_for:g} (and {SLACK:g} more)"
    untold = [breaker for breaker in breakers if not breaker.is_told and breaker.probes]
    if untold:
        why = f"the log of {untold[0].service} does not say when it was open"
        return figures.unknown(name, unit="", accept=accept, reason=why)
    found = []
    for breaker in breakers:
        open_s = breaker.not_closed_s(end_s)
        probes = max(breaker.probes, float(len(breaker.times_to(HALF_OPEN))))
        allowed = open_s / promise.open_for + SLACK
        if open_s > 0 or probes > 0:
            found.append((probes / allowed, probes, open_s, breaker.service))
    if not found:
        return figures.unknown(name, unit="", accept=accept, reason="no breaker was ever open")
    excess, probes, open_s, service = max(found)
    return figures.stated(
        name, probes / open_s if open_s else None, unit="", samples=int(probes), accept=accept,
        outcome=Outcome.FAIL if excess > 1 else Outcome.PASS,
        reason=f"{service} sent {probes:.0f} in {say(open_s, 's')} without service" if excess > 1 else "",
    )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """The probes of one replica, and which of them were near one of another replica's to the same dependency."""

    who: str
    at_s: Floats
    near: Floats  # the moments of those

    @property
    def share(self) -> float:
        return len(self.near) / len(self.at_s)


def in_step(promise: BreakersPromise, breakers: Sequence[Breaker], evidence: list[Evidence]) -> Figure:
    """The pair of replicas of one region that probed together the most."""
    name, pairs = "probes sent together with another replica", list(_pairs(breakers))
    by_chance = _by_chance(promise)
    accept = f"at most {say(by_chance, 'ratio')}, as by chance"
    if not pairs:
        return figures.unknown(name, unit="ratio", accept=accept, reason="no two replicas probed the same")
    outcomes = [_decided(pair, by_chance=by_chance, share=SURELY / len(pairs)) for pair in pairs]
    decided = worst(outcomes)
    pair = max((p for p, o in zip(pairs, outcomes, strict=True) if o is decided), key=lambda each: each.share)
    if decided is Outcome.FAIL:
        first = float(pair.near[0])
        evidence.append(Evidence(at_s=first, sentence=f"{pair.who} probe at the same moment.", source="logs"))
    reasons = {
        Outcome.PASS: "",
        Outcome.FAIL: f"{pair.who}, first at {at(float(pair.near[0]))}" if len(pair.near) else "",
        Outcome.INCONCLUSIVE: "too few probes to tell chance from step",
    }
    return figures.stated(
        name, pair.share, unit="ratio", samples=len(pair.at_s), accept=accept, outcome=decided, reason=reasons[decided]
    )


def _by_chance(promise: BreakersPromise) -> float:
    """The share of a probe's stretch that another replica's probes cover at most; all of it where it has no length."""
    if promise.jitter <= 0:
        return 1.0
    return min(1.0, 2 * NEAR_S * ceil(promise.jitter) / (promise.open_for * promise.jitter))


def _decided(pair: Pair, *, by_chance: float, share: float) -> Outcome:
    probes, together = len(pair.at_s), len(pair.near)
    if stats.binom.sf(together - 1, probes, by_chance) < share:
        return Outcome.FAIL
    return Outcome.PASS if stats.binom.cdf(together, probes, IN_STEP) < share else Outcome.INCONCLUSIVE


def _pairs(breakers: Sequence[Breaker]) -> Iterator[Pair]:
    """All that two replicas of a region probed, every dependency of theirs together."""
    replicas = {breaker.service: breaker.region for breaker in breakers}
    for first, second in combinations(sorted(replicas), 2):
        if replicas[first] != replicas[second]:
            continue
        probes, near = [np.empty(0)], [np.empty(0)]
        for mine, other in _same_dependency(breakers, first, second):
            probes.append(mine)
            near.append(mine[_distance_s(mine, other) <= NEAR_S])
        at_s = np.concatenate(probes)
        if len(at_s):
            yield Pair(who=f"{first} and {second}", at_s=at_s, near=np.sort(np.concatenate(near)))


def _distance_s(mine: Floats, other: Floats) -> Floats:
    """From each of mine to the nearest of the other's, both in order."""
    around = np.concatenate(([-np.inf], other, [np.inf]))
    after = np.searchsorted(around, mine)
    result: Floats = np.minimum(mine - around[after - 1], around[after] - mine)
    return result


def _same_dependency(breakers: Sequence[Breaker], first: str, second: str) -> Iterator[tuple[Floats, Floats]]:
    for dependency in sorted({breaker.dependency for breaker in breakers}):
        probes = {each.service: each.times_to(HALF_OPEN) for each in breakers if each.dependency == dependency}
        mine, other = probes.get(first, np.empty(0)), probes.get(second, np.empty(0))
        if len(mine) and len(other):
            yield mine, other
