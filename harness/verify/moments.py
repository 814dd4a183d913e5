"""Instants that are known with an error, and how far apart they are.

The errors are known, not estimated: an instant lies between two scrapes, in one block of time, within one call. So what
is said about them is certain, or it is not known.
"""

from dataclasses import dataclass
from typing import Literal

from harness.verify.figures import say
from harness.verify.verdict import Figure, Interval, Outcome

Source = Literal["requests", "metrics", "events", "logs"]
METHOD = "known errors"


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """An instant of run time in seconds, and the instants between which it surely was."""

    at_s: float
    earliest_s: float
    latest_s: float
    source: Source

    @classmethod
    def exactly(cls, at_s: float, source: Source) -> "Moment":
        return cls(at_s=at_s, earliest_s=at_s, latest_s=at_s, source=source)

    def not_before(self, cause: "Moment") -> "Moment":
        """The same instant, knowing that it came after another one."""
        earliest_s = max(self.earliest_s, cause.earliest_s)
        latest_s = max(self.latest_s, earliest_s)
        at_s = min(max(self.at_s, earliest_s), latest_s)
        return Moment(at_s=at_s, earliest_s=earliest_s, latest_s=latest_s, source=self.source)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lapse:
    """How long something took, and the least and the most that it can have been."""

    value_s: float
    low_s: float
    high_s: float


def lapse(start: Moment, end: Moment) -> Lapse:
    return Lapse(
        value_s=max(0.0, end.at_s - start.at_s),
        low_s=max(0.0, end.earliest_s - start.latest_s),
        high_s=max(0.0, end.latest_s - start.earliest_s),
    )


def timed(name: str, took: Lapse, objective_s: float | None, *, samples: int) -> Figure:
    """Pass or fail only where the whole error bar is on one side of the objective; reported where there is none."""
    accept = "reported" if objective_s is None else f"at most {say(objective_s, 's')}"
    if objective_s is None or took.high_s <= objective_s:
        outcome, why = Outcome.PASS, ""
    elif took.low_s > objective_s:
        outcome, why = Outcome.FAIL, "too late"
    else:
        outcome, why = Outcome.INCONCLUSIVE, "the error bar reaches over the limit"
    interval = Interval(low=took.low_s, high=took.high_s, level=1.0, method=METHOD)
    return Figure(
        name=name, unit="s", value=took.value_s, interval=interval, samples=samples, accept=accept, outcome=outcome,
        reason=why,
    )  # fmt: skip


def never_within(name: str, objective_s: float, *, watched_s: float, samples: int, why: str) -> Figure:
    """Something that did not happen: a fail where it was watched for long enough to know."""
    long_enough = watched_s >= objective_s
    interval = Interval(low=max(0.0, watched_s), high=None, level=1.0, method=METHOD)
    return Figure(
        name=name, unit="s", value=None, interval=interval, samples=samples, accept=f"at most {say(objective_s, 's')}",
        outcome=Outcome.FAIL if long_enough else Outcome.INCONCLUSIVE,
        reason=why if long_enough else f"{why}; the run ended too early to say more",
    )  # fmt: skip
