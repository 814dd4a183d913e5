"""The phases of a run. Times of `faults` and of the load's `changes` count from the start of `disturbed`."""

from harness.experiment.strict import Strict
from harness.units import Seconds

DISTURBED = "disturbed"
FINAL_READS = "final_reads"


class Phases(Strict, frozen=True, kw_only=True):
    """The run's phases in their fixed order; a phase of 0s is left out."""

    warm_up: Seconds = Seconds(5.0)
    baseline: Seconds = Seconds(20.0)
    disturbed: Seconds = Seconds(0.0)
    recovery: Seconds = Seconds(0.0)
    final_reads: Seconds = Seconds(0.0)
