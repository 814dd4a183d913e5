import pytest

from reference_system.policies import fan_out
from reference_system.policies.fan_out import CALM_FOR_S, LIMITS, WORST_DEPTH, WORST_LAG_S, How, State, Waiting

NOTHING = Waiting(depth=0, lag_s=0.0)
LATE = Waiting(depth=10, lag_s=WORST_LAG_S + 0.1)
MANY = Waiting(depth=WORST_DEPTH + 1, lag_s=0.1)
SO_SO = Waiting(depth=10, lag_s=WORST_LAG_S / 2)


@pytest.mark.parametrize(
    ("followers", "limit", "how"),
    [(0, 1000, How.PUSH), (999, 1000, How.PUSH), (1000, 1000, How.PULL), (0, 0, How.PULL)],
)
def test_accounts_with_as_many_followers_as_the_limit_are_pulled(followers: int, limit: int, how: How) -> None:
    assert fan_out.how(followers, limit) is how


@pytest.mark.parametrize(
    ("seen", "step", "why"),
    [
        ([], 0, "celebrities only, at first"),
        ([(0, NOTHING), (60, NOTHING)], 0, "there is nothing to leave"),
        ([(0, Waiting(depth=WORST_DEPTH, lag_s=WORST_LAG_S))], 0, "at the bounds is not beyond them"),
        ([(0, LATE)], 1, "lag alone is an emergency"),
        ([(0, MANY)], 1, "so is depth"),
        ([(0, LATE), (0.5, LATE)], 1, "the step has to show first"),
        ([(0, LATE), (1, LATE)], 2, "it was not enough"),
        ([(n, LATE) for n in range(60)], len(LIMITS) - 1, "lower than pulling all it does not go"),
        ([(0, LATE), (1, NOTHING), (10.9, NOTHING)], 1, "not calm for long enough"),
        ([(0, LATE), (1, NOTHING), (11, NOTHING)], 0, "calm for ten seconds"),
        ([(0, LATE), (1, NOTHING), (5, SO_SO), (6, NOTHING), (11, NOTHING)], 1, "the calm was interrupted"),
        ([(0, LATE), (1, NOTHING), (5, SO_SO), (6, NOTHING), (16, NOTHING)], 0, "and then was not"),
        ([(0, LATE), (1, LATE), (2, NOTHING), (12, NOTHING), (13, NOTHING)], 1, "one step after each calm stretch"),
        ([(0, LATE), (1, LATE), (2, NOTHING), (12, NOTHING), (22, NOTHING)], 0, "and the next after another one"),
        ([(0, LATE), (1, NOTHING), (11, NOTHING), (11.5, LATE)], 0, "a step up has to show, too"),
        ([(0, LATE), (1, NOTHING), (11, NOTHING), (12, LATE)], 1, "back again where that was too early"),
    ],
)
def test_the_emergency_limit(seen: list[tuple[float, Waiting]], step: int, why: str) -> None:
    state = State()
    for now_s, waiting in seen:
        state = fan_out.decide(state, waiting, now_s)

    assert (state.step, state.limit) == (step, LIMITS[step]), why


def test_what_waits_at_times_moves_the_limit_once_in_ten_seconds_at_most() -> None:
    """Between the bounds for entering and leaving nothing changes, however it goes to and fro."""
    state, changes = fan_out.decide(State(), LATE, 0.0), 0
    for n in range(1, 200):
        after = fan_out.decide(state, SO_SO if n % 5 == 0 else NOTHING, float(n))
        changes += after.step != state.step
        state = after

    assert changes == 0
    assert CALM_FOR_S > 5
