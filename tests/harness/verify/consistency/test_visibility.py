from collections import defaultdict

import pytest

from harness.verify.consistency.history import Ending, Operation
from harness.verify.consistency.visibility import AGES_S, visibility
from harness.verify.verdict import Visibility
from harness.verify.windows import Window
from tests.harness.verify.consistency.a_history import deleted, saw, told, wrote
from tests.harness.verify.consistency.by_definition import World
from tests.harness.verify.consistency.random_worlds import REGIONS, a_world
from tests.harness.verify.consistency.test_by_definition import answered

Shares = dict[tuple[str, str, bool, float], tuple[int, float]]  # writer, reader, disturbed, age → reads, share


def shares(found: tuple[Visibility, ...]) -> Shares:
    return {
        (each.writer, each.reader, each.disturbed, age.from_s): (age.reads, round(age.share, 9))
        for each in found
        for age in each.ages
    }


def seen(*operations: Operation, disturbed: tuple[Window, ...] = ()) -> Shares:
    return shares(visibility(told(*operations), disturbed=disturbed))


def cut(from_s: float, to_s: float) -> tuple[Window, ...]:
    return (Window(name="a cut", start_s=from_s, end_s=to_s),)


def test_nothing_done_is_nothing_seen() -> None:
    assert seen() == {}


def test_a_write_is_as_old_as_the_time_from_its_acknowledgement_to_the_beginning_of_the_read() -> None:
    found = seen(
        wrote(1, "p1", at_s=1.0),  # acknowledged at 1.1
        saw(2, at_s=1.2, region="europe"),
        saw(3, at_s=1.5, region="europe"),
        saw(4, "p1", at_s=1.55, region="europe"),
        saw(5, "p1", at_s=60.0, region="us-west"),
    )

    assert found == {
        ("us-east", "europe", False, 0.0): (1, 0.0),
        ("us-east", "europe", False, 0.2): (2, 0.5),
        ("us-east", "us-west", False, 50.0): (1, 1.0),
    }


def test_only_strangers_are_probes() -> None:
    later = saw(2, at_s=3.0, region="europe")  # the second thing that session 2 does

    assert seen(wrote(1, "p1", at_s=1.0), saw(2, at_s=0.5, region="europe"), later) == {}
    assert seen(wrote(1, "p1", at_s=1.0), saw(1, "p1", at_s=2.0)) == {}


@pytest.mark.parametrize(
    ("why", "operations"),
    [
        ("nobody was told that it is written", [wrote(1, "p1", at_s=1.0, ending=Ending.INFO), saw(3, "p1", at_s=2.0)]),
        ("the read began before", [wrote(1, "p1", at_s=1.0, lasts_s=0.5), saw(2, "p1", at_s=1.2)]),
        ("it was being deleted", [wrote(1, "p1", at_s=1.0), deleted(1, "p1", at_s=2.0), saw(2, "p1", at_s=3.0)]),
        ("the page was full", [wrote(1, "p1", at_s=1.0), saw(2, "p9", at_s=2.0, whole=False)]),
        ("nobody knows where it was read", [wrote(1, "p1", at_s=1.0), saw(2, "p1", at_s=2.0, region="")]),
    ],
)
def test_what_is_no_probe_of_a_write(why: str, operations: list[Operation]) -> None:
    assert seen(*operations) == {}, why


def test_a_read_counts_once_however_much_it_showed() -> None:
    writes = [wrote(number, f"p{number}", at_s=1.0) for number in range(1, 5)]

    found = seen(*writes, saw(8, "p1", at_s=1.15, region="europe"), saw(9, at_s=1.15, region="europe"))

    assert found == {("us-east", "europe", False, 0.0): (2, 0.125)}


def test_a_fault_between_write_and_read_sets_them_apart() -> None:
    operations = wrote(1, "p1", at_s=1.0), saw(2, "p1", at_s=3.0, region="europe")

    for window, disturbed in (
        (cut(0.0, 1.0), False),
        (cut(0.0, 1.2), True),
        (cut(2.0, 2.5), True),
        (cut(3.2, 4), False),
    ):
        assert [key[2] for key in seen(*operations, disturbed=window)] == [disturbed], window


def test_the_interval_holds_the_share_and_narrows_with_reads() -> None:
    def interval(reads: int) -> list[float]:
        probes = [saw(2 + number, "p1", at_s=2.2, region="europe") for number in range(reads)]
        (found,) = visibility(told(wrote(1, "p1", at_s=1.0), *probes), disturbed=())
        (age,) = found.ages
        assert (age.share, age.reads) == (1.0, reads)
        return [age.low, age.high]

    assert interval(1) == pytest.approx([0.025, 1.0])
    assert interval(20) == pytest.approx([0.8316, 1.0], abs=1e-4)


@pytest.mark.parametrize(
    ("first", "worlds", "least"), [(0, 20, 10), pytest.param(20, 300, 200, marks=pytest.mark.slow)]
)
def test_it_is_what_the_definition_gives(first: int, worlds: int, least: int) -> None:
    probed = 0
    for seed in range(first, first + worlds):
        world = a_world(seed)
        found = shares(visibility(answered(world), disturbed=cut(3.0, 5.0)))

        assert found == by_definition(world, 3.0, 5.0), seed
        probed += len(found)
    assert probed > least


def by_definition(world: World, from_s: float, to_s: float) -> Shares:
    shown: dict[tuple[str, str, bool, float], dict[int, list[bool]]] = defaultdict(lambda: defaultdict(list))
    first: dict[int, int] = {}
    for position in world.line:
        first.setdefault(world[position].session, position)
    for item, author in world.author.items():
        for read in world.reads:
            operation, acked_s = world[read], world.acked_s(item)
            owed = world.owed(read, item) and not world.excused(read, item)
            if owed and acked_s <= operation.invoked_s and first[operation.session] == read:
                where = world[author].served, operation.served
                if all(each in REGIONS for each in where):
                    age_s = max(age for age in AGES_S if age <= operation.invoked_s - acked_s)
                    ill = acked_s < to_s and operation.completed_s >= from_s
                    shown[*where, ill, age_s][read].append(item in world.shown[read])
    return {
        key: (len(reads), round(sum(sum(of) / len(of) for of in reads.values()) / len(reads), 9))
        for key, reads in shown.items()
    }
