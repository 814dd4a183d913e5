"""Whether and when the system is what it was before."""

from harness.experiment.strict import Strict
from harness.units import Ratio, Seconds


class RecoveryCheck(Strict, frozen=True, kw_only=True, tag_field="check", tag="recovery"):
    """After the last revert, goodput and level are back to the baseline's within `rto`, and stay. Goodput is what is
    answered correctly within `within`.

    `goodput_alone`: whatever the level is and wherever answers come from. That is what is asked of hysteresis: the same
    load before and after has the same goodput.
    """

    rto: Seconds
    goodput_share: Ratio = Ratio(0.95)
    hold: Seconds = Seconds(3.0)
    goodput_alone: bool = False
    within: Seconds = Seconds(1.0)
