"""How soon and how completely posts reach those who follow."""

from harness.experiment.strict import Strict
from harness.units import Seconds


class FanOutCheck(Strict, frozen=True, kw_only=True, tag_field="check", tag="fan_out"):
    """What is posted is soon where the followers look, whoever else posts, and in the end all of it is there.

    `p95` bounds for each operation that posts how long a post is missed after its acknowledgement, by whoever reads
    what it was written to. `lag` bounds the age of the oldest post that waits, as the target's workers show it;
    `drained_within` counts from the end of the last disturbance until none waits for more than two seconds any more. In
    the end nothing waits, nothing was given up, and all that was acknowledged is accounted for.
    """

    p95: dict[str, Seconds]
    lag: Seconds | None = None
    drained_within: Seconds | None = None
