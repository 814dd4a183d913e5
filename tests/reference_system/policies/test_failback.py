from dataclasses import replace

import pytest

from reference_system.policies import failback
from reference_system.policies.failback import DEFAULT_RULES, LAST, SHARES, Gates, Ramp, Rules

OPEN = Gates(replication_lag_s=0.3, error_ratio=0.0, latency_p99_ms=100.0)
BEHIND = replace(OPEN, replication_lag_s=1.1)
FAILING = replace(OPEN, error_ratio=0.02)
SLOW = replace(OPEN, latency_p99_ms=301.0)


@pytest.mark.parametrize(
    ("gates", "closed"),
    [
        (OPEN, ""),
        (Gates(replication_lag_s=1.0, error_ratio=0.01, latency_p99_ms=300.0), ""),  # at a bound is not above it
        (Gates(replication_lag_s=0.0), ""),  # too few requests to tell
        (Gates(), "replication lag unknown"),
        (BEHIND, "replication not caught up to 1 s"),
        (FAILING, "errors above 1.00%"),
        (SLOW, "p99 above 300 ms"),
    ],
)
def test_a_gate_is_closed_above_its_bound(gates: Gates, closed: str) -> None:
    assert failback.closed_gate(gates, DEFAULT_RULES) == closed


@pytest.mark.parametrize(
    ("observations", "steps", "why"),
    [
        ([], [], "nothing seen, nothing done"),
        ([(4.9, OPEN), (5, OPEN), (6, OPEN)], [0, 1, 1], "a step forward when its hold is over, and no two"),
        ([(t, OPEN) for t in (5, 10, 15, 20, 25, 30)], [1, 2, 3, 4, 5, None], "all the way, 100 % is held too"),
        ([(99, OPEN), (100, OPEN)], [1, 1], "a long wait is worth one step"),
        ([(5, BEHIND), (6, FAILING), (7, SLOW), (8, OPEN)], [0, 0, 0, 1], "a closed gate holds up the first step"),
        ([(5, OPEN), (10, OPEN), (10.5, SLOW)], [1, 2, 1], "after a step forward it goes back at once"),
        ([(5, OPEN), (5.5, FAILING)], [1, 0], "also to nothing"),
        (
            [(5, OPEN), (10, OPEN), (11, SLOW), (12, SLOW), (15.9, SLOW), (16, SLOW), (20.9, OPEN), (21, OPEN)],
            [1, 2, 1, 1, 1, 0, 0, 1],
            "further back only after a hold, since the figures still cover the time before; and forward likewise",
        ),
        (
            [(5, OPEN), (10, OPEN), (11, SLOW), (16, OPEN), (16.5, SLOW)],
            [1, 2, 1, 2, 1],
            "a step forward makes the next step back immediate again",
        ),
        ([*((t, OPEN) for t in (5, 10, 15, 20, 25)), (27, SLOW)], [1, 2, 3, 4, 5, 4], "100 % is not safe at once"),
    ],
)
def test_steps_are_held_gated_and_taken_back(
    observations: list[tuple[float, Gates]], steps: list[int | None], why: str
) -> None:
    ramp: Ramp | None = Ramp(entered_s=0.0)
    seen = []
    for now_s, gates in observations:
        assert ramp is not None
        ramp, _ = failback.decide(ramp, gates, now_s, steady=True, rules=DEFAULT_RULES)
        seen.append(None if ramp is None else ramp.step)

    assert seen == steps, why


@pytest.mark.parametrize("step", range(LAST + 1))
def test_an_unsteady_region_goes_nowhere_by_itself(step: int) -> None:
    ramp = Ramp(step=step, entered_s=0.0)

    assert failback.decide(ramp, OPEN, 60.0, steady=False, rules=DEFAULT_RULES)[0] == ramp


@pytest.mark.parametrize(
    ("ramp", "gates", "now_s", "steady", "reason"),
    [
        (Ramp(entered_s=0), OPEN, 9, False, "held down until it has stayed healthy for long enough"),
        (Ramp(entered_s=0), BEHIND, 9, True, "returning, 0%: replication not caught up to 1 s"),
        (Ramp(step=2, entered_s=0), OPEN, 4, True, "returning, 10%: the step is being held"),
        (Ramp(step=2, entered_s=0), OPEN, 5, True, "returning, 25%: all gates are open"),
        (Ramp(step=2, entered_s=0), SLOW, 4, True, "returning, 1%, a step back: p99 above 300 ms"),
        (Ramp(step=LAST, entered_s=0), OPEN, 5, True, "all its users are back"),
    ],
)
def test_the_reason_is_said_in_words(ramp: Ramp, gates: Gates, now_s: float, steady: bool, reason: str) -> None:
    assert failback.decide(ramp, gates, now_s, steady=steady, rules=DEFAULT_RULES)[1] == reason


@pytest.mark.parametrize(
    ("failed_over_s", "now_s", "wanted_s", "why"),
    [
        ((), 0, 15, "an edge that remembers none"),
        ((0,), 9, 15, "the first"),
        ((0, 50), 60, 30, "twice as long for a further one"),
        ((0, 50, 120), 130, 60, "and again"),
        ((0, 50, 120, 200, 300, 400), 410, 240, "but never longer than the cap"),
        (tuple(range(500)), 501, 240, "nor does a great number overflow"),
        ((0, 50), 600, 15, "the first no longer counts"),
        ((0, 50), 599.9, 30, "it counts to the end of the window"),
    ],
)
def test_each_further_fail_over_doubles_the_hold_down(
    failed_over_s: tuple[float, ...], now_s: float, wanted_s: float, why: str
) -> None:
    assert failback.hold_down_s(failed_over_s, now_s, DEFAULT_RULES) == wanted_s, why


def test_a_hold_down_that_outlives_its_reason_is_refused() -> None:
    with pytest.raises(AssertionError):
        Rules(hold_down_s_at_most=600.0)


def test_the_shares_rise_from_none_to_all() -> None:
    assert list(SHARES) == sorted(set(SHARES))
    assert (SHARES[0], SHARES[LAST]) == (0.0, 1.0)
