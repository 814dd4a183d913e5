import pytest

from reference_system import defects
from reference_system.services.deadlines import patience_s, written
from reference_system.services.parts import ApiParts


@pytest.mark.parametrize(
    ("said", "expected_s", "why"),
    [
        (None, 5.0, "nothing said"),
        ("1500", 1.5, "less than our own"),
        ("0", 0.0, "nobody waits any more"),
        ("60000", 5.0, "only ever shorter"),
        ("", 5.0, "not a number"),
        ("-1", 5.0, "not a number of milliseconds"),
        ("1.5", 5.0, "not a whole number"),
        ("\u0663", 5.0, "not a number in ASCII"),
        ("9" * 500, 5.0, "not worth reading"),
    ],
)
def test_how_long_somebody_waits(said: str | None, expected_s: float, why: str) -> None:
    assert patience_s(said, 5.0) == expected_s, why


@pytest.mark.parametrize(("left_s", "expected"), [(1.5, "1500"), (0.0019, "1"), (-3.0, "0")])
def test_the_next_hop_is_told_no_more_than_is_left(left_s: float, expected: str) -> None:
    assert written(left_s) == expected


def test_planted_works_for_nobody_takes_its_own_time_for_everybody() -> None:
    assert defects.for_api("works_for_nobody", ApiParts()).patience_s("1500", 5.0) == 5.0
