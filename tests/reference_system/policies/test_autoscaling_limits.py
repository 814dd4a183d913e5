"""What windows and rate policies make of a recommendation, given a past."""

import pytest

from reference_system.policies.autoscaling import horizontal, limits
from reference_system.policies.autoscaling.memory import Records, State, with_record
from reference_system.policies.autoscaling.spec import Behavior, Rules, Select
from tests.reference_system.policies.autoscaled import NOW_S, asked_spec, asking, percent, pods, records, rules


@pytest.mark.parametrize(
    ("past", "current", "asked", "windows_s", "size"),
    [
        pytest.param(records(), 10, 15, (0, 0), 15, id="no window, no history: at once"),
        pytest.param(records((30, 12)), 10, 15, (60, 0), 12, id="up to the lowest recommendation of the window"),
        pytest.param(
            records((30, 8)), 10, 15, (60, 0), 10, id="which may be below the size: it does not shrink for it"
        ),
        pytest.param(records((60, 12)), 10, 15, (60, 0), 15, id="one of exactly the window's age is not newer"),
        pytest.param(records((59.999, 12)), 10, 15, (60, 0), 12, id="a younger one is"),
        pytest.param(records((30, 8)), 10, 5, (0, 300), 8, id="down to the highest recommendation of the window"),
        pytest.param(records((30, 12)), 10, 5, (0, 300), 10, id="which may be above the size: it does not grow for it"),
        pytest.param(records((300, 8)), 10, 5, (0, 300), 5, id="again, exactly the window's age is not newer"),
        pytest.param(records((299.999, 8)), 10, 5, (0, 300), 8, id="and a younger one is"),
        pytest.param(records((250, 9), (30, 7)), 10, 5, (60, 300), 9, id="each direction has its own window"),
        pytest.param(records((250, 9), (30, 12)), 10, 15, (60, 300), 12, id="also upwards"),
        pytest.param(records((180, 3)), 2, 1, (300, 300), 2, id="it asked for more and now for less: it stays"),
        pytest.param(records((180, 1)), 2, 3, (300, 300), 2, id="it asked for less and now for more: it stays"),
        pytest.param(records((10, 9), (299, 11)), 10, 10, (60, 300), 10, id="at the right size nothing moves it"),
    ],
)
def test_the_most_careful_recommendation_of_the_window_counts(
    past: Records, current: int, asked: int, windows_s: tuple[int, int], size: int
) -> None:
    up_s, down_s = windows_s
    behavior = Behavior(scale_up=rules(window_s=up_s), scale_down=rules(window_s=down_s))
    state = State(recommendations=past)

    assert limits.stabilized(state, asked, current, NOW_S, spec=asked_spec(behavior)) == size


@pytest.mark.parametrize(
    ("past", "current", "asked", "size", "why"),
    [
        (records(), 10, 15, 15, "growing is not stabilized"),
        (records((30, 8)), 10, 15, 15, "whatever was recommended before"),
        (records((30, 8)), 10, 5, 8, "shrinking is, for 300 s"),
        (records((300, 8)), 10, 5, 8, "here a recommendation of exactly that age counts"),
        (records((300.001, 8)), 10, 5, 5, "an older one does not"),
        (records((30, 12)), 10, 5, 12, "and the highest one counts even above the current size"),
    ],
)
def test_without_behavior_only_shrinking_is_stabilized(
    past: Records, current: int, asked: int, size: int, why: str
) -> None:
    assert limits.stabilized(State(recommendations=past), asked, current, NOW_S, spec=asked_spec(None)) == size, why


@pytest.mark.parametrize(
    ("current", "wanted", "size", "why"),
    [
        (5, 7, 7, "within all limits"),
        (3, 1000, 6, "twice the size at most"),
        (1, 1000, 4, "or four: one can become four at once"),
        (600, 1200, 1000, "and never more than max"),
        (500, 1, 2, "shrinking is limited by min only"),
        (5, 5, 5, "nothing to do"),
    ],
)
def test_without_behavior_only_growing_is_limited(current: int, wanted: int, size: int, why: str) -> None:
    assert limits.limited(State(), wanted, current, NOW_S, spec=asked_spec(None, smallest=2)) == size, why


MIN, OFF = Select.MIN, Select.DISABLED


