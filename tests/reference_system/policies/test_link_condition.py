import pytest

from reference_system.policies import link_condition
from reference_system.policies.link_condition import FRESH_S, Condition, Observation, State

OLD_S = FRESH_S + 1


def seen(heartbeat_at_s: float, age_s: float, conflicts: int = 0) -> Observation:
    return Observation(heartbeat_at_s=heartbeat_at_s, heartbeat_age_s=age_s, conflicts=conflicts)


@pytest.mark.parametrize(
    ("observations", "condition", "why"),
    [
        ([seen(0, float("inf"))], Condition.CUT, "nothing has ever come"),
        ([seen(0, float("inf"), 1)], Condition.STALLED_BY_CONFLICT, "it met a conflict with the first row"),
        ([seen(10, 0.1)], Condition.FLOWING, "a fresh heartbeat"),
        ([seen(10, 0.1, 5)], Condition.FLOWING, "conflicts of the past do not matter to a link that flows"),
        ([seen(10, 0.1), seen(10, FRESH_S - 0.1)], Condition.FLOWING, "none came, and that is not yet late"),
        ([seen(10, 0.1), seen(10, OLD_S)], Condition.CUT, "late, and nothing else is known"),
        ([seen(10, 0.1, 5), seen(10, OLD_S, 5)], Condition.CUT, "the conflicts are older than the last heartbeat"),
        ([seen(10, 0.1, 5), seen(10, OLD_S, 6)], Condition.STALLED_BY_CONFLICT, "a conflict since the last one"),
        (
            [seen(10, 0.1), seen(10, OLD_S, 3), seen(10, 2 * OLD_S, 3)],
            Condition.STALLED_BY_CONFLICT,
            "it stays stalled between two attempts",
        ),
        ([seen(10, 60), seen(20, 50)], Condition.CATCHING_UP, "late ones come"),
        ([seen(10, 60), seen(20, 50), seen(20, 51)], Condition.CUT, "late ones have stopped to come"),
        ([seen(10, 0.1), seen(10, OLD_S, 3), seen(20, 0.1, 3)], Condition.FLOWING, "it was mended"),
    ],
)
def test_the_condition_of_a_link(observations: list[Observation], condition: Condition, why: str) -> None:
    state, answer = State(), Condition.FLOWING
    for observation in observations:
        state, answer = link_condition.decide(state, observation)

    assert answer is condition, why
