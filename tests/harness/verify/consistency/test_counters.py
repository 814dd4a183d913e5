import time

import pytest

from harness.verify.consistency.counters import counters
from harness.verify.consistency.history import Ending, Operation
from tests.harness.verify.consistency.a_history import added, counted, told

DEFINITE = [added(1, 10.0, at_s=1.0)]
DOUBTFUL = [*DEFINITE, added(2, 5.0, at_s=2.0, ending=Ending.INFO)]


def test_nothing_done_is_nothing_judged() -> None:
    assert all(found.judged == found.finally_judged == 0 for found in counters(told()).values())


@pytest.mark.parametrize(
    ("why", "increments", "value", "above", "below"),
    [
        ("all that was acknowledged", DEFINITE, 10.0, 0, 0),
        ("more than was ever asked for", DEFINITE, 11.0, 1, 0),
        ("less than this region acknowledged", DEFINITE, 9.0, 0, 1),
        ("an increment of unknown fate, counted", DOUBTFUL, 15.0, 0, 0),
        ("and not counted", DOUBTFUL, 10.0, 0, 0),
        ("a refused one may not count", [added(1, 3.0, at_s=1.0, ending=Ending.FAIL)], 3.0, 1, 0),
        ("one under way may count", [added(1, 3.0, at_s=8.95, lasts_s=1.0)], 3.0, 0, 0),
        ("or not", [added(1, 3.0, at_s=8.95, lasts_s=1.0)], 0.0, 0, 0),
        ("a decrement that surely was", [*DEFINITE, added(2, -4.0, at_s=2.0)], 10.0, 1, 0),
        ("one that may have been", [*DEFINITE, added(2, -4.0, at_s=2.0, ending=Ending.INFO)], 6.0, 0, 0),
    ],
)
def test_what_a_read_may_show(why: str, increments: list[Operation], value: float, above: int, below: int) -> None:
    found = counters(told(*increments, counted(9, value, at_s=9.0)))["us-east"]

    assert (found.judged, len(found.above), len(found.below)) == (1, above, below), why


def test_what_another_region_took_may_lag() -> None:
    found = counters(told(*DEFINITE, counted(9, 0.0, at_s=9.0, region="europe")))["europe"]

    assert (len(found.below), found.behind) == (0, 1)


def test_a_counter_may_stand_at_something_before() -> None:
    found = counters(told(*DEFINITE, counted(9, 110.0, at_s=9.0), initial={"likes": 100.0}))["us-east"]

    assert (len(found.above), len(found.below)) == (0, 0)


@pytest.mark.parametrize(("value", "wrong"), [(10.0, 0), (15.0, 0), (12.0, 1), (5.0, 1), (20.0, 1)])
def test_the_final_value_is_a_sum_of_all_certain_and_some_doubtful_ones(value: float, wrong: int) -> None:
    found = counters(told(*DOUBTFUL, counted(9, value, at_s=9.0, region="europe", final=True)))

    assert (found["europe"].finally_judged, len(found["europe"].wrong)) == (1, wrong)
    assert found["us-west"].unread == ("likes",)
    if wrong:
        assert found["europe"].witnesses[-1].sentence.endswith("no choice of the unknown ones comes to that.")


def test_ten_thousand_doubtful_amounts_are_judged_at_once() -> None:
    doubtful = [added(number, float(number), at_s=2.0, ending=Ending.INFO) for number in range(1, 10_001)]
    right, wrong = (told(*DEFINITE, *doubtful, counted(0, value, at_s=9.0, final=True)) for value in (12_345.0, 5.0))
    started_s = time.process_time()
    judged = [counters(answers)["us-east"] for answers in (right, wrong)]

    assert time.process_time() - started_s < 1.0
    assert [(found.finally_judged, len(found.wrong)) for found in judged] == [(1, 0), (1, 1)]


def test_what_nobody_can_tell_is_not_judged() -> None:
    doubtful = [added(n, float(7**17 + 3**n), at_s=2.0, ending=Ending.INFO) for n in range(1, 31)]
    found = counters(told(*doubtful, counted(0, 14.0 * 7**17, at_s=9.0, final=True)))["us-east"]

    assert (found.undecided, found.finally_judged, len(found.wrong)) == (("likes",), 0, 0)
