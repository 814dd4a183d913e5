"""Small histories: what came surely after a removal, and who would have had to see it."""

import pandas as pd
import pytest

from harness.verify.caching.taken_away import Request, findings_of

PAGE, ID = "home of user-1", "user-9 for user-1"


def removal(at_s: float, *, outcome: str = "ok", user: int = 1) -> Request:
    """Sent at `at_s`, acknowledged a second later."""
    return _request(at_s, at_s + 1.0, "block", user=user, outcome=outcome, change="remove", written=ID)


def addition(at_s: float, *, outcome: str = "ok", lasts_s: float = 1.0) -> Request:
    return _request(at_s, at_s + lasts_s, "unblock", outcome=outcome, change="add", written=ID)


def page(at_s: float, *seen: str, user: int = 1, outcome: str = "ok", object_: str = PAGE) -> Request:
    """Asked for at `at_s`, answered a tenth later."""
    return _request(at_s, at_s + 0.1, "home", user=user, outcome=outcome, object_=object_, seen=",".join(seen))


def _request(
    sent_s: float,
    finished_s: float,
    operation: str,
    *,
    user: int = 1,
    outcome: str,
    object_: str = "pages",
    change: str = "",
    written: str = "",
    seen: str = "",
) -> Request:
    return Request(sent_s, finished_s, operation, user, "redis", outcome, object_, change, written, seen)


def found(*history: Request, allowed_s: float = 0.0) -> list[tuple[int, list[float]]]:
    """Of each removal: how often it was looked for, and when the pages were asked for that still showed it."""
    frame = pd.DataFrame(history, columns=Request._fields)
    findings = findings_of(frame, {"block": allowed_s})
    return [(one.looked, [page.sent_s for page in one.showing]) for one in findings]


def test_no_history() -> None:
    assert found() == []


HISTORIES = [
    ("it was shown before and not after", [page(1, ID), removal(2), page(4)], (1, [])),
    ("it was shown after", [page(1, ID), removal(2), page(4, ID), page(5)], (2, [4.0])),
    ("nobody looked again", [page(1, ID), removal(2)], (0, [])),
    ("nobody had ever seen it", [page(1), removal(2), page(4)], (0, [])),
    ("it appears for the first time after it was taken away", [page(1), removal(2), page(4, ID)], (1, [4.0])),
    ("asked for before the answer to the removal had come", [page(1, ID), removal(2), page(2.95, ID)], (0, [])),
    ("another id that begins in the same way", [page(1, ID), removal(2), page(4, ID + "0")], (1, [])),
    ("among others", [page(1, ID), removal(2), page(4, "post-1", ID, "post-2")], (1, [4.0])),
    ("a page that failed", [page(1, ID), removal(2), page(4, ID, outcome="failed")], (0, [])),
    ("another page that had not shown it", [page(1, ID), removal(2), page(4, object_="search for x")], (0, [])),
    ("another page that shows it", [page(1, ID), removal(2), page(4, ID, object_="search for x")], (1, [4.0])),
    ("somebody else reads the page", [page(1, ID), removal(2), page(4, user=2)], (0, [])),
    ("somebody else, who had seen it, too", [page(1, ID), page(1, ID, user=2), removal(2), page(4, user=3)], (1, [])),
    ("added again, then shown", [page(1, ID), removal(2), addition(5), page(7, ID)], (0, [])),
    ("shown, then added again", [page(1, ID), removal(2), page(4, ID), addition(5)], (1, [4.0])),
    ("shown while it may be added again", [page(1, ID), removal(2), page(4.95, ID), addition(5)], (0, [])),
    ("added at the same time", [page(1, ID), addition(1.5), removal(2), page(4, ID)], (0, [])),
    ("added long before", [addition(0, lasts_s=0.5), page(1, ID), removal(2), page(4, ID)], (1, [4.0])),
    ("maybe added, nobody knows when", [addition(0, outcome="unknown"), removal(2), page(4, ID)], (0, [])),
    ("an addition that was refused", [page(1, ID), removal(2), addition(3, outcome="shed"), page(5, ID)], (1, [5.0])),
]


@pytest.mark.parametrize(("history", "expected"), [row[1:] for row in HISTORIES], ids=[row[0] for row in HISTORIES])
def test_what_counts_as_shown_and_what_as_looking(history: list[Request], expected: tuple[int, list[float]]) -> None:
    assert found(*history) == [expected]


@pytest.mark.parametrize("outcome", ["unknown", "failed", "shed", "disabled"])
def test_a_removal_that_was_not_acknowledged_owes_nothing(outcome: str) -> None:
    assert found(page(1, ID), removal(2, outcome=outcome), page(4, ID)) == []


@pytest.mark.parametrize(
    ("history", "looked"),
    [
        ([page(1, ID), removal(2), page(4, ID)], 0),
        ([page(1, ID), removal(2), page(4, ID), page(5.5)], 1),
        ([page(1, ID), removal(2), page(4), page(5.0)], 0),
        ([page(1, ID), removal(2), page(5.5, ID)], 1),
        ([page(1, ID), removal(2), page(5.5), page(5.95), addition(6), page(7)], 1),
    ],
    ids=["only while it is allowed", "and after", "at the limit", "still shown after", "until it may be added again"],
)
def test_a_look_counts_when_it_has_to_be_gone(history: list[Request], looked: int) -> None:
    """Acknowledged at 3 s, and two seconds are allowed."""
    ((many, _),) = found(*history, allowed_s=2.0)

    assert many == looked


def test_other_removals_are_nobodys_business() -> None:
    frame = pd.DataFrame([page(1, ID), removal(2), page(4)], columns=Request._fields)

    assert findings_of(frame, {"unfollow": 0.0}) == []


def test_how_long_it_was_shown_counts_from_the_acknowledgement() -> None:
    frame = pd.DataFrame([removal(2), page(4, ID), page(6, ID)], columns=Request._fields)

    (finding,) = findings_of(frame, {"block": 0.0})

    assert [finding.after_s(shown) for shown in finding.showing] == [1.0, 3.0]
