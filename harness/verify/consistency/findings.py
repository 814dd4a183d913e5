"""All that the checks find in one history, each by its name; what of it was promised is for others to say."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from harness.verify.consistency.answers import Answers
from harness.verify.consistency.causality import causal
from harness.verify.consistency.counters import CountedAtRegion, counters
from harness.verify.consistency.durability import Durability, durability
from harness.verify.consistency.finding import Cohort, Finding, Witness
from harness.verify.consistency.monotonic_reads import monotonic_reads
from harness.verify.consistency.monotonic_writes import monotonic_writes
from harness.verify.consistency.own_writes import read_your_writes
from harness.verify.consistency.writes_follow_reads import writes_follow_reads

SESSIONS: dict[str, Callable[[Answers], Finding]] = {
    "read your writes": read_your_writes,
    "monotonic reads": monotonic_reads,
    "monotonic writes": monotonic_writes,
    "writes follow reads": writes_follow_reads,
}
CAUSAL = "causal"
# Write and read, or both reads, are of one session: where two regions served them, it was moved.
OF_ONE_SESSION = ("read your writes", "monotonic reads")


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """`sessions` are the session guarantees and causality; `cycles` are writes that happened before themselves."""

    durability: Durability
    sessions: Mapping[str, Finding]
    cycles: tuple[Witness, ...]
    counters: Mapping[str, CountedAtRegion]


def findings_of(answers: Answers) -> Findings:
    causality = causal(answers)
    sessions = {name: check(answers) for name, check in SESSIONS.items()}
    return Findings(
        durability=durability(answers),
        sessions={**sessions, CAUSAL: causality.finding},
        cycles=causality.cycles,
        counters=counters(answers),
    )


def cohorts_of(guarantee: str) -> tuple[Cohort, ...]:
    return (Cohort.STICKY, Cohort.MOVED) if guarantee in OF_ONE_SESSION else tuple(Cohort)
