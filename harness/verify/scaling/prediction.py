"""What the autoscaler had to decide at each sync, as far as the record can know it, beside what it decided.

Each prediction starts from the size that the autoscaler saw and from the changes that it made, so one wrong decision is
one deviation and does not make all later ones wrong. What nobody recorded makes a prediction wider instead of wrong:
it is followed twice (see `Lean`), and an unseen sync may have recommended anything between the bounds.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.experiment.expectations.autoscaler import Autoscaler
from harness.verify.scaling import hpa as rules
from harness.verify.scaling.hpa import Decision, Lean, Memory, Observation, Remembered
from harness.verify.scaling.trace import Sync, restarted, unseen_between


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """The decisions with the fewest and with the most replicas that are possible."""

    sync: Sync
    least: Decision
    most: Decision

    @property
    def off(self) -> int:
        """By how many replicas too many (or, negative, too few) were decided."""
        desired = self.sync.desired
        return max(0, desired - self.most.desired) + min(0, desired - self.least.desired)

    @property
    def due(self) -> bool:
        """Whether the number of replicas surely had to change."""
        return self.least.desired > self.sync.seen.current or self.most.desired < self.sync.seen.current


def predictions(hpa: Autoscaler, syncs: Sequence[Sync]) -> list[Prediction]:
    """One for each sync; `hpa` is in the system's scale."""
    both = zip(syncs, _followed(hpa, syncs, Lean.LEAST), _followed(hpa, syncs, Lean.MOST), strict=True)
    return [Prediction(sync=sync, least=least, most=most) for sync, least, most in both]


def longest_deviation(predicted: Sequence[Prediction]) -> list[Prediction]:
    """The longest run of syncs, none unseen between them, at which something else was decided."""
    longest: list[Prediction] = []
    running: list[Prediction] = []
    for each in predicted:
        follows = bool(running) and each.sync.number == running[-1].sync.number + 1
        running = ([*running, each] if follows else [each]) if each.off else []
        longest = max(longest, running, key=len)
    return longest


def _followed(hpa: Autoscaler, syncs: Sequence[Sync], lean: Lean) -> Iterator[Decision]:
    memory = Memory()
    before: Sync | None = None
    for sync in syncs:
        seen = sync.seen
        if before is None or restarted(before, sync):
            memory = rules.fresh(seen) if sync.number == 1 else _unknown(hpa, seen, lean)
        elif unseen_between(before, sync):
            memory = _with_unseen(hpa, memory, before, sync, lean)
        decision = rules.decide(hpa, memory, seen, lean)
        yield decision
        proposed = _anything(hpa, lean) if _may_have_kept_silent(seen) else decision.proposed
        memory = rules.remember(rules.forget(hpa, memory, seen), seen, proposed=proposed, change=sync.change)
        before = sync


def _unknown(hpa: Autoscaler, seen: Observation, lean: Lean) -> Memory:
    """Of syncs before the first recorded one: any recommendation, and any size within the bounds. As they would have
    been just before it, since older ones of the same are forgotten sooner."""
    anything = _anything(hpa, lean)
    return rules.remember(Memory(), seen, proposed=anything, change=seen.current - anything)


def _with_unseen(hpa: Autoscaler, memory: Memory, before: Sync, after: Sync, lean: Lean) -> Memory:
    """Syncs between two recorded ones: any recommendation, as if just before the later one, and the change that they
    made together."""
    memory = rules.remember(memory, after.seen, proposed=_anything(hpa, lean), change=0)
    change = after.seen.current - before.desired
    hole_s = after.at_s - before.at_s
    made = Remembered(at_s=before.at_s + hole_s / 2, error_s=hole_s / 2, replicas=change)
    return Memory(recommendations=memory.recommendations, changes=(*memory.changes, made))


def _anything(hpa: Autoscaler, lean: Lean) -> int:
    return hpa.min_replicas if lean is Lean.LEAST else hpa.max_replicas


def _may_have_kept_silent(seen: Observation) -> bool:
    """Whether valid metrics propose to scale down, and then without the invalid ones recommend nothing, may hang on the
    sum behind a truncated average."""
    valid = [each for each in seen.readings.values() if each.value is not None]
    return len(valid) < len(seen.readings) and any(each.missing or each.unready for each in valid)
