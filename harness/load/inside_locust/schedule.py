"""What one shard will offer: each arrival's time, visitor and chance, drawn before the run from plan and seed alone."""

from array import array
from dataclasses import dataclass
from typing import Any

from harness.clock import NS_PER_S
from harness.load.arrivals import scheduled_times
from harness.load.profile import OWN_OPERATIONS, Profile, draw_visits
from harness.plan import Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Columns of equal length, in order of time; `due_ns` counts from the start of the load."""

    due_ns: "array[int]"
    actions: "array[int]"
    users: "array[int]"
    draws: "array[int]"

    def __len__(self) -> int:
        return len(self.due_ns)


def draw_schedule(plan: Plan, profile: Profile, *, shard: int, shards: int) -> Schedule:
    """The same for the same plan and shard; every random choice of the offered load is made here."""
    load = plan.load
    times_s = scheduled_times(plan.rate, load.arrivals, load.seed, shard=shard, shards=shards)
    spans = [span for name in OWN_OPERATIONS if (span := plan.phase(name)) is not None]
    phases = {span.name: slice(*map(int, times_s.searchsorted((span.start_s, span.end_s)))) for span in spans}
    visits = draw_visits(profile, len(times_s), seed=load.seed, shard=shard, phases=phases)
    return Schedule(
        due_ns=_array("q", (times_s * NS_PER_S).astype("int64")),
        actions=_array("h", visits.actions),
        users=_array("q", visits.users),
        draws=_array("I", visits.draws),
    )


def _array(code: str, values: Any) -> "array[int]":
    """Plain arrays, because one element of them is read five times faster than one of numpy's."""
    made: array[int] = array(code)
    made.frombytes(values.tobytes())
    return made
