import pytest

from reference_system import defects
from reference_system.policies.pool_shedding import refuses
from reference_system.services.parts import ApiParts


@pytest.mark.parametrize(
    ("waiting", "refused", "why"),
    [
        (0, set(), "the first may wait whoever it is"),
        (3, set(), "a short queue is for all"),
        (4, {4}, "then the least important are refused"),
        (8, {4, 3}, "then the next"),
        (16, {4, 3, 2}, "and all but the first"),
        (10_000, {4, 3, 2}, "which never is"),
    ],
)
def test_who_is_refused_at_which_queue_for_ten_connections(waiting: int, refused: set[int], why: str) -> None:
    found = {priority for priority in (1, 2, 3, 4) if refuses(waiting=waiting, connections=10, priority=priority)}

    assert found == refused, why


def test_planted_no_pool_shedding() -> None:
    planted = defects.for_api("no_pool_shedding", ApiParts()).pool_refuses

    assert not planted(waiting=10_000, connections=10, priority=4)
