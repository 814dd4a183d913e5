"""By which region users are to be served while theirs is well."""

from harness.experiment.strict import Strict
from harness.units import Ratio


class RoutingCheck(Strict, frozen=True, kw_only=True, tag_field="check", tag="routing"):
    """Nobody is moved without need: users are sent to the region that they ask for, and what they read is answered
    there.

    In `phase` a region loses users to others at most `moves_at_most` times, all regions counted together. Of what the
    users of each region read at most the share `reads_elsewhere` is answered by another region, as what they have
    written there a moment ago may have to be.
    """

    phase: str = "baseline"
    moves_at_most: int = 0
    reads_elsewhere: Ratio | None = None
