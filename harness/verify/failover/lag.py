"""How far regions were behind with each other's writes at the moments that matter: when one was lost, and was back."""

from dataclasses import dataclass

from harness.record.reader import Run
from harness.verify.consistency.recorded import heartbeat_samples
from harness.verify.moments import Moment

STALE_AFTER_S = 5.0  # a sample that old says nothing of the moment


@dataclass(frozen=True, slots=True, kw_only=True)
class Lag:
    """What was written `lag_s` before the moment had surely arrived, in `other` or from there."""

    other: str
    lag_s: float


def lags_of_others(run: Run, region: str, when: Moment) -> tuple[Lag, ...]:
    """How far each other region was behind with what `region` had written: the loss to be expected if it goes down."""
    return _lags(run, when, source=region)


def lags_of_its_own(run: Run, region: str, when: Moment) -> tuple[Lag, ...]:
    """How far `region` surely was behind with what each other one had written: what it knew between two scrapes nobody
    tells, and it may have caught up at any moment in between."""
    known = {lag.other: lag for lag in _lags(run, when, target=region)}
    next_ones = {
        sample.source: sample.age_s - (sample.at_s - when.at_s)
        for sample in sorted(heartbeat_samples(run), key=lambda sample: -sample.at_s)
        if sample.target == region and when.at_s <= sample.at_s < when.at_s + STALE_AFTER_S
    }
    return tuple(
        Lag(other=other, lag_s=max(0.0, min(lag.lag_s, next_ones.get(other, lag.lag_s))))
        for other, lag in known.items()
    )


def _lags(run: Run, when: Moment, *, source: str = "", target: str = "") -> tuple[Lag, ...]:
    """By the last sample of each link, to which the time from the sample to the moment is added."""
    last = {
        sample.target if source else sample.source: sample
        for sample in sorted(heartbeat_samples(run), key=lambda sample: sample.at_s)
        if (source or sample.source, target or sample.target) == (sample.source, sample.target)
        and when.at_s - STALE_AFTER_S < sample.at_s < when.at_s
    }
    return tuple(
        Lag(other=other, lag_s=sample.age_s + when.at_s - sample.at_s) for other, sample in sorted(last.items())
    )
