"""How far regions were behind with each other's writes at the moments that matter: when one was lost, and was back."""

from collections.abc import Mapping
from dataclasses import dataclass

from harness.record.reader import Run
from harness.verify.consistency.liveness import HeartbeatSample
from harness.verify.consistency.recorded import heartbeat_samples
from harness.verify.moments import Moment

STALE_AFTER_S = 5.0  # a sample that old says nothing of the moment
LATE_S = 1.5  # what a region knew is seen in its metrics by then: it looks twice a second, and is scraped as often


@dataclass(frozen=True, slots=True, kw_only=True)
class Lag:
    """What was written `lag_s` before the moment had surely arrived, in `other` or from there."""

    other: str
    lag_s: float


def lags_of_others(run: Run, region: str, when: Moment) -> tuple[Lag, ...]:
    """How far each other region was behind with what `region` had written: the loss to be expected if it goes down."""
    return _lags(
        {each.target: each for each in _around(run, when) if _before(each, when) and each.source == region}, when
    )


def lags_of_its_own(run: Run, region: str, when: Moment) -> tuple[Lag, ...]:
    """How far `region` surely was behind with what each other one had written.

    What it knew between two looks nobody tells, and it may have caught up at any moment in between. A sample tells what
    was known at the last look before it, which may be from before the moment; so the best of the next ones counts.
    """
    samples = [each for each in _around(run, when) if each.target == region]
    last = _lags({each.source: each for each in samples if _before(each, when)}, when)
    soon = [each for each in samples if not _before(each, when) and each.at_s < when.at_s + LATE_S]
    best = {each.source: each for each in sorted(soon, key=lambda sample: sample.age_s - sample.at_s, reverse=True)}
    known_s = {lag.other: lag.lag_s for lag in _lags(best, when)}
    return tuple(Lag(other=lag.other, lag_s=min(lag.lag_s, known_s.get(lag.other, lag.lag_s))) for lag in last)


def _around(run: Run, when: Moment) -> list[HeartbeatSample]:
    near = [each for each in heartbeat_samples(run) if abs(each.at_s - when.at_s) < STALE_AFTER_S]
    return sorted(near, key=lambda sample: sample.at_s)


def _before(sample: HeartbeatSample, when: Moment) -> bool:
    return sample.at_s < when.at_s


def _lags(of: Mapping[str, HeartbeatSample], when: Moment) -> tuple[Lag, ...]:
    """What was the newest known at the sample is as much older at the moment as that is later."""
    return tuple(
        Lag(other=other, lag_s=max(0.0, each.age_s + when.at_s - each.at_s)) for other, each in sorted(of.items())
    )