@pytest.mark.parametrize(
    ("up", "state", "current", "wanted", "size"),
    [
        pytest.param(rules(pods(4, 60)), State(), 10, 12, 12, id="within the limit"),
        pytest.param(rules(pods(4, 60)), State(), 10, 99, 14, id="four pods more"),
        pytest.param(rules(percent(50, 60)), State(), 5, 99, 8, id="50 % more is 7.5, rounded up"),
        pytest.param(rules(percent(1, 60)), State(), 3, 99, 4, id="so any percentage lets it grow"),
        pytest.param(rules(percent(10, 60)), State(), 50, 99, 56, id="50 x 1.1 is 55.00000000000001 in binary64"),
        pytest.param(rules(percent(10, 60)), State(), 100, 999, 111, id="100 x 1.1 is 110.00000000000001"),
        pytest.param(rules(percent(10, 60)), State(), 20, 99, 22, id="20 x 1.1 is 22 exactly"),
        pytest.param(rules(percent(100, 60)), State(), 0, 99, 0, id="but of nothing any percentage is nothing"),
        pytest.param(rules(pods(20, 60), percent(50, 60)), State(), 30, 99, 50, id="Max: 20 pods are more than 50 %"),
        pytest.param(rules(pods(20, 60), percent(50, 60)), State(), 50, 99, 75, id="Max: 50 % are more than 20 pods"),
        pytest.param(rules(pods(20, 60), percent(50, 60), select=MIN), State(), 50, 99, 70, id="Min: the other one"),
        pytest.param(rules(pods(20, 60), select=OFF), State(), 50, 99, 50, id="Disabled: no change"),
        pytest.param(
            rules(pods(20, 60)), State(added=records((30, 15))), 65, 99, 70, id="50 at the period's start, so 70"
        ),
        pytest.param(
            rules(percent(50, 60)), State(added=records((30, 15))), 65, 99, 75, id="and 75, not half of 65 more"
        ),
        pytest.param(
            rules(pods(20, 60)), State(added=records((60, 15))), 65, 99, 85, id="60 s ago is not in the period"
        ),
        pytest.param(rules(pods(20, 60)), State(added=records((59.9, 15))), 65, 99, 70, id="59.9 s ago is"),
        pytest.param(
            rules(pods(20, 60)), State(removed=records((30, 5))), 50, 99, 75, id="what was removed is added back"
        ),
        pytest.param(
            rules(pods(20, 60)),
            State(added=records((50, 6), (10, 4)), removed=records((30, 5))),
            55,
            99,
            70,
            id="all changes of the period: it began with 50",
        ),
        pytest.param(
            rules(pods(20, 60), percent(50, 15)),
            State(added=records((30, 20))),
            70,
            150,
            105,
            id="each policy has its own period: 50 + 20, or 70 + 50 %",
        ),
        pytest.param(
            rules(pods(5, 60)), State(added=records((30, 15))), 65, 99, 65, id="the limit, 55, does not shrink it"
        ),
        pytest.param(rules(pods(999, 60)), State(), 500, 2000, 1000, id="and never above max"),
    ],
)
def test_how_fast_it_may_grow(up: Rules, state: State, current: int, wanted: int, size: int) -> None:
    assert limits.limited(state, wanted, current, NOW_S, spec=asked_spec(Behavior(scale_up=up))) == size


@pytest.mark.parametrize(
    ("down", "state", "current", "wanted", "size"),
    [
        pytest.param(rules(pods(4, 60)), State(), 10, 8, 8, id="within the limit"),
        pytest.param(rules(pods(4, 60)), State(), 10, 1, 6, id="four pods less"),
        pytest.param(rules(percent(50, 60)), State(), 5, 1, 2, id="half of five is 2.5, truncated"),
        pytest.param(rules(percent(55, 60)), State(), 100, 1, 44, id="100 x 0.45 is 44.99999999999999 in binary64"),
        pytest.param(rules(percent(10, 60)), State(), 100, 1, 90, id="100 x 0.9 is 90 exactly"),
        pytest.param(rules(percent(100, 60)), State(), 100, 1, 2, id="100 % is down to min"),
        pytest.param(rules(percent(1000, 60)), State(), 100, 5, 5, id="and more than 100 % is allowed, too"),
        pytest.param(rules(pods(4, 60), percent(10, 60)), State(), 100, 1, 90, id="Max: 10 % are more than four pods"),
        pytest.param(rules(pods(4, 60), percent(10, 60)), State(), 30, 1, 26, id="Max: four pods are more than 10 %"),
        pytest.param(rules(pods(4, 60), percent(10, 60), select=MIN), State(), 100, 1, 96, id="Min: the other one"),
        pytest.param(rules(pods(4, 60), select=OFF), State(), 10, 1, 10, id="Disabled: no change"),
        pytest.param(
            rules(pods(20, 60)), State(removed=records((30, 15))), 85, 1, 80, id="100 at the period's start, so 80"
        ),
        pytest.param(
            rules(percent(10, 60)), State(removed=records((30, 5))), 95, 1, 90, id="and 90, not a tenth of 95 less"
        ),
        pytest.param(
            rules(pods(20, 60)), State(removed=records((60, 15))), 85, 1, 65, id="60 s ago is not in the period"
        ),
        pytest.param(rules(pods(20, 60)), State(removed=records((59.9, 15))), 85, 1, 80, id="59.9 s ago is"),
        pytest.param(
            rules(pods(20, 60)), State(added=records((30, 5))), 100, 1, 75, id="what was added is taken off again"
        ),
        pytest.param(
            rules(percent(50, 60)),
            State(added=records((30, 15))),
            10,
            3,
            3,
            id="more was added than there is: no limit",
        ),
        pytest.param(
            rules(percent(10, 60)), State(removed=records((30, 30))), 100, 1, 100, id="117 does not make it grow"
        ),
        pytest.param(rules(pods(999, 60)), State(), 500, 0, 2, id="and never below min"),
    ],
)
def test_how_fast_it_may_shrink(down: Rules, state: State, current: int, wanted: int, size: int) -> None:
    assert limits.limited(state, wanted, current, NOW_S, spec=asked_spec(Behavior(scale_down=down), smallest=2)) == size


