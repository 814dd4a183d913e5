"""What of each fault arrived: confirmed calls and canary readings of its parts, and how that is told in one sentence.

A fault on a region is one fault with many parts, so it is told as one: how many of its links or services it took, and
by name only those that it did not. A fault on one link or service has itself as its only part.
"""

from dataclasses import dataclass

from harness.experiment.faults import LinkFault, MomentaryFault, RegionFlapFault, RegionPauseFault
from harness.plan import PlannedFault, WholeFault, whole_faults
from harness.record import rows
from harness.record.reader import Run
from harness.verify import windows

# Of the readings during a fault: one probe may meet a connection that the fault does not touch, or a busy machine.
AGREEING_SHARE = 0.9
# Of one part's readings, which are few because parts take turns; all of them together have to agree as any fault's do.
PART_AGREEING_SHARE = 0.5
MOST_NAMED = 4  # parts that are told by name


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One injected fault: what was called, and what its canary read."""

    planned: PlannedFault
    injects: tuple[rows.FaultEdge, ...]
    reverts: tuple[rows.FaultEdge, ...]
    before: tuple[rows.CanaryReading, ...]
    during: tuple[rows.CanaryReading, ...]
    after: tuple[rows.CanaryReading, ...]

    @property
    def injected(self) -> bool:
        return bool(self.injects) and self.injects[-1].confirmed

    @property
    def reverted(self) -> bool:
        if self._is_over_by_itself:
            return self.injected
        return bool(self.reverts) and self.reverts[-1].confirmed

    def bites(self, *, share: float) -> bool:
        """Confirmed, and at least this share of the readings agrees. A restart is over when it is done: there may be no
        "during" that a probe could meet."""
        if not self.during:
            return self.injected and isinstance(self.planned.fault, MomentaryFault)
        return self.injected and agreeing(self.during) >= share * len(self.during)

    @property
    def is_gone(self) -> bool:
        if not self.after:
            return self.reverted and self._is_over_by_itself
        return self.reverted and self.after[-1].agrees

    @property
    def _is_over_by_itself(self) -> bool:
        return isinstance(self.planned.fault, MomentaryFault) and not self.reverts


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A fault as it was written, and its parts as they were delivered."""

    whole: WholeFault
    parts: tuple[Part, ...]

    def name_of(self, part: Part) -> str:
        """The part's name within its fault."""
        return part.planned.id.removeprefix(f"{self.whole.id}.")

    @property
    def shown(self) -> tuple[Part, ...]:
        share = PART_AGREEING_SHARE if self.whole.is_on_region else AGREEING_SHARE
        return tuple(part for part in self.parts if part.bites(share=share))

    @property
    def noun(self) -> str:
        """What the parts are, in the plural."""
        if isinstance(self.whole.fault, RegionFlapFault):
            return "cuts"
        return "links" if all(isinstance(part.planned.fault, LinkFault) for part in self.parts) else "services"

    @property
    def effect(self) -> str:
        """What the parts did while the fault was on."""
        if self.noun != "services":
            return "carried nothing"
        return "said nothing" if isinstance(self.whole.fault, RegionPauseFault) else "were down"

    def sentence(self) -> str:
        """`13 of 13 links carried nothing`, and by name those that did not; empty for a fault that has no parts."""
        if not self.whole.is_on_region:
            return ""
        told = f"{len(self.shown)} of {len(self.parts)} {self.noun} {self.effect}"
        missing = self.names([part for part in self.parts if part not in self.shown])
        return f"{told}; not shown for {missing}" if missing else told

    def names(self, parts: list[Part]) -> str:
        """The parts by name, the first of many."""
        names = [self.name_of(part) for part in parts]
        more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
        return ", ".join(names[:MOST_NAMED]) + more


def deliveries(run: Run) -> tuple[Delivery, ...]:
    """Every fault of the plan, in its order."""
    edges: dict[tuple[str, str], list[rows.FaultEdge]] = {}
    for edge in windows.events_of(run, rows.FaultEdge):
        edges.setdefault((edge.fault, edge.action), []).append(edge)
    readings: dict[tuple[str, str], list[rows.CanaryReading]] = {}
    for reading in windows.events_of(run, rows.CanaryReading):
        readings.setdefault((reading.fault, reading.stage), []).append(reading)

    def part(planned: PlannedFault) -> Part:
        return Part(
            planned=planned,
            injects=tuple(edges.get((planned.id, "inject"), ())),
            reverts=tuple(edges.get((planned.id, "revert"), ())),
            before=tuple(readings.get((planned.id, "before"), ())),
            during=tuple(readings.get((planned.id, "during"), ())),
            after=tuple(readings.get((planned.id, "after"), ())),
        )

    return tuple(Delivery(whole=whole, parts=tuple(map(part, whole.parts))) for whole in whole_faults(run.plan))


def agreeing(readings: tuple[rows.CanaryReading, ...]) -> int:
    return sum(reading.agrees for reading in readings)
