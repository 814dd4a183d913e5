import math

import msgspec
import pytest

from harness.report import wording
from harness.verify.verdict import Outcome
from tests.harness.report import some


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "–"),
        (math.nan, "–"),
        (0, "0"),
        (0.00012345, "0.000123"),
        (0.5, "0.5"),
        (12.345, "12.3"),
        (100, "100"),
        (999.7, "1,000"),
        (1234567.8, "1,234,568"),
        (-3.14159, "-3.14"),
    ],
)
def test_numbers_have_three_significant_digits_and_no_powers_of_ten(value: float | None, words: str) -> None:
    assert wording.number(value) == words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (None, "–"),
        (0, "0 s"),
        (0.0312, "31.2 ms"),
        (0.9996, "1 s"),
        (1.0, "1 s"),
        (73.25, "73.2 s"),
        (3700, "61 min 40 s"),
        (600, "10 min"),
        (math.inf, "no answer"),
    ],
)
def test_durations_are_said_in_the_unit_that_fits(seconds: float | None, words: str) -> None:
    assert wording.duration(seconds) == words


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [(0.021, "ratio", "2.1 %"), (0.3, "s", "300 ms"), (3.0, "", "3"), (40.0, "/s", "40 /s"), (None, "ratio", "–")],
)
def test_a_quantity_is_said_in_its_own_unit(value: float | None, unit: str, words: str) -> None:
    assert wording.quantity(value, unit) == words


def test_a_span_without_length_is_a_moment() -> None:
    assert wording.span(31.0, None) == "31.0 s"
    assert wording.span(31.0, 31.0) == "31.0 s"
    assert wording.span(31.0, 40.25) == "31.0–40.2 s"


def test_a_figure_that_broke_its_bound_by_little_does_not_read_as_if_it_kept_it() -> None:
    figure = msgspec.structs.replace(some.a_verdict(Outcome.FAIL).figures[0], value=1.002, accept="at most 1 s")

    assert wording.measured(figure) == "1.002 s"
    assert wording.figure_line(figure).startswith("p99: 1.002 s,")
