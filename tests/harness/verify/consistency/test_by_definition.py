"""The checks against the definitions on thousands of small histories, many at once as one large history."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pytest

from harness.verify.consistency.answers import Answers, answers_of
from harness.verify.consistency.causality import causal
from harness.verify.consistency.counters import counters
from harness.verify.consistency.durability import durability
from harness.verify.consistency.finding import Finding
from harness.verify.consistency.history import history_of
from harness.verify.consistency.monotonic_reads import monotonic_reads
from harness.verify.consistency.monotonic_writes import monotonic_writes
from harness.verify.consistency.own_writes import read_your_writes
from harness.verify.consistency.staleness import staleness
from harness.verify.consistency.writes_follow_reads import writes_follow_reads
from tests.harness.verify.consistency.by_definition import Item, Reads, World
from tests.harness.verify.consistency.random_worlds import REGIONS, a_world, side_by_side

WORLDS, TOGETHER = 3000, 50
SESSION_CHECKS: dict[str, tuple[Callable[[Answers], Finding], Callable[[World], tuple[Reads, Reads]]]] = {
    "read your writes": (read_your_writes, World.read_your_writes),
    "monotonic reads": (monotonic_reads, World.monotonic_reads),
    "monotonic writes": (monotonic_writes, World.monotonic_writes),
    "writes follow reads": (writes_follow_reads, World.writes_follow_reads),
    "causal": (lambda answers: causal(answers).finding, World.causal),
}
COHORTS = {"read your writes": 2, "monotonic reads": 2}  # the others have three


def answered(world: World) -> Answers:
    return answers_of(
        history_of(
            world.operations,
            regions=world.regions,
            seeded=world.seeded,
            order=world.order,
            keys=world.keys,
            initial=world.initial,
        )
    )


def batches(worlds: int) -> list[tuple[list[World], Answers]]:
    found = []
    for first in range(0, worlds, TOGETHER):
        sane = first % (4 * TOGETHER) != 0
        some = [a_world(seed, sane=sane) for seed in range(first, first + TOGETHER)]
        found.append((some, answered(side_by_side(some))))
    return found


def positions_in(worlds: Sequence[World]) -> list[int]:
    """Where each world's operations begin among all."""
    return [0, *np.cumsum([len(world.operations) for world in worlds]).tolist()]


def compare(checks: Sequence[tuple[list[World], Answers]]) -> Counter[str]:
    """How often each check was broken in each cohort; asserts that both ways agree about it, read by read."""
    met: Counter[str] = Counter()
    for worlds, answers in checks:
        begin = positions_in(worlds)
        for name, (check, definition) in SESSION_CHECKS.items():
            finding = check(answers)
            expected = [definition(world) for world in worlds]
            for cohort, tally in finding.items():
                broken = {at + each for at, (_, b) in zip(begin, expected, strict=False) for each in b[cohort]}
                judged = sum(len(j[cohort]) for j, _ in expected)

                assert set(answers.history.row[tally.violating].tolist()) == broken, (name, cohort)
                assert tally.judged == judged, (name, cohort)
                met[f"{name}, {cohort}"] += len(broken)
    return met


def named(items: set[Item], number: int, world: World) -> set[str]:
    """Items by the name that the checks use: the first id that anybody told of, else the key."""
    return {f"{number}.{item[1]}" for item in items}


def by_key(answers: Answers, worlds: Sequence[World], names: Sequence[str]) -> set[str]:
    """The same names for what the checks found."""
    found = set()
    for name in names:
        number, _, word = name.partition(".")
        found.add(f"{number}.{worlds[int(number)].key_of_id.get(word, word)}")
    return found


def compare_durability(checks: Sequence[tuple[list[World], Answers]]) -> Counter[str]:
    met: Counter[str] = Counter()
    for worlds, answers in checks:
        found = durability(answers)

        def expected(definition: Callable[[World], set[Item]], worlds: Sequence[World] = worlds) -> set[str]:
            return set().union(*(named(definition(world), n, world) for n, world in enumerate(worlds)))

        everywhere: Mapping[str, tuple[Sequence[str], Callable[[World], set[Item]]]] = {
            "unexpected": (found.unexpected.names, World.unexpected),
            "duplicated": (found.duplicated.names, World.duplicated),
            "resurrected": (found.resurrected.names, World.resurrected),
        }
        for name, (names, definition) in everywhere.items():
            assert by_key(answers, worlds, names) == expected(definition), name
            met[name] += len(names)
        for region in REGIONS:
            there = found.by_region[region]
            names_there = {
                "lost": there.lost.names,
                "recovered": there.recovered,
                "undeleted": there.undeleted.names,
            }
            for name, names in names_there.items():
                wanted = expected(lambda world, name=name, region=region: world.at_region(region)[name])  # type: ignore[misc]
                assert by_key(answers, worlds, names) == wanted, name
                met[name] += len(names)
            unread = expected(lambda world, region=region: world.at_region(region)["unread"])  # type: ignore[misc]
            assert there.unread == len(unread)
            met["unread"] += len(unread)
    return met


