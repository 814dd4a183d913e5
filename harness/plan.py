"""What a run means to do, with nothing left open: every default written out, every time absolute, the seed fixed.

`plan.json` is written before anything starts, and the judge reads expectations from it alone. Building a plan is pure:
files were read by the loader.
"""

import msgspec

from harness.experiment import Check, Fault, Load, StopCondition
from harness.target.target import TargetSpec

FORMAT_VERSION = 1


class PhaseSpan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A phase's place on the run's timeline, in seconds from the start of the load."""

    name: str
    start_s: float
    end_s: float


class RateSegment(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The arrival rate moves in a straight line from `from_per_s` to `to_per_s` between two run times."""

    start_s: float
    end_s: float
    from_per_s: float
    to_per_s: float


class OperationSpec(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One thing that users of a profile do: its share of all arrivals (0–1), priority and whether it writes."""

    name: str
    route: str
    priority: int
    share: float
    writes: bool


class PlannedFault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A fault with its name in this run and its absolute times; `revert_s` is also its deadline for the guard."""

    id: str
    fault: Fault
    inject_s: float
    revert_s: float


class Plan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The whole plan. `profile_path` and `target_path` are absolute; `source` is the experiment file's text."""

    format_version: int = FORMAT_VERSION
    experiment: str
    title: str
    hypothesis: str
    source: str
    variables: dict[str, str]
    target_path: str
    target: TargetSpec
    runtime: str
    defect: str | None
    profile_path: str
    load: Load
    operations: tuple[OperationSpec, ...]
    rate: tuple[RateSegment, ...]
    phases: tuple[PhaseSpan, ...]
    faults: tuple[PlannedFault, ...]
    stop_when: tuple[StopCondition, ...]
    expect: tuple[Check, ...]

    @property
    def duration_s(self) -> float:
        return self.phases[-1].end_s

    def phase(self, name: str) -> PhaseSpan | None:
        return next((span for span in self.phases if span.name == name), None)
