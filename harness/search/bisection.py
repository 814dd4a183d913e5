"""Which arrival rate to try next, given how those before it ended: between the highest that held and the lowest that
did not.

Pure, and without a memory of its own: every step is a function of the trials so far, so a search can be read from its
result again. A trial is a whole run with a verdict. One that decides nothing is repeated once and then narrows nothing;
the search goes on beside it. In the end both ends of the bracket are tried a second time, with other arrivals: a rate
that holds once and then does not is no end of anything. No rate is tried more than twice.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

import msgspec

from harness.units import PerSecond, Ratio
from harness.verify.verdict import Outcome

TRIES = 2  # of one rate, at most
FEWEST_RUNS, MOST_RUNS = 4, 100  # both ends of the range, each twice; more than an hour of the shortest runs
FINEST, COARSEST = Ratio.parse("0.1%"), Ratio.parse("50%")  # of resolutions: no run tells rates apart that are closer


class Search(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Between which rates to look, until the bracket is at most `resolution` of its upper end wide, or `at_most` runs
    were made."""

    low: PerSecond
    high: PerSecond
    resolution: Ratio = Ratio(0.02)
    at_most: int = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A rate per second, and how the run at it was judged."""

    rate: float
    outcome: Outcome


class Ending(StrEnum):
    """What a search has come to."""

    FOUND = "found"
    ABOVE = "above the range"
    BELOW = "below the range"
    NOT_MONOTONE = "not monotone"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What the trials show together. `undecided` are the rates whose trials said nothing, or, those `wavering` ones,
    contradicted each other; `too_high` are those that passed though a lower one failed."""

    highest_pass: float | None
    lowest_fail: float | None
    undecided: tuple[float, ...]
    wavering: tuple[float, ...]
    too_high: tuple[float, ...]
    confirmed: bool  # both ends of the bracket said the same twice

    @property
    def is_monotone(self) -> bool:
        """A system that only gets worse with the load."""
        return not self.too_high

    def ending(self, search: Search) -> Ending:
        if not self.is_monotone:
            return Ending.NOT_MONOTONE
        if self.highest_pass is not None and self.lowest_fail is not None:
            return Ending.FOUND
        if self.lowest_fail is None and self.highest_pass == search.high:
            return Ending.ABOVE
        if self.highest_pass is None and self.lowest_fail == search.low:
            return Ending.BELOW
        return Ending.UNDECIDED


def standing(trials: Sequence[Trial]) -> Standing:
    """The bracket: the lowest rate that failed, and the highest below it that passed."""
    said = {rate: _said(trials, rate) for rate in sorted({trial.rate for trial in trials})}
    passed = [rate for rate, outcomes in said.items() if outcomes == {Outcome.PASS}]
    lowest_fail = min((rate for rate, outcomes in said.items() if outcomes == {Outcome.FAIL}), default=None)
    highest_pass = max((rate for rate in passed if lowest_fail is None or rate < lowest_fail), default=None)
    decided = Counter(trial.rate for trial in trials if trial.outcome is not Outcome.INCONCLUSIVE)
    return Standing(
        highest_pass=highest_pass,
        lowest_fail=lowest_fail,
        undecided=tuple(rate for rate, outcomes in said.items() if len(outcomes) != 1),
        wavering=tuple(rate for rate, outcomes in said.items() if len(outcomes) > 1),
        too_high=tuple(rate for rate in passed if lowest_fail is not None and rate > lowest_fail),
        confirmed=all(decided[end] == TRIES for end in (highest_pass, lowest_fail) if end is not None),
    )


def next_rate(search: Search, trials: Sequence[Trial]) -> float | None:
    """The rate to try next; None where the search is over."""
    now, tried = standing(trials), Counter(trial.rate for trial in trials)
    if len(trials) >= search.at_most or not now.is_monotone:
        return None
    again = [rate for rate in now.undecided if tried[rate] < TRIES]
    if again:
        return again[0]
    for end in (search.low, search.high):
        if not tried[end]:
            return float(end)
    ends = [end for end in (now.highest_pass, now.lowest_fail) if end is not None]
    if now.highest_pass is not None and now.lowest_fail is not None:
        low, high = _widest_gap(now.highest_pass, now.lowest_fail, now.undecided)
        if high - low > search.resolution * now.lowest_fail:
            return (low + high) / 2
    return next((end for end in ends if tried[end] < TRIES), None)


def _widest_gap(low: float, high: float, between: Sequence[float]) -> tuple[float, float]:
    """Where to look on: rates that decide nothing stand in the way, and there is room on either side of them."""
    marks = [low, *(rate for rate in between if low < rate < high), high]
    return max(pairwise(marks), key=lambda gap: gap[1] - gap[0])


def _said(trials: Sequence[Trial], rate: float) -> set[Outcome]:
    """What the trials of a rate say that say anything: one thing, or nothing, or two."""
    return {trial.outcome for trial in trials if trial.rate == rate} - {Outcome.INCONCLUSIVE}