@pytest.mark.parametrize(
    ("behavior", "current", "wanted", "size", "why"),
    [
        (Behavior(), 10, 99, 20, "twice the size in 15 s"),
        (Behavior(), 2, 99, 6, "or four pods more, of which the larger counts"),
        (Behavior(), 100, 1, 1, "and all of them less"),
        (Behavior(scale_up=rules(pods(1, 60))), 100, 1, 1, "also of a behavior that says nothing of shrinking"),
        (Behavior(scale_down=rules(pods(1, 60))), 10, 99, 20, "or nothing of growing"),
    ],
)
def test_what_a_behavior_does_not_say_is_the_default(
    behavior: Behavior, current: int, wanted: int, size: int, why: str
) -> None:
    assert limits.limited(State(), wanted, current, NOW_S, spec=asked_spec(behavior)) == size, why


def test_the_default_windows_are_none_upwards_and_five_minutes_downwards() -> None:
    past = State(recommendations=records((0.001, 5), (299, 8)))

    assert limits.stabilized(past, 15, 10, NOW_S, spec=asked_spec(Behavior())) == 15
    assert limits.stabilized(past, 2, 10, NOW_S, spec=asked_spec(Behavior())) == 8


@pytest.mark.parametrize(
    ("known", "after", "why"),
    [
        (records(), records((0, 5)), "the first one"),
        (records((58, 7)), records((58, 7), (0, 5)), "a young one is kept"),
        (records((60, 7)), records((60, 7), (0, 5)), "so is one of exactly that age"),
        (records((61, 7)), records((0, 5)), "an older one gives its place"),
        (records((61, 7), (59, 6)), records((0, 5), (59, 6)), "wherever that is"),
        (
            records((29, 8), (59, 6), (61, 7), (61, 9)),
            records((29, 8), (59, 6), (61, 7), (0, 5)),
            "of several the last; the others stay until their place is needed",
        ),
    ],
)
def test_a_record_takes_the_place_of_one_that_is_too_old(known: Records, after: Records, why: str) -> None:
    (new,) = records((0, 5))

    assert with_record(known, new, kept_s=60) == after, why


def test_changes_are_kept_for_the_longest_period_of_their_own_direction() -> None:
    behavior = Behavior(scale_up=rules(pods(9, 30), pods(9, 60)), scale_down=rules(pods(9, 120)))
    state = State(
        recommendations=records((0, 10)), added=records((61, 1), (60, 2)), removed=records((121, 3), (120, 4))
    )

    grown, _ = horizontal.decide(state, asking(15, replicas=10), NOW_S, spec=asked_spec(behavior))
    shrunk, _ = horizontal.decide(state, asking(5, replicas=10), NOW_S, spec=asked_spec(behavior))

    assert (grown.added, grown.removed) == (records((0, 5), (60, 2)), state.removed)
    assert (shrunk.added, shrunk.removed) == (state.added, records((0, 5), (120, 4)))


def test_recommendations_are_kept_for_the_longer_window() -> None:
    up_longer = Behavior(scale_up=rules(window_s=400), scale_down=rules(window_s=300))
    down_longer = Behavior(scale_up=rules(window_s=30), scale_down=rules(window_s=300))

    kept_s = [limits.kept_s(asked_spec(behavior)) for behavior in (up_longer, down_longer, None)]

    assert kept_s == [400, 300, 300]
