"""How much disk the tweets need that the database keeps.

Tweets only: users, follows and counters are small beside them.
"""

from fractions import Fraction
from math import ceil

import msgspec

from harness.capacity.growth import exact, grown
from harness.capacity.inputs import Inputs
from harness.units import Bytes, Days

DAYS_PER_YEAR = int(Days.units["y"])


class Database(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes of the rows, with their indexes, and of all copies, cut off to whole ones; TB = 1024^4, PB = 1024^5."""

    tweets_bytes: int
    with_indexes_bytes: int
    required_bytes: int
    required_tb: float
    required_pb: float


def database(inputs: Inputs, *, year: int) -> Database:
    """Required = stored tweets × size × index factor × replication, at the end of the year."""
    figures = inputs.database
    tweets = stored_tweets(inputs, year=year) * exact(figures.tweet)
    with_indexes = tweets * exact(figures.index_factor)
    required = with_indexes * figures.replication
    return Database(
        tweets_bytes=int(tweets),
        with_indexes_bytes=int(with_indexes),
        required_bytes=int(required),
        required_tb=float(required / exact(Bytes.units["TB"])),
        required_pb=float(required / exact(Bytes.units["PB"])),
    )


def stored_tweets(inputs: Inputs, *, year: int) -> Fraction:
    """All tweets that are kept at the end of `year`, each year's at the rate of that year.

    Years before today count at today's rate, so year 0 is tweets/day × 365 × years. The whole window at the rate of its
    last year would be simpler and too much: at 25 % a year and three years of tweets by 23 %.
    """
    kept_years = exact(inputs.database.tweets_kept) / DAYS_PER_YEAR
    return sum(
        (
            grown(inputs.demand.tweets_per_day, inputs.demand, year=year - age)
            * DAYS_PER_YEAR
            * min(Fraction(1), kept_years - age)
            for age in range(ceil(kept_years))
        ),
        start=Fraction(0),
    )
