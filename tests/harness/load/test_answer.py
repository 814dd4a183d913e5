"""What is read from an answer's headers."""

import pytest

from harness.load.answer import Answer
from harness.record.rows import NO_AGE


@pytest.mark.parametrize(
    ("text", "age_s"),
    [
        ("0", 0),
        ("17", 17),
        ("2147483648", NO_AGE),
        ("9" * 30, NO_AGE),
        ("1.5", NO_AGE),
        ("-3", NO_AGE),
        ("soon", NO_AGE),
        ("", NO_AGE),
    ],
)
def test_an_age_is_a_whole_number_of_seconds_or_none(text: str, age_s: int) -> None:
    assert Answer(200, {"age": text}, b"").age_s("age") == age_s


def test_an_answer_without_the_header_has_no_age() -> None:
    assert Answer(200, {}, b"").age_s("age") == NO_AGE
