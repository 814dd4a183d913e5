"""The search's choices: by hand, and what must hold whatever the system does."""

import itertools
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.search.bisection import FEWEST_RUNS, TRIES, Ending, Search, Trial, next_rate, standing
from harness.units import PerSecond, Ratio
from harness.verify.verdict import Outcome

PASS, FAIL, UNSURE = Outcome.PASS, Outcome.FAIL, Outcome.INCONCLUSIVE
SEARCH = Search(low=PerSecond(100), high=PerSecond(400), resolution=Ratio(0.1), at_most=20)

System = Callable[[float], Outcome]  # what a run at a rate comes to; may answer otherwise each time


def searched(system: System, search: Search = SEARCH) -> list[Trial]:
    trials: list[Trial] = []
    while (rate := next_rate(search, trials)) is not None:
        trials.append(Trial(rate=rate, outcome=system(rate)))
    return trials


def breaking_above(capacity: float) -> System:
    return lambda rate: PASS if rate <= capacity else FAIL


def trials_of(*words: str) -> list[Trial]:
    outcomes = {"pass": PASS, "fail": FAIL, "unsure": UNSURE}
    return [Trial(rate=float(rate), outcome=outcomes[word]) for word, rate in (word.split("@") for word in words)]


def test_both_ends_are_tried_first_then_the_middle_and_in_the_end_the_bracket_again() -> None:
    trials = searched(breaking_above(260))

    assert [trial.rate for trial in trials] == [100, 400, 250, 325, 287.5, 268.75, 250, 268.75]
    found = standing(trials)
    assert (found.highest_pass, found.lowest_fail, found.confirmed) == (250, 268.75, True)
    assert found.ending(SEARCH) is Ending.FOUND


@pytest.mark.parametrize(
    ("why", "trials", "rate"),
    [
        ("nothing is known", [], 100),
        ("the low end holds", ["pass@100"], 400),
        ("even the low end does not hold: is it worse above?", ["fail@100"], 400),
        ("what decided nothing is repeated at once", ["pass@100", "fail@400", "unsure@250"], 250),
        ("but only once: look beside it", ["pass@100", "fail@400", "unsure@250", "unsure@250"], 175),
        ("a repetition may decide", ["pass@100", "fail@400", "unsure@250", "pass@250"], 325),
        ("narrow enough: the upper end again", ["pass@200", "pass@100", "fail@400", "fail@210", "pass@200"], 210),
        ("both ends stand twice", ["pass@100", "fail@400", "pass@200", "fail@210", "pass@200", "fail@210"], None),
        ("the high end holds: once more", ["pass@100", "pass@400"], 400),
        ("it holds twice: the knee is above", ["pass@100", "pass@400", "pass@400"], None),
        ("the low end fails twice: the knee is below", ["fail@100", "fail@400", "fail@100"], None),
        ("more load was easier", ["fail@100", "pass@400"], None),
        ("an end that held once and once not is no end", ["pass@100", "fail@400", "pass@250", "fail@250"], 175),
    ],
)
def test_the_next_rate(why: str, trials: list[str], rate: float | None) -> None:
    assert next_rate(SEARCH, trials_of(*trials)) == rate, why


@pytest.mark.parametrize(
    ("system", "ending"),
    [
        (breaking_above(260), Ending.FOUND),
        (breaking_above(1000), Ending.ABOVE),
        (breaking_above(1), Ending.BELOW),
        (lambda rate: UNSURE, Ending.UNDECIDED),
        (lambda rate: FAIL if rate < 200 else PASS, Ending.NOT_MONOTONE),
        (lambda rate: PASS if rate == 100 else UNSURE, Ending.UNDECIDED),
    ],
)
def test_what_a_search_comes_to(system: System, ending: Ending) -> None:
    assert standing(searched(system)).ending(SEARCH) is ending


@pytest.mark.parametrize("second", ["unsure@250", "pass@250"])
def test_an_end_is_confirmed_by_two_runs_that_say_the_same(second: str) -> None:
    trials = trials_of("pass@100", "fail@400", "pass@250", "fail@260", second, "fail@260")

    assert standing(trials).confirmed is (second == "pass@250")


