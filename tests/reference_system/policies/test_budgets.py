from dataclasses import replace

import pytest

from reference_system.policies import post_limit, ranking, retry_budget
from reference_system.policies.retry_budget import FailedAttempt

BLIP = FailedAttempt(tried=1, timed_out=False, breaker_closed=True)


@pytest.mark.parametrize(
    ("failed", "allowed", "why"),
    [
        (BLIP, True, "a first failure may be tried once more"),
        (replace(BLIP, tried=2), False, "but not twice"),
        (replace(BLIP, timed_out=True), False, "who has waited for a timeout does not wait for another"),
        (replace(BLIP, breaker_closed=False), False, "an open breaker knows that it is in vain"),
    ],
)
def test_which_failures_are_retried(failed: FailedAttempt, allowed: bool, why: str) -> None:
    _, answer = retry_budget.decide(retry_budget.State(), failed, 0.0)

    assert answer is allowed, why


def test_an_empty_budget_refuses() -> None:
    state, allowed = retry_budget.decide(retry_budget.State(saved=0.9), BLIP, 0.0)

    assert not allowed
    assert state.saved == 0.9


def test_when_everything_fails_retries_are_a_tenth_of_the_calls() -> None:
    state, retries = retry_budget.State(), 0
    for _ in range(1000):
        state = retry_budget.earn(state)
        state, allowed = retry_budget.decide(state, BLIP, 0.0)
        retries += allowed

    assert 100 <= retries <= 100 + retry_budget.SAVED_AT_MOST


def test_posting_is_limited_after_a_burst_and_refills() -> None:
    state, granted = post_limit.State(), []
    for _ in range(25):
        state, answer = post_limit.decide(state, 100.0)
        granted.append(answer)
    _, later = post_limit.decide(state, 101.0)

    assert granted == [True] * 20 + [False] * 5
    assert later


def test_rank_differs_from_time_order_even_among_posts_nobody_liked() -> None:
    ids = [f"us-east-{n}" for n in range(20)]

    ranked = sorted(ids, key=lambda post: ranking.score(post, 0), reverse=True)

    assert ranked != ids
    assert ranked != ids[::-1]


def test_likes_raise_the_score() -> None:
    assert ranking.score("us-east-1", 1000) > ranking.score("us-east-1", 3)
