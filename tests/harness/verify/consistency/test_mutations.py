"""A sound history, and changes of it: each has to turn the check red that it breaks, and no other.

Causality holds all session guarantees in itself, so whatever breaks one of them breaks it too.
"""

from collections.abc import Callable
from dataclasses import replace

import pytest

from harness.verify.consistency.answers import Answers
from harness.verify.consistency.causality import causal
from harness.verify.consistency.counters import counters
from harness.verify.consistency.durability import durability
from harness.verify.consistency.history import Ending, Operation
from harness.verify.consistency.monotonic_reads import monotonic_reads
from harness.verify.consistency.monotonic_writes import monotonic_writes
from harness.verify.consistency.own_writes import read_your_writes
from harness.verify.consistency.sound import IN_THE_END, SOUND
from harness.verify.consistency.writes_follow_reads import writes_follow_reads
from tests.harness.verify.consistency.a_history import told

Change = Callable[[dict[str, Operation]], dict[str, Operation]]


def red(answers: Answers) -> set[str]:
    """The checks that are broken, or that know nothing of a region."""
    found, likes = durability(answers), counters(answers).values()
    there = found.by_region.values()
    sessions = {
        "read your writes": read_your_writes(answers),
        "monotonic reads": monotonic_reads(answers),
        "monotonic writes": monotonic_writes(answers),
        "writes follow reads": writes_follow_reads(answers),
        "causal": causal(answers).finding,
    }
    broken = {
        "lost": any(len(each.lost) for each in there),
        "unread": bool(found.unread_regions),
        "undeleted": any(len(each.undeleted) for each in there),
        "unexpected": len(found.unexpected) > 0,
        "duplicated": len(found.duplicated) > 0,
        "resurrected": len(found.resurrected) > 0,
        "counters": any(len(each.above) + len(each.below) + len(each.wrong) for each in likes),
        "counters unread": any(each.unread for each in likes),
    }
    broken |= {name: any(len(t.violating) for t in finding.values()) for name, finding in sessions.items()}
    return {name for name, is_red in broken.items() if is_red}


def seeing(name: str, *ids: str) -> Change:
    return lambda sound: sound | {name: replace(sound[name], seen=ids)}


def without(name: str) -> Change:
    return lambda sound: {each: operation for each, operation in sound.items() if each != name}


def swapped(one: str, other: str) -> Change:
    """What two reads showed, exchanged."""
    return lambda sound: (
        sound
        | {
            one: replace(sound[one], seen=sound[other].seen),
            other: replace(sound[other], seen=sound[one].seen),
        }
    )


def with_changed(name: str, **fields: object) -> Change:
    return lambda sound: sound | {name: replace(sound[name], **fields)}  # type: ignore[arg-type]


MUTATIONS: list[tuple[str, Change, set[str]]] = [
    ("an acknowledged id is dropped from a final read", seeing("europe in the end", *IN_THE_END[:3]), {"lost"}),
    ("an id is shown twice", seeing("europe in the end", *IN_THE_END, "p1"), {"duplicated"}),
    ("two reads are swapped", swapped("europe shows p1", "europe shows both"), {"monotonic reads", "causal"}),
    ("an unknown write is said to be acknowledged", with_changed("nobody knows of this", ending=Ending.OK), {"lost"}),
    ("a region has no final read", without("us-west in the end"), {"unread"}),
    ("an id appears that nobody wrote", seeing("europe in the end", *IN_THE_END, "ghost"), {"unexpected"}),
    ("a refused write is there", with_changed("and replies", ending=Ending.FAIL), {"unexpected"}),
    ("a deleted id comes back", seeing("a stranger reads", "p1", "p2", "reply", "d"), {"resurrected"}),
    ("and stays", seeing("europe in the end", *IN_THE_END, "d"), {"undeleted", "resurrected"}),
    ("an author does not see its own", seeing("their author sees them"), {"read your writes", "causal"}),
    ("a read shows the second without the first", seeing("us-west shows all", "p2"), {"monotonic writes", "causal"}),
    (
        "a reply comes without what it replies to",
        seeing("us-west shows all", "p1", "reply"),
        {"writes follow reads", "causal"},
    ),
    ("a like counts twice", with_changed("likes in europe", amount=3.0), {"counters"}),
    ("a like is lost", with_changed("likes in europe", amount=0.0), {"counters"}),
    ("likes are not read in the end", without("likes in europe"), {"counters unread"}),
]


def test_a_sound_history_is_sound() -> None:
    assert red(told(*SOUND.values())) == set()


@pytest.mark.parametrize(("why", "change", "expected"), MUTATIONS, ids=[why for why, _, _ in MUTATIONS])
def test_each_mutation_turns_its_check_red_and_no_other(why: str, change: Change, expected: set[str]) -> None:
    assert red(told(*change(SOUND).values())) == expected, why
