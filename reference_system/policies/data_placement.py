"""In which region a datum is written and read, given where the user lives and where they are now.

The specification's table (section 1, "Where data lives"). Writes have one region and one stand-in, never a third: two
writers of the same user are then the most there can be while a region is away. Reads never leave the current region
unless a token says that the user would miss their own write there. Forwards nothing; says only where to.
"""

from collections.abc import Collection, Mapping, Set
from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

from reference_system.policies.regions import Region, stand_in_of
from reference_system.policies.write_token import WriteToken


class Datum(StrEnum):
    USER = "user"
    TWEET = "tweet"
    TIMELINE_CACHE = "timeline cache"
    FOLLOW = "follow"
    ENGAGEMENT_COUNTER = "engagement counter"


class WrittenIn(StrEnum):
    HOME = "home"  # of its owner
    CURRENT = "current"  # where the user is now; any region has a row of its own
    CURRENT_ONLY = "current only"  # and of no use anywhere else


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    written_in: WrittenIn
    owner: str
    copied: bool  # to every region, asynchronously


# Specification, section 1. Counters are "sharded globally": each region counts what happened in it, the sum is read.
PLACEMENTS: dict[Datum, Placement] = {
    Datum.USER: Placement(written_in=WrittenIn.HOME, owner="the user", copied=True),
    Datum.TWEET: Placement(written_in=WrittenIn.HOME, owner="the author", copied=True),
    Datum.TIMELINE_CACHE: Placement(written_in=WrittenIn.CURRENT_ONLY, owner="the viewer", copied=False),
    Datum.FOLLOW: Placement(written_in=WrittenIn.HOME, owner="the follower", copied=True),
    Datum.ENGAGEMENT_COUNTER: Placement(written_in=WrittenIn.CURRENT, owner="nobody", copied=True),
}
assert set(PLACEMENTS) == set(Datum)


def write_region(
    datum: Datum, *, home: Region, current: Region, writing: Set[Region], healthy: Set[Region]
) -> Region | None:
    """The region that takes the write, or None: refuse it.

    `home` is the owner's (see the table). `writing` are the regions that are up and take their own users' writes: one
    that has just come back does not, until `region_failover` says so. As a stand-in it only has to be up (`healthy`):
    of two that stand in for each other and come back together, each takes the other one's writes.
    """
    match PLACEMENTS[datum].written_in:
        case WrittenIn.CURRENT_ONLY:
            return current
        case WrittenIn.CURRENT:
            return _it_or_its_stand_in(current, writing, healthy)
        case WrittenIn.HOME:
            return _it_or_its_stand_in(home, writing, healthy)
        case never:
            assert_never(never)


def _it_or_its_stand_in(region: Region, writing: Set[Region], healthy: Set[Region]) -> Region | None:
    if region in writing:
        return region
    return stand_in_of(region) if stand_in_of(region) in healthy else None


class Freshness(StrEnum):
    """What a reader with a token may rely on."""

    EVENTUAL = "eventual"  # no token: whatever has been replicated
    PROVEN = "proven"  # the answer contains the tokens' writes
    STALE = "stale"  # it may not, and says so: no region that has one of those is in reach


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    region: Region
    freshness: Freshness


def read_region(
    *, current: Region, tokens: Collection[WriteToken], heartbeats_us: Mapping[Region, int], healthy: Set[Region]
) -> Reading:
    """Here, unless here lacks a token's write and its region can be asked: of several, the one of the newest write.

    `heartbeats_us`: the times of the other regions' heartbeats as replicated to here. A link applies in commit order,
    so a heartbeat as new as the token proves that the write is here. Whether the other region has all the rest it
    finds out itself, by the same rule with nobody `healthy`; so does a caller that has asked it in vain.
    """
    if not tokens:
        return Reading(region=current, freshness=Freshness.EVENTUAL)
    elsewhere = [token for token in tokens if token.region is not current]
    lacked = [token for token in elsewhere if heartbeats_us.get(token.region, -1) < token.at_us]
    if not lacked:
        return Reading(region=current, freshness=Freshness.PROVEN)
    to_be_had = [token for token in lacked if token.region in healthy]
    if not to_be_had:
        return Reading(region=current, freshness=Freshness.STALE)
    return Reading(region=max(to_be_had, key=lambda token: token.at_us).region, freshness=Freshness.PROVEN)
