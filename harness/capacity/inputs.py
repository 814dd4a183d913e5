"""All that a capacity plan is computed from: each input with its unit, its default and the range that makes sense.

The defaults are the capacity figures of the specification, section 3. These types are what an inputs file is checked
against; they read nothing themselves.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, get_args, get_type_hints

import msgspec

from harness.units import Bytes, Count, Days, PerSecond, Ratio


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """From `low` to `high`, both included; anything outside is a slip of the pen."""

    low: float
    high: float


Amount = Annotated[Count, Range(low=Count(0), high=Count(1e12))]
Size = Annotated[Bytes, Range(low=Bytes(1), high=Bytes.parse("1GB"))]
Factor = Annotated[float, Range(low=1, high=1000)]
Share = Annotated[Ratio, Range(low=Ratio(0), high=Ratio(1))]
Extra = Annotated[Ratio, Range(low=Ratio(0), high=Ratio(10))]
Copies = Annotated[int, Range(low=1, high=100)]


class _Strict(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Every word a person writes must be known."""


class Demand(_Strict, frozen=True, kw_only=True):
    """Who comes today, what they write, and how fast all three counts grow."""

    daily_active_users: Amount = Count(200e6)
    tweets_per_day: Amount = Count(500e6)
    hot_users: Amount = Count(10e6)  # whose profile is asked for so often that it stays cached
    growth_per_year: Extra = Ratio.parse("25%")  # of each of the above, compounded


class TimelineApiInputs(_Strict, frozen=True, kw_only=True):
    """Load on the timeline API and what one of its servers does."""

    loads_per_user_per_day: Annotated[float, Range(low=0, high=100_000)] = 20.0
    peak_factor: Factor = 3.0  # requests per second at the peak ÷ on average
    headroom: Extra = Ratio.parse("30%")  # on top of the peak
    rps_per_server: Annotated[PerSecond, Range(low=PerSecond(0.001), high=PerSecond(100_000))] = PerSecond(2000)
    regions: Annotated[int, Range(low=1, high=1000)] = 4


class RedisInputs(_Strict, frozen=True, kw_only=True):
    """What is cached, for whom, how often it is copied, and what a node holds."""

    timeline_length: Annotated[int, Range(low=1, high=100_000)] = 800  # tweet ids
    timeline_entry: Size = Bytes(100)  # one of those ids with all that Redis keeps beside it
    cached_users: Share = Ratio.parse("70%")  # of the daily active ones
    tweets_kept: Annotated[Days, Range(low=Days(0), high=Days.parse("10y"))] = Days(7)
    tweet: Size = Bytes(1000)
    hot_user: Size = Bytes(500)
    replication: Copies = 3  # copies in all
    usable_per_node: Annotated[Bytes, Range(low=Bytes.parse("1MB"), high=Bytes.parse("1PB"))] = Bytes.parse("200GB")


class DatabaseInputs(_Strict, frozen=True, kw_only=True):
    """What is stored, for how long and how often."""

    tweet: Size = Bytes(1000)
    tweets_kept: Annotated[Days, Range(low=Days(1), high=Days.parse("100y"))] = Days.parse("3y")
    index_factor: Factor = 1.3  # rows with their indexes ÷ rows alone
    replication: Copies = 3  # copies in all


class Inputs(_Strict, frozen=True, kw_only=True):
    """Everything a plan is computed from."""

    demand: Demand = Demand()
    timeline_api: TimelineApiInputs = TimelineApiInputs()
    redis: RedisInputs = RedisInputs()
    database: DatabaseInputs = DatabaseInputs()


def out_of_range(inputs: Inputs) -> Iterator[tuple[tuple[str, str], str]]:
    """Section and name of every input outside its range, NaN included, and what the range is."""
    for section in inputs.__struct_fields__:
        values = getattr(inputs, section)
        for name in values.__struct_fields__:
            wrong = why_out_of_range(type(values), name, getattr(values, name))
            if wrong:
                yield (section, name), wrong


def why_out_of_range(section: type[msgspec.Struct], name: str, value: float) -> str:
    """What values the field may have, if `value` is none of them; else the empty text."""
    _, allowed = get_args(get_type_hints(section, include_extras=True)[name])
    assert isinstance(allowed, Range)
    return "" if allowed.low <= value <= allowed.high else f"must be from {allowed.low} to {allowed.high}"
