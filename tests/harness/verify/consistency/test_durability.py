import pytest

from harness.verify.consistency.durability import durability
from harness.verify.consistency.history import Ending
from tests.harness.verify.consistency.a_history import REGIONS, deleted, finally_saw, saw, told, wrote


def test_without_final_reads_nothing_is_known() -> None:
    nothing = durability(told())
    unread = durability(told(wrote(1, "p1", at_s=1.0)))

    assert all(found.acked == found.judged == 0 for found in nothing.by_region.values())
    assert unread.unread_regions == REGIONS
    assert all(found.judged == 0 for found in unread.by_region.values())


def test_what_was_acknowledged_is_looked_for_in_every_region() -> None:
    found = durability(
        told(
            wrote(1, "p1", at_s=1.0),
            saw(2, "p1", at_s=2.0, region="europe"),
            finally_saw("us-east", "p1"),
            finally_saw("europe"),
        )
    )

    assert found.by_region["us-east"].lost.names == ()
    assert found.by_region["europe"].lost.names == ("p1",)
    assert found.unread_regions == ("us-west",)
    assert found.by_region["us-west"].unread_objects == ("posts of user-17",)
    witness = found.by_region["europe"].lost.witnesses[0]
    assert [step.part for step in witness.steps] == ["wrote p1", "saw p1", "missed p1"]
    assert "acknowledged to session 1 in us-east at 1.100 s" in witness.sentence


@pytest.mark.parametrize(
    ("ending", "shown", "lost", "recovered", "unexpected"),
    [
        (Ending.OK, True, 0, 0, 0),
        (Ending.OK, False, 1, 0, 0),
        (Ending.INFO, True, 0, 1, 0),
        (Ending.INFO, False, 0, 0, 0),
        (Ending.FAIL, True, 0, 0, 1),
        (Ending.FAIL, False, 0, 0, 0),
    ],
)
def test_the_ending_of_a_write_says_what_may_be_there(
    ending: Ending, shown: bool, lost: int, recovered: int, unexpected: int
) -> None:
    final = finally_saw("us-east", *(("p1",) if shown else ()))
    found = durability(told(wrote(1, "p1", at_s=1.0, ending=ending), final))

    there = found.by_region["us-east"]
    assert (len(there.lost), len(there.recovered), len(found.unexpected)) == (lost, recovered, unexpected)


def test_the_last_final_read_counts() -> None:
    found = durability(
        told(wrote(1, "p1", at_s=1.0), finally_saw("europe", at_s=50.0), finally_saw("europe", "p1", at_s=60.0))
    )

    assert found.by_region["europe"].judged == 1
    assert len(found.by_region["europe"].lost) == 0


@pytest.mark.parametrize("age", [1.0, None])
def test_a_final_page_without_room_leaves_it_unread(age: float | None) -> None:
    order = {"p2": 2.0, "p3": 3.0} | ({"p1": age} if age is not None else {})
    page = saw(9, "p2", "p3", at_s=100.0, whole=False, final=True)
    found = durability(told(wrote(1, "p1", at_s=1.0), wrote(1, "p2", at_s=2.0), page, order=order))

    assert (found.by_region["us-east"].unread, found.by_region["us-east"].judged) == (1, 1)


def test_an_acknowledged_write_without_id_or_key_is_counted_as_untraceable() -> None:
    found = durability(told(wrote(1, "", at_s=1.0), wrote(2, "", at_s=1.0, key="k")))

    assert found.untraceable == 1


def test_what_is_acknowledged_after_the_final_read_began_is_unread() -> None:
    found = durability(told(finally_saw("us-east", at_s=50.0), wrote(1, "p1", at_s=60.0)))

    assert (found.by_region["us-east"].unread, len(found.by_region["us-east"].lost)) == (1, 0)


def test_seeds_are_expected_and_what_nobody_wrote_is_not() -> None:
    found = durability(told(saw(1, "seed", "ghost", at_s=1.0), seeded=["seed"]))

    assert found.unexpected.names == ("ghost",)
    assert "which nobody wrote" in found.unexpected.witnesses[0].sentence


