import itertools

import pytest

from reference_system.policies import degradation
from reference_system.policies.degradation import Inputs, Level, State


@pytest.mark.parametrize(
    ("inputs", "level", "why"),
    [
        (Inputs(), Level.NORMAL, "nothing measured demands nothing"),
        (Inputs(latency_p99_ms=200, cpu_ratio=0.75), Level.NORMAL, "at a bound is not above it"),
        (Inputs(latency_p99_ms=200.1), Level.ADVISORY, "p99 above 200 ms"),
        (Inputs(cpu_ratio=0.76), Level.ADVISORY, "CPU above 75 %"),
        (Inputs(latency_p99_ms=401), Level.WARNING, "p99 above 400 ms"),
        (Inputs(cpu_ratio=0.86), Level.WARNING, "CPU above 85 %"),
        (Inputs(cpu_ratio=1.0), Level.WARNING, "CPU alone never demands more than WARNING"),
        (Inputs(error_ratio=0.01), Level.NORMAL, "1 % of errors is at the bound"),
        (Inputs(error_ratio=0.011), Level.CRITICAL, "errors above 1 %"),
        (Inputs(latency_p99_ms=1001), Level.CRITICAL, "p99 above 1000 ms"),
        (Inputs(latency_p99_ms=2001), Level.SURVIVAL, "p99 above 2000 ms"),
        (Inputs(error_ratio=0.051), Level.SURVIVAL, "errors above 5 %"),
        (Inputs(latency_p99_ms=201, error_ratio=0.06), Level.SURVIVAL, "the worst input counts"),
    ],
)
def test_the_demanded_level_follows_the_ladder(inputs: Inputs, level: Level, why: str) -> None:
    assert degradation.demanded_level(inputs) is level, why


HEALTHY = Inputs()
SLOW = Inputs(latency_p99_ms=450)  # WARNING
DEAD = Inputs(error_ratio=0.5)  # SURVIVAL


@pytest.mark.parametrize(
    ("evaluations", "levels", "why"),
    [
        ([], [], "no evaluation, no level"),
        ([DEAD], [4], "a worse level is entered at once, past those between"),
        ([SLOW, DEAD], [2, 4], "also from a level that holds"),
        ([SLOW] + [HEALTHY] * 4, [2, 2, 2, 2, 2], "four healthier evaluations are not enough"),
        ([SLOW] + [HEALTHY] * 5, [2, 2, 2, 2, 2, 1], "the fifth leaves the level, one step only"),
        ([SLOW] + [HEALTHY] * 10, [2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 0], "and five more leave the next"),
        ([SLOW, *[HEALTHY] * 4, SLOW, *[HEALTHY] * 4], [2] * 10, "a relapse starts the count anew: no flapping"),
        ([DEAD] + [SLOW] * 11, [4] * 5 + [3] * 5 + [2] * 2, "it descends to what is demanded, and stays there"),
    ],
)
def test_levels_are_entered_at_once_and_left_slowly(evaluations: list[Inputs], levels: list[int], why: str) -> None:
    state, seen = State(), []
    for inputs in evaluations:
        state, decision = degradation.decide(state, inputs, 0.0)
        seen.append(int(decision.level))

    assert seen == levels, why


def test_a_decision_says_what_changed() -> None:
    _, decision = degradation.decide(State(level=Level.ADVISORY), SLOW, 0.0)

    assert decision.changed
    assert (decision.previous, decision.level) == (Level.ADVISORY, Level.WARNING)


def test_features_stay_off_at_every_level_above_theirs() -> None:
    off = [degradation.features_off(level) for level in Level]

    assert [len(features) for features in off] == [0, 2, 5, 7, 8]
    assert all(lower < higher for lower, higher in itertools.pairwise(off))
    assert off[4] - off[3] == {"new_tweets"}


def test_banner_from_advisory() -> None:
    assert [degradation.banner(level) is not None for level in Level] == [False, True, True, True, True]


@pytest.mark.parametrize(
    ("values", "p99", "why"),
    [
        ([], 0.0, "nothing measured counts as healthy"),
        ([9000.0] * 19, 0.0, "19 samples prove nothing"),
        ([5.0] * 19 + [9000.0], 9000.0, "of 20 samples the rank is the largest"),
        ([float(n) for n in range(1, 101)], 99.0, "nearest rank, not interpolated"),
        ([1.0] * 198 + [500.0] * 2, 1.0, "exactly 1 % may be above"),
        ([1.0] * 197 + [500.0] * 3, 500.0, "more than 1 % is above"),
    ],
)
def test_p99_is_exact(values: list[float], p99: float, why: str) -> None:
    assert degradation.exact_p99(values) == p99, why


@pytest.mark.parametrize(
    ("ok", "error", "ratio"), [(0, 0, 0.0), (9, 10, 0.0), (10, 10, 0.5), (99, 1, 0.01), (0, 20, 1.0)]
)
def test_error_ratio_needs_twenty_handled_requests(ok: int, error: int, ratio: float) -> None:
    assert degradation.error_ratio(ok=ok, error=error) == ratio
