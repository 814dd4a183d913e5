"""Which alerts have to fire, and which may."""

from harness.experiment.strict import Strict
from harness.units import Seconds


class AlertsCheck(Strict, frozen=True, kw_only=True, tag_field="check", tag="alerts"):
    """The alerts of `fire` fire, in time, no other one does, and each follows its rule on the input that is shown.

    `within` counts from the first fault or change of the load, until one controller fires; `resolve_within` from the
    end of the last one, until none does. Those of `may_fire` may, at any time.
    """

    fire: tuple[str, ...] = ()
    may_fire: tuple[str, ...] = ()
    within: Seconds = Seconds(30.0)
    resolve_within: Seconds | None = None
