"""Disk for the database, worked out by hand."""

import pytest

from harness.capacity.database import database, stored_tweets
from tests.harness.capacity.some import inputs_with


def test_the_defaults_are_two_thousand_terabytes() -> None:
    needed = database(inputs_with(), year=0)

    assert needed.tweets_bytes == 547_500_000_000_000  # 500 M × 365 × 3 × 1,000 B
    assert needed.with_indexes_bytes == 711_750_000_000_000  # × 1.3
    assert needed.required_bytes == 2_135_250_000_000_000  # × 3
    assert needed.required_tb == pytest.approx(1941.9986, abs=1e-4)  # / 1024^4; with 10^12 it would be 2,135.25
    assert needed.required_pb == pytest.approx(1.896483, abs=1e-6)  # / 1024^5


def test_a_whole_terabyte_is_whole() -> None:
    figures = {"tweet": "1MB", "tweets_kept": "1y", "index_factor": 1, "replication": 1}
    needed = database(inputs_with(demand={"tweets_per_day": 1024**2}, database=figures), year=0)

    assert needed.required_tb == 365.0
    assert needed.required_pb == 365 / 1024


# Growth of 25 % a year: the rates of years 0, 1, 2 … are 1, 1.25, 1.5625, 1.953125, 2.44140625, before today 1.
ROWS = {
    "today three years at today's rate": ("3y", "25%", 0, 3.0),
    "a year later the last of the three is larger": ("3y", "25%", 1, 1 + 1 + 1.25),
    "after two years two of them are": ("3y", "25%", 2, 1 + 1.25 + 1.5625),
    "after three years all are, and today's is forgotten": ("3y", "25%", 3, 1.25 + 1.5625 + 1.953125),
    "after four years the first year's is forgotten, too": ("3y", "25%", 4, 1.5625 + 1.953125 + 2.44140625),
    "a year of tweets is that year's": ("1y", "25%", 2, 1.5625),
    "of the oldest year only what is still kept counts": ("547.5d", "25%", 1, 1.25 + 0.5 * 1),
    "less than a year is a part of the last one": ("73d", "25%", 1, 0.2 * 1.25),
    "without growth any year is like today": ("3y", "0%", 7, 3.0),
    "in ten years the tweets of all years since today are kept": ("10y", "100%", 2, 8 * 1 + 2 + 4),
}


@pytest.mark.parametrize(("kept", "growth", "year", "years_of_today"), ROWS.values(), ids=ROWS.keys())
def test_tweets_were_stored_at_the_rate_of_their_own_year(
    kept: str, growth: str, year: int, years_of_today: float
) -> None:
    inputs = inputs_with(demand={"tweets_per_day": 1000, "growth_per_year": growth}, database={"tweets_kept": kept})

    assert stored_tweets(inputs, year=year) == years_of_today * 1000 * 365
