from reference_system.policies.fan_out import WORST_LAG_S
from reference_system.policies.redelivery import TRIES, wait_s


def test_each_wait_is_twice_the_one_before_and_the_last_try_has_none() -> None:
    assert [wait_s(tried) for tried in range(1, TRIES + 1)] == [0.25, 0.5, 1.0, None]


def test_posts_that_fail_by_themselves_are_no_emergency() -> None:
    assert sum(wait_s(tried) or 0.0 for tried in range(1, TRIES)) < WORST_LAG_S
