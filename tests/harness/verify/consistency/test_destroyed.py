"""Of a region whose data were destroyed at 10 s, what it had acknowledged in the second before may be gone."""

import pytest

from harness.verify.consistency.answers import answers_of
from harness.verify.consistency.destroyed import Destruction, Gone, without_what_is_gone
from harness.verify.consistency.findings import Findings, findings_of
from harness.verify.consistency.history import Ending, Operation, history_of
from tests.harness.verify.consistency.a_history import REGIONS, added, counted, deleted, finally_saw, saw, wrote

DESTROYED = Destruction(region="us-east", began_s=10.0, until_s=10.2)
IN_THE_LAST_SECOND_S = 9.5  # and acknowledged a tenth of a second later


def left(*operations: Operation, rpo_s: float = 1.0) -> tuple[Findings, Gone]:
    history, gone = without_what_is_gone(
        history_of(operations, regions=REGIONS), [DESTROYED], rpo_s=rpo_s
    )  # fmt: skip
    return findings_of(answers_of(history)), gone


def lost(found: Findings) -> set[str]:
    return {name for there in found.durability.by_region.values() for name in there.lost.names}


def finally_in(*ids: str, **of_region: tuple[str, ...]) -> list[Operation]:
    """What each region shows in the end; `us_west` and the like where it is something else."""
    return [finally_saw(region, *of_region.get(region.replace("-", "_"), ids)) for region in REGIONS]


def test_what_went_down_with_the_region_is_not_lost_and_its_age_is_told() -> None:
    found, gone = left(wrote(1, "p1", at_s=3.0), wrote(1, "p2", at_s=IN_THE_LAST_SECOND_S), *finally_in("p1"))

    assert lost(found) == set()
    assert gone.names == ("p2",)
    assert gone.reaches_back_s == pytest.approx(0.4)
    assert gone.acknowledged == 1
    assert gone.regions == ("us-east",)


def test_what_was_acknowledged_between_the_first_and_the_last_blow_may_be_gone_too() -> None:
    found, gone = left(wrote(1, "p1", at_s=10.05), *finally_in())

    assert (lost(found), gone.names, gone.reaches_back_s) == (set(), ("p1",), 0.0)


@pytest.mark.parametrize(
    ("why", "operations"),
    [
        ("older than the objective", [wrote(1, "p1", at_s=8.0)]),
        ("another region's", [wrote(1, "p1", at_s=IN_THE_LAST_SECOND_S, region="europe")]),
        ("after it was over", [wrote(1, "p1", at_s=12.0)]),
        (
            "another region has shown it",
            [wrote(1, "p1", at_s=IN_THE_LAST_SECOND_S), saw(2, "p1", at_s=11.0, region="europe")],
        ),
        (
            "another region has acknowledged it as well",
            [
                wrote(1, "p1", at_s=IN_THE_LAST_SECOND_S, key="k"),
                wrote(2, "p1", at_s=12.0, region="europe", key="k"),
            ],
        ),
    ],
)
def test_everything_else_is_owed(why: str, operations: list[Operation]) -> None:
    found, gone = left(*operations, *finally_in())

    assert (lost(found), gone.names) == ({"p1"}, ()), why


def test_what_one_region_still_has_is_owed_by_all() -> None:
    found, gone = left(wrote(1, "p1", at_s=IN_THE_LAST_SECOND_S), *finally_in(europe=("p1",)))

    assert (lost(found), gone.names) == ({"p1"}, ())


def test_without_an_objective_nothing_may_be_gone() -> None:
    found, _ = left(wrote(1, "p1", at_s=IN_THE_LAST_SECOND_S), *finally_in(), rpo_s=0.0)

    assert lost(found) == {"p1"}


def test_nobody_is_owed_what_went_down_though_they_had_seen_it() -> None:
    operations = [
        wrote(1, "p1", at_s=IN_THE_LAST_SECOND_S),
        saw(2, "p1", at_s=9.7),
        saw(1, at_s=30.0),  # its author, when the region is back
        saw(2, at_s=31.0),
        *finally_in(),
    ]
    found, _ = left(*operations)

    assert [
        name for name, finding in found.sessions.items() if any(len(tally.violating) for tally in finding.values())
    ] == []
    assert len(found.durability.unexpected) == 0


def test_an_unknown_attempt_elsewhere_makes_it_owed_to_nobody() -> None:
    unknown = wrote(3, "p1", at_s=12.0, region="europe", ending=Ending.INFO, key="k")
    found, gone = left(wrote(1, "p1", at_s=IN_THE_LAST_SECOND_S, key="k"), unknown, *finally_in())

    assert (lost(found), gone.names) == (set(), ("p1",))


def test_a_delete_of_the_last_moments_may_have_gone_down() -> None:
    operations = [wrote(1, "p1", at_s=3.0), deleted(2, "p1", at_s=IN_THE_LAST_SECOND_S), *finally_in("p1")]

    assert len(left(*operations)[0].durability.by_region["europe"].undeleted) == 0
    assert len(left(*operations, rpo_s=0.0)[0].durability.by_region["europe"].undeleted) == 1


@pytest.mark.parametrize(("shown", "wrong"), [(5.0, 0), (7.0, 0), (6.0, 1), (2.0, 1)])
def test_a_count_of_the_last_moments_is_there_or_not(shown: float, wrong: int) -> None:
    reads = [counted(50 + n, shown, at_s=90.0, region=region, final=True) for n, region in enumerate(REGIONS)]
    found, _ = left(added(1, 5.0, at_s=3.0), added(2, 2.0, at_s=IN_THE_LAST_SECOND_S), *reads)

    assert all(len(there.wrong) == wrong for there in found.counters.values())
