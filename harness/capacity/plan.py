"""A capacity plan: what the timeline API, Redis and the database need, this year and in the years to come.

Pure: inputs in, figures out. Where a server's rate comes from is the caller's to say.
"""

import msgspec

from harness.capacity.database import Database, database
from harness.capacity.growth import grown
from harness.capacity.inputs import Inputs, out_of_range
from harness.capacity.redis import Redis, redis
from harness.capacity.timeline_api import ServerRate, TimelineApi, timeline_api

MAX_YEARS = 20  # at 25 % a year, 200 million users are more than mankind in year 17


class Year(msgspec.Struct, frozen=True, kw_only=True):
    """What is needed in a year from now; year 0 is today. Counts of demand are cut off to whole ones."""

    year: int
    daily_active_users: int
    tweets_per_day: int
    hot_users: int
    timeline_api: TimelineApi
    redis: Redis
    database: Database


class CapacityPlan(msgspec.Struct, frozen=True, kw_only=True):
    """The figures of every year, and all that they were computed from."""

    inputs: Inputs
    server: ServerRate
    years: tuple[Year, ...]


def plan(inputs: Inputs, *, years: int = 0, server: ServerRate | None = None) -> CapacityPlan:
    """A plan for today and each of the `years` to come; without a `server` its rate is the assumed one of the inputs.

    Users, tweets a day and hot users grow; sizes, shares and what a server does stay.
    """
    assert not list(out_of_range(inputs))
    assert 0 <= years <= MAX_YEARS
    server = server or ServerRate(rps=inputs.timeline_api.rps_per_server, source="assumed")
    rows = tuple(_in_year(inputs, year, server) for year in range(years + 1))
    return CapacityPlan(inputs=inputs, server=server, years=rows)


def _in_year(inputs: Inputs, year: int, server: ServerRate) -> Year:
    demand = inputs.demand
    return Year(
        year=year,
        daily_active_users=int(grown(demand.daily_active_users, demand, year=year)),
        tweets_per_day=int(grown(demand.tweets_per_day, demand, year=year)),
        hot_users=int(grown(demand.hot_users, demand, year=year)),
        timeline_api=timeline_api(inputs, year=year, server=server),
        redis=redis(inputs, year=year),
        database=database(inputs, year=year),
    )
