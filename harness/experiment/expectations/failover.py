"""What users of a lost region may expect of the others."""

from enum import StrEnum

from harness.experiment.strict import Strict
from harness.units import Ratio, Seconds


class Operations(StrEnum):
    """Which of a cohort's requests are meant."""

    ALL = "all"
    READS = "reads"
    WRITES = "writes"


class FailoverCheck(Strict, frozen=True, kw_only=True, tag_field="check", tag="failover"):
    """Users of a region are served by another one when theirs is lost, soon enough and without harm.

    The cohort is all users who ask for the region `cohort`, of whom `operations` may pick what they read or write. Time
    counts from the injection of the fault that strikes the whole region. Within `rto` begins the first stretch of
    `holds` in which at most `error_ratio` of the cohort's requests are failed, unknown or unsent, and goodput is at
    least 95 % of the baseline's; the same holds from then on and while its users return. `taken_over_by` is the region
    that answers what they read while all of them are away, but for a tenth that may be answered where they have
    just written. `first_success_within` and `detect_within` are for parts of the way. `rpo` and `rpo_writes` bound how
    far back acknowledged writes are missing elsewhere, and how many. `split_brain_writes` counts acknowledged writes by
    more than the one region that was to take them. `back_within` counts from the revert, and `behind_at_return` bounds
    how old the region's knowledge of the others may be when its users are sent to it again. `others_error_ratio` is for
    the users of all other regions together. Goodput is what is answered correctly within `within`.
    """

    cohort: str
    operations: Operations = Operations.ALL
    rto: Seconds
    holds: Seconds = Seconds(30.0)
    error_ratio: Ratio = Ratio(0.01)
    taken_over_by: str | None = None
    first_success_within: Seconds | None = None
    detect_within: Seconds | None = None
    rpo: Seconds | None = None
    rpo_writes: int | None = None
    split_brain_writes: int | None = 0
    fail_overs_at_most: int | None = None
    back_within: Seconds | None = None
    behind_at_return: Seconds | None = None
    others_error_ratio: Ratio | None = None
    within: Seconds = Seconds(1.0)
