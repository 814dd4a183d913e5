import pytest

from harness.target.promises import DegradationPromise
from harness.verify import ladder
from harness.verify.ladder import Evaluation, demanded_level, follow, step
from tests.harness.simulation import the_target


def _promise() -> DegradationPromise:
    promise = the_target().promises.degradation
    assert promise is not None
    return promise


def _inputs(demanded: int) -> dict[str, float]:
    """Inputs that demand a level, by latency alone."""
    return {"latency_p99_ms": [100.0, 300.0, 500.0, 1500.0, 3000.0][demanded], "error_ratio": 0.0, "cpu_ratio": 0.1}


def _evaluations(demanded: list[int | None], shown: list[int]) -> list[Evaluation]:
    """One a second; None is one that no scrape caught."""
    return [
        Evaluation(number=number, at_s=float(number), inputs=_inputs(wanted), level=level)
        for number, (wanted, level) in enumerate(zip(demanded, shown, strict=True))
        if wanted is not None
    ]


@pytest.mark.parametrize(
    ("inputs", "level"),
    [
        ({}, 0),  # nothing known
        ({"latency_p99_ms": 200.0, "cpu_ratio": 0.75}, 0),  # at the bounds, not above
        ({"latency_p99_ms": 200.1}, 1),
        ({"cpu_ratio": 0.76}, 1),
        ({"cpu_ratio": 0.86}, 2),
        ({"cpu_ratio": 1.0}, 2),  # CPU alone never demands more
        ({"latency_p99_ms": 400.1}, 2),
        ({"error_ratio": 0.011}, 3),
        ({"latency_p99_ms": 1000.1}, 3),
        ({"error_ratio": 0.051}, 4),
        ({"latency_p99_ms": 2000.1, "error_ratio": 0.0, "cpu_ratio": 0.0}, 4),
        ({"latency_p99_ms": float("nan")}, 0),
    ],
)
def test_any_input_above_its_bound_demands_the_level(inputs: dict[str, float], level: int) -> None:
    assert demanded_level(_promise(), inputs) == level


@pytest.mark.parametrize(
    ("state", "demanded", "after"),
    [
        ((0, 0), 3, (3, 0)),  # worse at once, over the levels between
        ((3, 4), 3, (3, 0)),  # as bad as before: the count starts again
        ((3, 0), 0, (3, 1)),
        ((3, 3), 2, (3, 4)),
        ((3, 4), 0, (2, 0)),  # the fifth healthier one: one level down, however healthy
        ((0, 0), 0, (0, 0)),
    ],
)
def test_one_step_of_the_ladder(state: tuple[int, int], demanded: int, after: tuple[int, int]) -> None:
    assert step(_promise(), state, demanded) == after


@pytest.mark.parametrize(
    ("demanded", "shown", "deviating"),
    [
        ([0, 0, 3, 0, 0, 0, 0, 0, 0], [0, 0, 3, 3, 3, 3, 3, 2, 2], []),  # as promised
        ([0, 0, 3, 3], [0, 0, 0, 3], [2]),  # a second late
        ([0, 0, 3, 0, 0, 0, 0, 0], [0, 0, 3, 3, 3, 3, 2, 2], [6]),  # left after four
        ([0, 0, 3, 0, 0, 0, 0, 0], [0, 0, 3, 3, 3, 3, 3, 0], [7]),  # levels skipped on the way down
        ([0, 0, 3, 0, 0, 0, 0, 0], [0, 0, 3, 3, 3, 3, 3, 3], [7]),  # never left
        ([0, 0, 0], [0, 1, 0], [1]),  # without need
        ([4, 4], [4, 4], []),  # the record may begin anywhere
        ([0, 0], [3, 3], []),  # … also on the way down
        ([2, 2], [1, 1], [0, 1]),  # … but not below what is demanded
    ],
)
def test_the_level_is_followed_second_by_second(demanded: list[int], shown: list[int], deviating: list[int]) -> None:
    comparison = follow(_promise(), _evaluations(list(demanded), shown))

    assert [deviation.evaluation.number for deviation in comparison.deviations] == deviating


@pytest.mark.parametrize(
    ("demanded", "shown", "deviating"),
    [
        ([0, 0, None, 0, 0], [0, 0, 3, 3, 3], []),  # the one nobody saw may have demanded it
        ([0, 0, None, 0, 0], [0, 0, 0, 0, 0], []),  # or not
        ([3, 0, 0, 0, None, 0], [3, 3, 3, 3, 3, 2], []),  # the fifth healthier one, if the unseen one was healthier
        ([3, 0, 0, None, 0], [3, 3, 3, 3, 1], [4]),  # nothing unseen explains two levels down
    ],
)
def test_an_evaluation_that_no_scrape_caught_excuses_what_it_can_explain(
    demanded: list[int | None], shown: list[int], deviating: list[int]
) -> None:
    comparison = follow(_promise(), _evaluations(demanded, shown))

    assert [deviation.evaluation.number for deviation in comparison.deviations] == deviating
    assert comparison.missed == demanded.count(None)


def test_a_restarted_controller_may_begin_anew() -> None:
    before = _evaluations([3, 3, 3], [3, 3, 3])
    after = [Evaluation(number=0, at_s=10.0, inputs=_inputs(0), level=0)]

    comparison = follow(_promise(), [*before, *after])

    assert (comparison.restarts, comparison.deviations) == (1, ())


def test_nothing_recorded_shows_nothing() -> None:
    comparison = follow(_promise(), [])

    assert (comparison.evaluations, comparison.deviations) == (0, ())


def test_a_feature_is_off_at_its_level_and_at_every_level_above() -> None:
    promise = _promise()

    assert ladder.features_off(promise, 0) == frozenset()
    assert ladder.features_off(promise, 1) == {"who_to_follow", "analytics_tracking"}
    assert ladder.features_off(promise, 4) == set(ladder.all_features(promise))
