"""How much memory the distributed cache needs, and how many nodes.

One figure for all regions together; what Redis itself uses is not added, only what is usable of a node counts.
"""

from math import floor

import msgspec

from harness.capacity.growth import exact, grown
from harness.capacity.inputs import Inputs


class Redis(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes of each kind once, and of all with replication, cut off to whole ones; and the nodes for them."""

    timelines_bytes: int
    tweets_bytes: int
    hot_users_bytes: int
    required_bytes: int
    nodes: int


def redis(inputs: Inputs, *, year: int) -> Redis:
    """Required = (timelines + recent tweets + hot users) × replication; nodes = floor(required / usable) + 1.

    So a requirement that fills its nodes exactly gets one more: a cache that is full to the last byte evicts.
    """
    demand, figures = inputs.demand, inputs.redis
    users = grown(demand.daily_active_users, demand, year=year) * exact(figures.cached_users)
    timelines = users * figures.timeline_length * exact(figures.timeline_entry)
    tweets_per_day = grown(demand.tweets_per_day, demand, year=year)
    tweets = tweets_per_day * exact(figures.tweets_kept) * exact(figures.tweet)
    hot_users = grown(demand.hot_users, demand, year=year) * exact(figures.hot_user)
    required = (timelines + tweets + hot_users) * figures.replication
    return Redis(
        timelines_bytes=int(timelines),
        tweets_bytes=int(tweets),
        hot_users_bytes=int(hot_users),
        required_bytes=int(required),
        nodes=floor(required / exact(figures.usable_per_node)) + 1,
    )
