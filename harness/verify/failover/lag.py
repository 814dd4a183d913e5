"""How far the others were behind with what a region had written, as it was lost: the loss that was to be expected."""

from dataclasses import dataclass

from harness.record.reader import Run
from harness.verify.consistency.recorded import heartbeat_samples
from harness.verify.moments import Moment

STALE_AFTER_S = 5.0  # a sample that old says nothing of the moment of the loss


@dataclass(frozen=True, slots=True, kw_only=True)
class Lag:
    """What `region` had written before `lag_s` before the loss was surely in region `to`."""

    to: str
    lag_s: float


def lags_before(run: Run, region: str, began: Moment) -> tuple[Lag, ...]:
    """By the last sample of each other region, to which the time from the sample to the loss is added."""
    last = {
        sample.target: sample
        for sample in sorted(heartbeat_samples(run), key=lambda sample: sample.at_s)
        if sample.source == region and began.at_s - STALE_AFTER_S < sample.at_s < began.at_s
    }
    return tuple(Lag(to=to, lag_s=sample.age_s + began.at_s - sample.at_s) for to, sample in sorted(last.items()))
