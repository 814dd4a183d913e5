"""Servers for the timeline API, worked out by hand."""

import pytest

from harness.capacity.timeline_api import ServerRate, TimelineApi, timeline_api
from harness.units import PerSecond
from tests.harness.capacity.some import inputs_with

# 8,640 users with 1,000 loads a day each ask 100 times a second: 8,640 × 1,000 / 86,400.
A_HUNDRED_A_SECOND = {"daily_active_users": 8640}
STEADY = {"loads_per_user_per_day": 1000, "peak_factor": 1, "headroom": "0%", "regions": 1}

ROWS = {
    # 200 M × 20 / 86,400 = 46,296.3; × 3 = 138,888.9; × 1.3 = 180,555.6; / 2,000 = 90.3; 91 / 4 = 22.75
    "the defaults are the specification's figures": ({}, {}, 0, "2000/s", (46_296, 138_888, 180_555, 91, 22, 23)),
    "a year later all is a quarter more": ({}, {}, 1, "2000/s", (57_870, 173_611, 225_694, 113, 28, 29)),
    "the second year's quarter is one of the first year's": (
        {},
        {},
        2,
        "2000/s",
        (72_337, 217_013, 282_118, 142, 35, 36),
    ),
    "without growth the tenth year is like today": (
        {"growth_per_year": "0%"},
        {},
        10,
        "2000/s",
        (46_296, 138_888, 180_555, 91, 22, 23),
    ),
    "a measured rate takes the place of the assumed": (
        {},
        {"rps_per_server": "2000/s"},
        0,
        "1234/s",
        (46_296, 138_888, 180_555, 147, 36, 37),
    ),
    "nobody comes and no server is needed": (
        {"daily_active_users": 0},
        {},
        0,
        "2000/s",
        (0, 0, 0, 0, 0, 0),
    ),
    "load that fills its servers exactly needs no other one": (
        A_HUNDRED_A_SECOND,
        STEADY,
        0,
        "10/s",
        (100, 100, 100, 10, 10, 10),
    ),
    "a trifle above needs one more": (
        {"daily_active_users": 8641},
        STEADY,
        0,
        "10/s",
        (100, 100, 100, 11, 11, 11),
    ),
    "a tenth on top of 100/s is 110/s and not a hair more": (
        A_HUNDRED_A_SECOND,
        {**STEADY, "headroom": "10%"},
        0,
        "10/s",
        (100, 100, 110, 11, 11, 11),
    ),
    "57 % are 57 hundredths and not a hair more": (
        A_HUNDRED_A_SECOND,
        {**STEADY, "headroom": "57%"},
        0,
        "1/s",
        (100, 100, 157, 157, 157, 157),
    ),
    "servers that divide evenly are as many rounded down as up": (
        A_HUNDRED_A_SECOND,
        {**STEADY, "regions": 5},
        0,
        "10/s",
        (100, 100, 100, 10, 2, 2),
    ),
    "more regions than servers leave some without": (
        A_HUNDRED_A_SECOND,
        {**STEADY, "regions": 3},
        0,
        "100/s",
        (100, 100, 100, 1, 0, 1),
    ),
    "a rate in minutes is the same rate": (
        A_HUNDRED_A_SECOND,
        STEADY,
        0,
        "60/min",
        (100, 100, 100, 100, 100, 100),
    ),
}


@pytest.mark.parametrize(("demand", "api", "year", "rate", "expected"), ROWS.values(), ids=ROWS.keys())
def test_servers_follow_from_users(
    demand: dict[str, object], api: dict[str, object], year: int, rate: str, expected: tuple[int, ...]
) -> None:
    inputs = inputs_with(demand=demand, timeline_api=api)
    server = ServerRate(rps=PerSecond.parse(rate), source="given")

    needed = timeline_api(inputs, year=year, server=server)

    average, peak, with_headroom, servers, floor, ceiling = expected
    assert needed == TimelineApi(
        average_rps=average,
        peak_rps=peak,
        with_headroom_rps=with_headroom,
        servers=servers,
        servers_per_region_floor=floor,
        servers_per_region_ceiling=ceiling,
    )
