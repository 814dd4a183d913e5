"""What may become of acknowledged writes, and what sessions are promised to see."""

from enum import StrEnum

from harness.experiment.strict import Strict
from harness.units import Seconds


class Reach(StrEnum):
    """How far a session guarantee is promised; each word holds those before it in itself.

    none: not at all, broken ones are only counted. sticky: where one region served everything. remote: also where
    another region served the reader. moved: also where the session was served by several regions.
    """

    NONE = "none"
    STICKY = "sticky"
    REMOTE = "remote"
    MOVED = "moved"


class Counting(StrEnum):
    """exact: in the end every region shows what was acknowledged. none: not promised, only counted."""

    NONE = "none"
    EXACT = "exact"


class ConsistencyCheck(Strict, frozen=True, kw_only=True, tag_field="check", tag="consistency"):
    """What was acknowledged is there in every region in the end, once, and sessions see what they were promised.

    `lost`, `duplicated` and `unexpected` are how many writes may be; `resurrected` and `undeleted` the same of deletes.
    What the file says has to be shown: where nothing happened that could break it, the verdict is inconclusive. What it
    leaves out is judged where there was occasion for it: deletes by 0, counters as `exact`, `read_your_writes`,
    `monotonic_reads` and `writes_follow_reads` as `sticky`, `monotonic_writes` as `remote`, `causal` as `none`.

    `rpo` is for regions whose data are destroyed: what one had acknowledged in that time before, and no other region
    ever showed, may be gone. Without it nothing may.
    `staleness_p99` bounds how long a write is missing in another region, for each pair of regions.
    `converges_within`: after the last revert every link carries new writes within that time, and after the last write
    all regions hold the same rows.
    """

    lost: int = 0
    duplicated: int = 0
    unexpected: int = 0
    resurrected: int | None = None
    undeleted: int | None = None
    read_your_writes: Reach | None = None
    monotonic_reads: Reach | None = None
    monotonic_writes: Reach | None = None
    writes_follow_reads: Reach | None = None
    causal: Reach | None = None
    counters: Counting | None = None
    rpo: Seconds | None = None
    staleness_p99: Seconds | None = None
    converges_within: Seconds | None = None
