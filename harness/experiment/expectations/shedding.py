"""Whether the target sheds what it promises to, and nothing else."""

from harness.experiment.strict import Strict
from harness.units import Ratio, Seconds


class SheddingCheck(Strict, frozen=True, kw_only=True, tag_field="check", tag="shedding"):
    """Requests are shed as the promised curve says, by priority, and refusals are cheap."""

    tolerance: Ratio = Ratio(0.04)
    refusal_p99: Seconds = Seconds(0.05)
    expect_shedding: bool = True
