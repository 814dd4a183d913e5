import numpy as np
import pandas as pd
import pytest

from harness.verify.consistency.answers import answers_of
from harness.verify.consistency.history import UNKNOWN, Ending, Kind, Operation, from_columns, misfits
from tests.harness.verify.consistency.a_history import REGIONS, a_history, added, deleted, saw, told, wrote


@pytest.mark.parametrize("seeded", [[], ["seed"]])
def test_an_empty_history_is_a_history(seeded: list[str]) -> None:
    history = a_history(seeded=seeded, order={"seed": 1.0}, keys={"p1": "k"})

    assert len(history) == 0
    assert len(answers_of(history).seen.read) == 0
    assert len(misfits(history)) == 0


def test_operations_come_back_as_they_went_in_ordered_by_invocation() -> None:
    operations = [
        saw(2, "p1", at_s=3.0, region="europe", whole=False),
        wrote(1, "p1", at_s=1.0),
        added(3, 2.0, at_s=2.0, ending=Ending.INFO),
        deleted(4, "p1", at_s=4.0, region=""),
    ]

    history = a_history(*operations)

    assert [history.operation(place) for place in range(4)] == [operations[i] for i in (1, 2, 0, 3)]
    assert history.row.tolist() == [1, 2, 0, 3]


def test_seen_ids_can_be_given_as_categories() -> None:
    operations = [wrote(1, "p1", at_s=1.0), saw(1, "p1", "q", at_s=2.0)]
    names = [name for name in Operation.__slots__ if name != "seen"]
    frame = pd.DataFrame({name: [getattr(each, name) for each in operations] for name in names})
    shown = pd.Categorical(["p1", "q"], categories=["never seen", "p1", "q"])

    history = from_columns(frame, seen_counts=np.array([0, 2]), seen=shown, regions=REGIONS)

    assert history.operation(1).seen == ("p1", "q")


def test_writes_with_one_idempotency_key_wrote_one_item() -> None:
    answers = told(
        wrote(1, "", at_s=1.0, key="k", ending=Ending.INFO),
        wrote(2, "p2", at_s=2.0, key="k", region="europe"),
        wrote(3, "p3", at_s=3.0, key="other"),
        saw(4, "p1", at_s=4.0),
        keys={"p1": "k"},
    )

    of_operation = answers.items.of_operation.tolist()
    p1 = answers.items.of_id[answers.history.ids.index("p1")]
    assert of_operation[0] == of_operation[1] == p1
    assert of_operation[2] != of_operation[0]
    assert of_operation[3] == UNKNOWN


def test_a_region_that_the_system_does_not_have_is_refused() -> None:
    with pytest.raises(AssertionError, match="atlantis"):
        a_history(wrote(1, "p1", at_s=1.0, region="atlantis"))


@pytest.mark.parametrize(
    ("second", "session", "first", "found"),
    [
        (1.2, 1, Ending.OK, []),
        (1.05, 1, Ending.OK, [1]),  # began while the first was under way
        (1.05, 2, Ending.OK, []),  # another session may
        (1.2, 1, Ending.INFO, [1]),  # after a write of unknown fate a session has to be replaced
    ],
)
def test_sessions_that_are_no_sessions_are_found(second: float, session: int, first: Ending, found: list[int]) -> None:
    history = a_history(wrote(1, "p1", at_s=1.0, ending=first), wrote(session, "p2", at_s=second))

    assert misfits(history).tolist() == found


def test_a_read_that_was_not_answered_shows_nothing() -> None:
    answers = told(saw(1, "p1", at_s=1.0, ending=Ending.INFO), saw(1, "p1", at_s=2.0, ending=Ending.FAIL))

    assert len(answers.seen.read) == 0
    assert answers.history.kind.tolist() == [Kind.READ, Kind.READ]
