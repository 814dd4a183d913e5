"""The four regions: what each is for, and which one stands in for it.

The specification's table (section 1) and nothing else. Who is healthy and where a user goes is decided elsewhere.
"""

from dataclasses import dataclass
from enum import StrEnum


class Region(StrEnum):
    """The value is what travels in headers, and what services and links are named after.

    The order is the fixed order in which a refuge is looked for when a region and its stand-in are both down.
    """

    US_EAST = "us-east"
    US_WEST = "us-west"
    EUROPE = "europe"
    ASIA_PACIFIC = "asia-pacific"


class Role(StrEnum):
    PRIMARY = "primary"  # the write region of its part of the world
    STAND_IN = "stand-in"  # read replicas for those who live near it, and the fail-over of a primary


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    role: Role
    serves: str
    fails_over_to: Region


# Specification, section 1. The source names the fail-over of the US pair only; the other two are ours.
REGIONS: dict[Region, Place] = {
    Region.US_EAST: Place(role=Role.PRIMARY, serves="North and South America", fails_over_to=Region.US_WEST),
    Region.US_WEST: Place(role=Role.STAND_IN, serves="US west coast", fails_over_to=Region.US_EAST),
    Region.EUROPE: Place(role=Role.PRIMARY, serves="Europe, Middle East, Africa", fails_over_to=Region.US_EAST),
    Region.ASIA_PACIFIC: Place(role=Role.PRIMARY, serves="Asia, Oceania", fails_over_to=Region.US_WEST),
}
assert set(REGIONS) == set(Region)
assert all(place.fails_over_to is not region for region, place in REGIONS.items())


def stand_in_of(region: Region) -> Region:
    return REGIONS[region].fails_over_to
