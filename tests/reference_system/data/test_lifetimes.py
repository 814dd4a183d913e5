import pytest

from reference_system.data.lifetimes import SPREAD, age_s, ttl_ms


def test_what_is_stored_at_once_ends_at_different_times_and_never_later_than_said() -> None:
    lives_ms = [ttl_ms(f"profile_tl:user-{n}", 300.0) for n in range(1000)]

    assert max(lives_ms) <= 300_000
    assert min(lives_ms) >= 300_000 * (1 - SPREAD)
    tenths = {int(10 * (300_000 - one) / (300_000 * SPREAD)) for one in lives_ms}
    assert tenths == set(range(10)), "all parts of the spread are used"


def test_a_key_has_one_life_wherever_it_is_stored() -> None:
    assert ttl_ms("trends", 30.0) == ttl_ms("trends", 30.0)


@pytest.mark.parametrize(
    ("left_ms", "age"),
    [
        (ttl_ms("key", 60.0), 0.0),
        (ttl_ms("key", 60.0) - 12_500, 12.5),
        (ttl_ms("key", 60.0) + 1, 0.0),  # Redis rounds
        (-2, None),  # there is no such key
        (-1, None),  # it never ends
    ],
)
def test_the_age_of_what_is_stored_follows_from_what_is_left_of_its_life(left_ms: int, age: float | None) -> None:
    assert age_s("key", 60.0, left_ms) == age
