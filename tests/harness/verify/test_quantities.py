"""Quantities in words: what rounding must not do to them."""

import math

import pytest

from harness.verify import quantities


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (0.0, "0 %"),
        (1e-9, "0.0000001 %"),  # little is not nothing
        (0.00004, "0.004 %"),
        (0.021, "2.1 %"),
        (0.98951, "99 %"),
        (0.99, "99 %"),
        (0.9946, "99.46 %"),
        (0.99469, "99.46 %"),  # cut off, not rounded up
        (0.995, "99.5 %"),
        (0.9996, "99.96 %"),
        (0.9999, "99.99 %"),
        (0.9999996, "99.99996 %"),
        (math.nextafter(1, 0), "99.99999999999999 %"),
        (1.0, "100 %"),  # all of it, and only that
        (1.5, "150 %"),
        (12.0, "1,200 %"),
        (None, "–"),
        (math.nan, "–"),
    ],
)
def test_a_share_is_all_or_nothing_only_where_it_is(share: float | None, words: str) -> None:
    assert quantities.ratio(share) == words


@pytest.mark.parametrize(
    ("value", "words"),
    [(0.0, "0 s"), (0.99949, "999 ms"), (0.9996, "1 s"), (1.002, "1 s"), (1234.5, "1,234 s"), (math.inf, "no answer")],
)
def test_a_time_is_said_in_one_unit_up_to_where_it_rounds_to_the_next(value: float, words: str) -> None:
    assert quantities.say(value, "s") == words


@pytest.mark.parametrize(
    ("value", "unit", "accept", "words"),
    [
        (0.42, "s", "at most 400 ms", "420 ms"),
        (1.002, "s", "at most 1 s", "1.002 s"),
        (1.002, "s", "at most 1s", "1.002 s"),  # as the experiment file has it
        (0.9996, "s", "at least 1 s", "0.9996 s"),
        (0.0100001, "ratio", "at most 1 %", "1.00001 %"),
        (0.98951, "ratio", "at least 99 %", "98.95 %"),
        (0.89996, "ratio", "at least 90 %", "89.996 %"),
        (1234.4, "/s", "at most 1,234 /s", "1,234.4 /s"),
        (2.0004, "", "at most 2 (and 1 attempts more)", "2.0004"),
        (5.0, "", "at most 15", "5"),  # another number that ends or begins alike
        (1.5, "", "at most 1.52", "1.5"),
        (1.0, "s", "at most 1 s", "1 s"),  # just that
        (0.1 + 0.2, "s", "at most 300 ms", "300 ms"),
    ],
)
def test_a_value_is_never_said_as_the_bound_that_it_is_not(value: float, unit: str, accept: str, words: str) -> None:
    assert quantities.unlike(value, unit, accept) == words
