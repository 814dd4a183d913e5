"""Whether the target degrades as it promises to."""

from harness.experiment.strict import Strict


class DegradationCheck(Strict, frozen=True, kw_only=True, tag_field="check", tag="degradation"):
    """The level follows the target's promise second by second, and the features follow the level.

    `reaches` names the level that the run has to reach (so that a quiet run cannot pass), `visits` levels that must
    each be shown at least once, `ends_at` the level at the end of the run.
    """

    reaches: str | None = None
    visits: tuple[str, ...] = ()
    ends_at: str = "NORMAL"