def test_nothing_tried_is_undecided() -> None:
    assert standing([]).ending(SEARCH) is Ending.UNDECIDED


def test_a_rate_that_wavers_narrows_nothing_and_is_told() -> None:
    answers = itertools.cycle([PASS, FAIL])
    trials = searched(lambda rate: next(answers) if rate == 250 else breaking_above(260)(rate))

    found = standing(trials)
    assert found.wavering == (250,)
    assert found.highest_pass is not None
    assert found.lowest_fail is not None
    assert found.highest_pass < 250 < found.lowest_fail


searches = st.builds(
    lambda low, width, resolution, at_most: Search(
        low=PerSecond(low), high=PerSecond(low + width), resolution=Ratio(resolution), at_most=at_most
    ),
    low=st.floats(1, 1e4),
    width=st.floats(0.5, 1e4),
    resolution=st.floats(0.001, 0.5),
    at_most=st.integers(FEWEST_RUNS, 60),
)
outcomes = st.sampled_from(list(Outcome))


@given(search=searches, answers=st.lists(outcomes, min_size=1))
def test_whatever_the_answers_the_search_ends_in_time_and_tries_no_rate_too_often(
    search: Search, answers: list[Outcome]
) -> None:
    """Answers that have nothing to do with the rates."""
    said = itertools.cycle(answers)
    trials = searched(lambda rate: next(said), search)

    assert len(trials) <= search.at_most
    assert max(Counter(trial.rate for trial in trials).values()) <= TRIES
    assert all(search.low <= trial.rate <= search.high for trial in trials)


@given(search=searches, answers=st.lists(outcomes, min_size=1))
def test_the_bracket_lies_between_a_rate_that_only_held_and_one_that_never_did(
    search: Search, answers: list[Outcome]
) -> None:
    said = itertools.cycle(answers)
    trials = searched(lambda rate: next(said), search)
    found = standing(trials)

    held, failed = ({trial.rate for trial in trials if trial.outcome is outcome} for outcome in (PASS, FAIL))
    assert found.highest_pass is None or found.highest_pass in held - failed
    assert found.lowest_fail is None or found.lowest_fail in failed - held
    if found.highest_pass is not None and found.lowest_fail is not None:
        assert found.highest_pass < found.lowest_fail


@given(search=searches, place=st.floats(0, 0.999))
def test_a_system_with_a_capacity_is_found_within_the_resolution(search: Search, place: float) -> None:
    """With as many runs as it takes."""
    unbounded = Search(low=search.low, high=search.high, resolution=search.resolution, at_most=100)
    capacity = search.low + place * (search.high - search.low)
    found = standing(searched(breaking_above(capacity), unbounded))

    assert found.highest_pass is not None
    assert found.lowest_fail is not None
    assert found.highest_pass <= capacity < found.lowest_fail
    assert found.lowest_fail - found.highest_pass <= search.resolution * found.lowest_fail
    assert found.confirmed


@given(search=searches, place=st.floats(0, 1, exclude_max=True), unsure=st.lists(st.booleans(), min_size=1))
def test_doubt_delays_and_widens_but_never_misleads(search: Search, place: float, unsure: list[bool]) -> None:
    capacity = search.low + place * (search.high - search.low)
    doubt = itertools.cycle(unsure)
    found = standing(searched(lambda rate: UNSURE if next(doubt) else breaking_above(capacity)(rate), search))

    assert found.is_monotone
    assert found.highest_pass is None or found.highest_pass <= capacity
    assert found.lowest_fail is None or capacity < found.lowest_fail


@given(search=searches, place=st.floats(0.01, 0.99))
def test_a_system_that_more_load_makes_better_is_reported(search: Search, place: float) -> None:
    turn = search.low + place * (search.high - search.low)

    assert standing(searched(lambda rate: FAIL if rate <= turn else PASS, search)).ending(search) is Ending.NOT_MONOTONE
