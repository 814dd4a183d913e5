import pytest

from harness.verify.consistency.finding import Cohort
from harness.verify.consistency.history import Ending
from harness.verify.consistency.writes_follow_reads import writes_follow_reads
from tests.harness.verify.consistency.a_history import saw, told, wrote

STICKY, REMOTE, MOVED = Cohort.STICKY, Cohort.REMOTE, Cohort.MOVED


def test_nothing_done_is_nothing_judged() -> None:
    assert all(tally.judged == 0 for tally in writes_follow_reads(told()).values())


@pytest.mark.parametrize(
    ("reply", "reader", "cohort"),
    [
        ("europe", "europe", STICKY),
        ("europe", "us-west", REMOTE),
        ("us-west", "us-west", MOVED),
    ],
)
def test_a_reply_is_shown_without_its_parent(reply: str, reader: str, cohort: Cohort) -> None:
    finding = writes_follow_reads(
        told(
            wrote(1, "parent", at_s=1.0, region="us-east"),
            saw(2, "parent", at_s=2.0, region="europe"),
            wrote(2, "reply", at_s=3.0, region=reply),
            saw(3, "reply", at_s=4.0, region=reader),
            saw(4, "reply", "parent", at_s=5.0, region=reader),
        )
    )

    assert finding[cohort].judged == 2
    assert finding[cohort].violating.tolist() == [3]
    parts = [step.part for step in finding[cohort].witnesses[0].steps]
    assert parts == ["wrote parent", "saw parent", "wrote reply", "saw reply, missed parent"]
    assert all(finding[other].judged == 0 for other in Cohort if other is not cohort)


def test_what_was_seen_only_after_writing_is_not_followed() -> None:
    finding = writes_follow_reads(
        told(
            wrote(1, "parent", at_s=1.0),
            wrote(2, "other", at_s=2.0),
            saw(2, "parent", "other", at_s=3.0),
            saw(3, "other", at_s=4.0),
        )
    )

    assert all(tally.judged == 0 for tally in finding.values())


def test_a_parent_of_unknown_fate_is_owed_once_it_was_seen() -> None:
    finding = writes_follow_reads(
        told(
            wrote(1, "parent", at_s=1.0, ending=Ending.INFO),
            saw(2, "parent", at_s=2.0),
            wrote(2, "reply", at_s=3.0),
            saw(3, "reply", at_s=4.0),
        )
    )

    assert finding[STICKY].violating.tolist() == [3]


def test_a_full_page_without_room_for_the_parent_is_not_judged() -> None:
    order = {"parent": 1.0, "reply": 2.0, "later": 3.0}
    finding = writes_follow_reads(
        told(
            wrote(1, "parent", at_s=1.0),
            saw(2, "parent", at_s=2.0),
            wrote(2, "reply", at_s=3.0),
            saw(3, "later", "reply", at_s=4.0, whole=False),
            order=order,
        )
    )

    assert all(tally.judged == 0 for tally in finding.values())