def compare_staleness(checks: Sequence[tuple[list[World], Answers]]) -> Counter[str]:
    met: Counter[str] = Counter()
    for worlds, answers in checks:
        for (source, reader), found in staleness(answers).items():
            expected = [world.staleness(source, reader) for world in worlds]

            def values(name: str, expected: list[dict[str, list[float]]] = expected) -> list[float]:
                return sorted(each for of_world in expected for each in of_world[name])

            assert found.staleness_s.tolist() == values("stable")
            assert found.shown_within_s.tolist() == values("within")
            assert found.missed_until_s.tolist() == values("until")
            counts = {"stable": found.stable, "stale": found.stale, "lost": found.lost}
            counts |= {"never": found.never_read, "unshown": found.unshown}
            for name, count in counts.items():
                assert count == len(values(name)), name
                met[name] += count
    return met


def compare_cycles(checks: Sequence[tuple[list[World], Answers]]) -> Counter[str]:
    met: Counter[str] = Counter()
    for worlds, answers in checks:
        some = causal(answers, at_once=3)
        assert _same(some.finding, causal(answers).finding)
        cyclic = {witness.ids[0] for witness in some.cycles}
        expected = set().union(*(named(world.cyclic(), number, world) for number, world in enumerate(worlds)))

        assert bool(cyclic) == bool(expected)
        assert by_key(answers, worlds, sorted(cyclic)) <= expected
        met["cycles"] += len(cyclic)
        met["without"] += not cyclic
    return met


def _same(one: Finding, other: Finding) -> bool:
    return all(one[cohort].violating.tolist() == other[cohort].violating.tolist() for cohort in one)


def compare_counters(checks: Sequence[tuple[list[World], Answers]]) -> Counter[str]:
    met: Counter[str] = Counter()
    for worlds, answers in checks:
        begin = positions_in(worlds)
        for region, found in counters(answers).items():
            reads = [
                (at, world, read)
                for at, world in zip(begin, worlds, strict=False)
                for read in world.counter_reads(region)
            ]
            above = {at + read for at, world, read in reads if world.counted(read) > world.bounds(read)[1]}
            below = {at + read for at, world, read in reads if world.counted(read) < world.bounds(read)[0]}
            behind = [read for _, world, read in reads if world.counted(read) < world.bounds(read, of_all=True)[0]]
            final = [
                (at, world, read) for at, world, read in reads if read == world.final_read(region, world[read].object)
            ]
            wrong = {at + read for at, world, read in final if world.counted(read) not in world.possible(read)}

            assert set(answers.history.row[found.above].tolist()) == above
            assert set(answers.history.row[found.below].tolist()) == below
            assert set(answers.history.row[found.wrong].tolist()) == wrong
            assert (found.judged, found.behind, found.finally_judged) == (len(reads), len(behind), len(final))
            met += Counter(above=len(above), below=len(below), behind=len(behind), wrong=len(wrong), right=len(final))
    return met


COMPARISONS = [compare, compare_durability, compare_staleness, compare_cycles, compare_counters]


def test_checks_agree_with_the_definitions_on_a_few_histories() -> None:
    few = batches(2 * TOGETHER)

    for each in COMPARISONS:
        each(few)


@pytest.mark.slow
def test_checks_agree_with_the_definitions_on_thousands_of_histories_that_break_everything() -> None:
    many = batches(WORLDS)
    met: Counter[str] = Counter()
    for each in COMPARISONS:
        met += each(many)

    kinds = [f"{name}, {cohort}" for name in SESSION_CHECKS for cohort in ("sticky", "moved")]
    kinds += [f"{name}, remote" for name in SESSION_CHECKS if name not in COHORTS]
    kinds += ["lost", "unread", "recovered", "undeleted", "unexpected", "duplicated", "resurrected"]
    kinds += ["stable", "stale", "never", "unshown", "cycles", "above", "below", "behind", "wrong", "right"]
    assert not [kind for kind in kinds if met[kind] < 5], met