def test_a_write_whose_id_nobody_knows_explains_one_unknown_id_and_only_later() -> None:
    nameless = wrote(1, "", at_s=2.0, ending=Ending.INFO)

    explained = durability(told(nameless, saw(2, "ghost", at_s=3.0)))
    too_many = durability(told(nameless, saw(2, "ghost", "spirit", at_s=3.0)))
    too_early = durability(told(saw(2, "ghost", at_s=1.0), nameless))

    assert (len(explained.unexpected), len(too_many.unexpected), len(too_early.unexpected)) == (0, 1, 1)


def test_one_thing_twice_in_one_answer() -> None:
    found = durability(told(wrote(1, "p1", at_s=1.0), saw(2, "p1", "p1", at_s=2.0)))

    assert found.duplicated.names == ("p1",)


def test_one_key_under_two_ids_in_one_answer() -> None:
    writes = (wrote(1, "a1", at_s=1.0, key="k"), wrote(2, "b1", at_s=1.0, key="k", region="europe"))
    apart = durability(told(*writes, saw(3, "a1", at_s=2.0), saw(4, "b1", at_s=2.0, region="europe")))
    together = durability(told(*writes, saw(3, "a1", "b1", at_s=2.0)))

    assert len(apart.duplicated) == 0
    assert len(together.duplicated) == 1
    assert set(together.duplicated.witnesses[0].ids) == {"a1", "b1"}


def test_one_key_under_two_ids_in_the_end_did_not_converge_to_one() -> None:
    writes = (wrote(1, "a1", at_s=1.0, key="k"), wrote(2, "b1", at_s=1.0, key="k", region="europe"))
    found = durability(told(*writes, finally_saw("us-east", "a1"), finally_saw("europe", "b1")))

    assert len(found.duplicated) == 1
    assert all(len(found.by_region[region].lost) == 0 for region in ("us-east", "europe"))


def test_a_delete_excuses_from_showing_and_has_to_last() -> None:
    found = durability(
        told(
            wrote(1, "p1", at_s=1.0),
            deleted(1, "p1", at_s=2.0),
            finally_saw("us-east"),
            finally_saw("europe", "p1"),
        )
    )

    assert len(found.by_region["us-east"].lost) == 0
    assert found.by_region["europe"].undeleted.names == ("p1",)


def _deleted_everywhere() -> list:  # type: ignore[type-arg]
    shown = [saw(10 + n, "p1", at_s=2.0, region=region) for n, region in enumerate(REGIONS)]
    gone = [saw(20 + n, at_s=4.0, region=region) for n, region in enumerate(REGIONS)]
    return [wrote(1, "p1", at_s=1.0), *shown, deleted(1, "p1", at_s=3.0), *gone]


def test_what_was_gone_from_every_region_may_not_come_back() -> None:
    fine = durability(told(*_deleted_everywhere()))
    back = durability(told(*_deleted_everywhere(), saw(30, "p1", at_s=5.0, region="europe")))

    assert (fine.deletes, len(fine.resurrected)) == (1, 0)
    assert back.resurrected.names == ("p1",)
    assert back.resurrected.witnesses[0].steps[-1].part == "saw p1 again"


def test_a_region_that_never_showed_it_may_show_it_late() -> None:
    operations = [each for each in _deleted_everywhere() if each.served != "europe"]
    found = durability(told(*operations, saw(40, at_s=4.0, region="europe"), saw(41, "p1", at_s=5.0, region="europe")))

    assert len(found.resurrected) == 0


def test_a_write_of_unknown_fate_may_come_back_for_ever() -> None:
    again = wrote(2, "p1", at_s=1.5, ending=Ending.INFO)
    found = durability(told(*_deleted_everywhere(), again, saw(30, "p1", at_s=5.0, region="europe")))

    assert (found.deletes, len(found.resurrected)) == (0, 0)
