"""Memory and nodes for the distributed cache, worked out by hand."""

import pytest

from harness.capacity.redis import redis
from tests.harness.capacity.some import inputs_with

ONLY_TWEETS = {"demand": {"daily_active_users": 0, "hot_users": 0, "tweets_per_day": 1024, "growth_per_year": "100%"}}
A_MEGABYTE = {"tweets_kept": "1d", "tweet": "1KB", "replication": 1, "usable_per_node": "1MB"}  # 1,024 tweets × 1 KB

ROWS = {
    # 140 M × 80,000 B = 11.2e12; 3.5e9 × 1,000 B = 3.5e12; 10 M × 500 B = 5e9; sum × 3 = 44.115e12 B = 41,085.3 GB;
    # 41,085.3 / 200 = 205.4. (With GB = 10^9 it would be 44,115 / 200 = 220.6, so 221 nodes.)
    "the defaults, and a GB is 1024^3 bytes": ({}, 0, (11_200_000_000_000, 3_500_000_000_000, 5_000_000_000), 206),
    # 206 nodes were 205.4; 205.4 × 1.25 = 256.8
    "a year later all three are a quarter more": (
        {},
        1,
        (14_000_000_000_000, 4_375_000_000_000, 6_250_000_000),
        257,
    ),
    "two copies need two thirds of three": (
        {"redis": {"replication": 2}},
        0,
        (11_200_000_000_000, 3_500_000_000_000, 5_000_000_000),
        137,
    ),
    "nobody's timeline is cached": ({"redis": {"cached_users": "0%"}}, 0, (0, 3_500_000_000_000, 5_000_000_000), 49),
    "everybody's timeline is cached": (
        {"redis": {"cached_users": "100%"}},
        0,
        (16_000_000_000_000, 3_500_000_000_000, 5_000_000_000),
        273,
    ),
    "nothing at all still has its one node": (
        {"demand": {"daily_active_users": 0, "tweets_per_day": 0, "hot_users": 0}},
        0,
        (0, 0, 0),
        1,
    ),
    "a node filled to the last byte gets a second one": ({**ONLY_TWEETS, "redis": A_MEGABYTE}, 0, (0, 2**20, 0), 2),
    "two filled ones get a third one": ({**ONLY_TWEETS, "redis": A_MEGABYTE}, 1, (0, 2**21, 0), 3),
    "a byte's room a tweet is enough": (
        {**ONLY_TWEETS, "redis": {**A_MEGABYTE, "tweet": "1023B"}},
        0,
        (0, 1023 * 1024, 0),
        1,
    ),
}


@pytest.mark.parametrize(("sections", "year", "kinds", "nodes"), ROWS.values(), ids=ROWS.keys())
def test_nodes_follow_from_what_is_cached(
    sections: dict[str, dict[str, object]], year: int, kinds: tuple[int, int, int], nodes: int
) -> None:
    inputs = inputs_with(**sections)

    needed = redis(inputs, year=year)

    assert (needed.timelines_bytes, needed.tweets_bytes, needed.hot_users_bytes) == kinds
    assert needed.required_bytes == sum(kinds) * inputs.redis.replication
    assert needed.nodes == nodes
