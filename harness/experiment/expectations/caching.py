"""How often caches answer, and with nothing that they must not."""

from msgspec import field

from harness.experiment.strict import Strict
from harness.units import Seconds


class CachingCheck(Strict, frozen=True, kw_only=True, tag_field="check", tag="caching"):
    """Caches answer as often as the target promises, with nothing that is too old and nothing that was taken away.

    In `phase` each layer of `layers` has its promised hit ratio. `builds_per_key` is, by kind of content, how often a
    key may be made on average within `builds_within` of a cache that a fault has emptied, `builds_at_once` how often a
    server may be making the same key at the same time then. `still_shown` is, by the operation that
    takes something away (a block, an unfollow, an edit, a deletion), for how long after it was acknowledged pages may
    go on showing that; 0s is never. No answer is older than its layer promises, whatever else is asked.
    """

    phase: str = "baseline"
    layers: tuple[str, ...] = ()
    builds_per_key: dict[str, float] = field(default_factory=dict)
    builds_at_once: dict[str, int] = field(default_factory=dict)
    builds_within: Seconds = Seconds(10.0)
    still_shown: dict[str, Seconds] = field(default_factory=dict)
