"""Whether the checks can be red at all: every mutation has to turn the check red that it breaks, and no other.

A check that has never failed has not been tested. On the history of a real run this shows besides that the run had what
it takes to notice each kind of mistake.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice

from harness.verify.consistency.answers import Answers, answers_of
from harness.verify.consistency.findings import findings_of
from harness.verify.consistency.history import History
from harness.verify.consistency.mutations import MUTATIONS, Mutation

TRIES = 20  # places where a mutation is tried, before it is said to break something else as well


class Noticed(StrEnum):
    EXACTLY = "exactly"
    WRONGLY = "wrongly"
    NO_OCCASION = "no occasion"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What a mutation flipped; of several tries the one that was noticed exactly, else the last."""

    mutation: Mutation
    noticed: Noticed
    flipped: tuple[str, ...]


def selftest(history: History, mutations: Sequence[Mutation] = MUTATIONS) -> tuple[Trial, ...]:
    answers = answers_of(history)
    before = broken(answers)
    return tuple(_tried(answers, before, mutation) for mutation in mutations)


def _tried(answers: Answers, before: Mapping[str, int], mutation: Mutation) -> Trial:
    noticed, flipped = Noticed.NO_OCCASION, frozenset[str]()
    for changed in islice(mutation.made(answers), TRIES):
        after = broken(answers_of(changed))
        flipped = frozenset(name for name in after if after[name] > before[name])
        noticed = Noticed.EXACTLY if flipped - mutation.along == {mutation.flips} else Noticed.WRONGLY
        if noticed is Noticed.EXACTLY:
            break
    return Trial(mutation=mutation, noticed=noticed, flipped=tuple(sorted(flipped)))


def broken(answers: Answers) -> dict[str, int]:
    """By check how much is broken, or not known of."""
    found = findings_of(answers)
    regions, counted = found.durability.by_region.values(), found.counters.values()
    return {
        "lost": sum(len(each.lost) for each in regions),
        "unread": sum(each.unread for each in regions),
        "undeleted": sum(len(each.undeleted) for each in regions),
        "unexpected": len(found.durability.unexpected),
        "duplicated": len(found.durability.duplicated),
        "resurrected": len(found.durability.resurrected),
        **{name: sum(len(t.violating) for t in finding.values()) for name, finding in found.sessions.items()},
        "counters": sum(len(each.above) + len(each.below) + len(each.wrong) for each in counted),
        "counters unread": sum(len(each.unread) for each in counted),
    }
