"""How many servers the timeline API needs.

Counts requests that reach the servers, so caches in front of them are not subtracted.
"""

from math import ceil

import msgspec

from harness.capacity.growth import exact, grown
from harness.capacity.inputs import Inputs
from harness.units import PerSecond

SECONDS_PER_DAY = 86_400


class ServerRate(msgspec.Struct, frozen=True, kw_only=True):
    """Requests per second that one server answers, and how that is known: assumed, given, or measured by a run."""

    rps: PerSecond
    source: str


class TimelineApi(msgspec.Struct, frozen=True, kw_only=True):
    """Requests per second without their fraction; servers for the peak with headroom."""

    average_rps: int
    peak_rps: int
    with_headroom_rps: int
    servers: int
    servers_per_region_floor: int  # together these may be too few
    servers_per_region_ceiling: int


def timeline_api(inputs: Inputs, *, year: int, server: ServerRate) -> TimelineApi:
    """Average = users × loads / 86,400 s; peak = average × factor; with headroom = peak × (1 + headroom).

    Calculated without rounding; what is shown is cut off to whole requests per second (138,888.9 is 138,888). Servers
    are rounded up, and then shared among the regions, rounded down and up.
    """
    users = grown(inputs.demand.daily_active_users, inputs.demand, year=year)
    figures = inputs.timeline_api
    average = users * exact(figures.loads_per_user_per_day) / SECONDS_PER_DAY
    peak = average * exact(figures.peak_factor)
    with_headroom = peak * (1 + exact(figures.headroom))
    servers = ceil(with_headroom / exact(server.rps))
    return TimelineApi(
        average_rps=int(average),
        peak_rps=int(peak),
        with_headroom_rps=int(with_headroom),
        servers=servers,
        servers_per_region_floor=servers // figures.regions,
        servers_per_region_ceiling=-(-servers // figures.regions),
    )
