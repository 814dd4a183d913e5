"""What a controller remembers from one sync to the next: its recommendations, and by how much it changed the size.

A record that is too old stays until its place is needed (horizontal.go: `stabilizeRecommendationWithBehaviors`,
`storeScaleEvent`). So no memory grows beyond the number of records that one period can hold.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    at_s: float
    replicas: int


Records = tuple[Record, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """`recommendations` before they were stabilized or limited; how many replicas were `added` and `removed`."""

    recommendations: Records = ()
    added: Records = ()
    removed: Records = ()


def newer(records: Records, now_s: float, age_s: float) -> list[int]:
    """A record of exactly that age is not newer."""
    return [record.replicas for record in records if record.at_s > now_s - age_s]


def with_record(records: Records, record: Record, *, kept_s: float) -> Records:
    """In the place of the last one that is older than `kept_s`, if there is one.

    Subtle: changes of the size are kept for the longest period of their own direction only, but both directions look at
    them. A change that is forgotten too early makes the other direction's limit stricter, never looser.
    """
    old = [place for place, known in enumerate(records) if known.at_s < record.at_s - kept_s]
    if not old:
        return (*records, record)
    return (*records[: old[-1]], record, *records[old[-1] + 1 :])
