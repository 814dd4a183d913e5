import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_system.policies import load_shedding
from reference_system.policies.load_shedding import Observation


@pytest.mark.parametrize(
    ("overload", "by_priority", "why"),
    [
        (0.0, (0, 0, 0, 0), "no load"),
        (1.0, (0, 0, 0, 0), "nothing at the target rate"),
        (1.25, (0, 0.05, 0.15, 0.25), "half way to the first row"),
        (1.5, (0, 0.10, 0.30, 0.50), "the specification's first row"),
        (1.75, (0, 0.175, 0.40, 0.625), "between the rows"),
        (2.0, (0, 0.25, 0.50, 0.75), "the specification's second row"),
        (2.2, (0, 0.31, 0.58, 0.85), "on with the last slope"),
        (10.0, (0, 0.95, 0.95, 0.95), "capped"),
    ],
)
def test_table_is_interpolated_and_continued(overload: float, by_priority: tuple[float, ...], why: str) -> None:
    ratios = [load_shedding.shed_ratio_by_table(overload, priority) for priority in (1, 2, 3, 4)]

    assert ratios == pytest.approx(by_priority), why


@pytest.mark.parametrize(
    ("overload", "by_priority"),
    [
        (1.0, (0, 0, 0, 0)),
        (1.5, (0, 1 / 3, 0.41667, 0.5)),
        (2.0, (0, 2 / 3, 0.83333, 0.95)),
        (9.0, (0, 0.95, 0.95, 0.95)),
    ],
)
def test_formula_gives_the_sources_other_figures(overload: float, by_priority: tuple[float, ...]) -> None:
    ratios = [load_shedding.shed_ratio_by_formula(overload, priority) for priority in (1, 2, 3, 4)]

    assert ratios == pytest.approx(by_priority, abs=1e-4)


@given(st.floats(0, 50), st.floats(0, 50), st.sampled_from((1, 2, 3, 4)))
def test_ratios_never_fall_with_overload_or_with_priority_number(one: float, other: float, priority: int) -> None:
    low, high = sorted((one, other))
    for ratio in load_shedding.POLICIES.values():
        assert ratio(low, priority) <= ratio(high, priority)
        assert ratio(high, max(1, priority - 1)) <= ratio(high, priority)
        assert 0.0 <= ratio(high, priority) <= load_shedding.CAP


def test_from_critical_up_the_target_counts_half() -> None:
    overload = [load_shedding.overload_ratio(100.0, target_per_s=100.0, level=level) for level in range(5)]

    assert overload == [1.0, 1.0, 1.0, 2.0, 2.0]


def test_the_share_of_shed_requests_is_the_ratio() -> None:
    chance = random.Random(1)
    draws = [chance.random() for _ in range(20_000)]

    shed = sum(_decided(draw, priority=4).shed for draw in draws)

    assert shed / len(draws) == pytest.approx(0.5, abs=0.012)


def test_a_draw_equal_to_the_ratio_is_served_so_that_zero_sheds_nothing() -> None:
    assert not _decided(0.0, priority=1).shed
    assert not _decided(0.5, priority=4).shed
    assert _decided(0.4999, priority=4).shed


def _decided(draw: float, *, priority: int) -> load_shedding.Decision:
    observation = Observation(rate_per_s=150, level=0, priority=priority, draw=draw)
    return load_shedding.decide(observation, target_per_s=100, shed_ratio=load_shedding.shed_ratio_by_table)


@pytest.mark.parametrize(
    ("path", "priority"),
    [
        ("/auth/login", 1),
        ("/tweets/create", 1),
        ("/timeline/home", 2),
        ("/users/user-1/profile", 2),
        ("/notifications", 2),
        ("/search/posts", 3),
        ("/explore/music", 3),
        ("/realtime", 3),
        ("/trending", 4),
        ("/suggestions/users", 4),
        ("/tweets/create/more", 3),
        ("/", 3),
    ],
)
def test_priorities_follow_the_path_table_and_unlisted_paths_have_3(path: str, priority: int) -> None:
    assert load_shedding.priority_of(path) == priority


@pytest.mark.parametrize("priority", [1, 2, 3, 4])
def test_where_shedding_is_off_nothing_is_shed_at_any_overload(priority: int) -> None:
    assert load_shedding.POLICIES["off"](1000.0, priority) == 0.0
