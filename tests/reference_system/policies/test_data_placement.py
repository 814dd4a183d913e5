import pytest

from reference_system.policies.data_placement import Datum, Freshness, read_region, write_region
from reference_system.policies.regions import REGIONS, Region, Role, stand_in_of
from reference_system.policies.write_token import WriteToken

US_EAST, US_WEST, EUROPE, ASIA = Region.US_EAST, Region.US_WEST, Region.EUROPE, Region.ASIA_PACIFIC
ALL = frozenset(Region)


def test_the_regions_are_those_of_the_specification() -> None:
    assert {str(region): str(place.fails_over_to) for region, place in REGIONS.items()} == {
        "us-east": "us-west",
        "us-west": "us-east",
        "europe": "us-east",
        "asia-pacific": "us-west",
    }
    assert [region for region, place in REGIONS.items() if place.role is Role.STAND_IN] == [US_WEST]


@pytest.mark.parametrize("datum", [Datum.USER, Datum.TWEET, Datum.FOLLOW])
@pytest.mark.parametrize(
    ("home", "current", "healthy", "region", "why"),
    [
        (EUROPE, EUROPE, ALL, EUROPE, "at home"),
        (EUROPE, ASIA, ALL, EUROPE, "a traveller's writes go home"),
        (EUROPE, ASIA, ALL - {EUROPE}, US_EAST, "home is down: its stand-in, not the region where the user is"),
        (EUROPE, US_WEST, ALL - {EUROPE, US_EAST}, None, "both are down: refused, even if the current one is up"),
        (EUROPE, EUROPE, ALL - {US_EAST}, EUROPE, "a dead stand-in does not matter while home is up"),
        (US_EAST, US_EAST, {US_WEST}, US_WEST, "the US pair stand in for each other"),
        (US_WEST, US_WEST, {US_EAST}, US_EAST, "the US pair stand in for each other"),
        (ASIA, ASIA, {US_EAST, EUROPE}, None, "a third region never takes a write"),
        (ASIA, ASIA, frozenset(), None, "nobody is healthy"),
    ],
)
def test_what_has_an_owner_is_written_in_the_owners_home_region(
    *, datum: Datum, home: Region, current: Region, healthy: frozenset[Region], region: Region | None, why: str
) -> None:
    found = write_region(datum, home=home, current=current, writing=healthy, healthy=healthy)

    assert found is region, why


@pytest.mark.parametrize(
    ("home", "writing", "healthy", "region", "why"),
    [
        (US_EAST, {EUROPE, ASIA}, ALL, US_WEST, "both have just come back: each takes the other one's"),
        (US_WEST, {EUROPE, ASIA}, ALL, US_EAST, "both have just come back: each takes the other one's"),
        (EUROPE, {ASIA}, ALL, US_EAST, "a stand-in that has just come back, too"),
        (EUROPE, {US_EAST, EUROPE}, {EUROPE}, EUROPE, "who takes them at home need not be asked for elsewhere"),
        (EUROPE, {US_EAST, US_WEST}, ALL - {US_EAST}, None, "a stand-in that is down takes nothing"),
        (ASIA, frozenset(), ALL, US_WEST, "nobody takes writes at home"),
    ],
)
def test_a_stand_in_only_has_to_be_up(
    *, home: Region, writing: frozenset[Region], healthy: frozenset[Region], region: Region | None, why: str
) -> None:
    assert write_region(Datum.TWEET, home=home, current=home, writing=writing, healthy=healthy) is region, why


@pytest.mark.parametrize(
    ("datum", "healthy", "region", "why"),
    [
        (Datum.ENGAGEMENT_COUNTER, ALL, ASIA, "any region has its own row of a counter: no trip home"),
        (Datum.ENGAGEMENT_COUNTER, ALL - {EUROPE}, ASIA, "the home region does not matter"),
        (Datum.ENGAGEMENT_COUNTER, ALL - {ASIA}, US_WEST, "the current region's stand-in counts for it"),
        (Datum.ENGAGEMENT_COUNTER, ALL - {ASIA, US_WEST}, None, "both down: refused"),
        (Datum.TIMELINE_CACHE, ALL, ASIA, "built where the user is now, not at home"),
        (Datum.TIMELINE_CACHE, frozenset(), ASIA, "a copy elsewhere would help nobody"),
    ],
)
def test_what_has_no_owner_is_written_where_the_user_is(
    datum: Datum, healthy: frozenset[Region], region: Region | None, why: str
) -> None:
    assert write_region(datum, home=EUROPE, current=ASIA, writing=healthy, healthy=healthy) is region, why


@pytest.mark.parametrize("datum", list(Datum))
@pytest.mark.parametrize("home", list(Region))
def test_a_write_goes_to_a_healthy_home_or_stand_in_whenever_there_is_one(datum: Datum, home: Region) -> None:
    for healthy in ({home}, {stand_in_of(home)}, {home, stand_in_of(home)}):
        assert write_region(datum, home=home, current=home, writing=healthy, healthy=healthy) is not None


TOKEN = [WriteToken(region=US_EAST, at_us=1_000_000)]
LIKED_HERE = [*TOKEN, WriteToken(region=EUROPE, at_us=2_000_000)]  # after something was posted at home
MOVED = [*TOKEN, WriteToken(region=US_WEST, at_us=500_000)]  # before that


@pytest.mark.parametrize(
    ("current", "tokens", "heartbeat_us", "healthy", "region", "freshness", "why"),
    [
        (EUROPE, [], None, ALL, EUROPE, Freshness.EVENTUAL, "no token: here, always"),
        (EUROPE, [], None, frozenset(), EUROPE, Freshness.EVENTUAL, "health matters only to a token"),
        (US_EAST, TOKEN, None, ALL, US_EAST, Freshness.PROVEN, "this region took the write"),
        (EUROPE, TOKEN, 1_000_000, ALL, EUROPE, Freshness.PROVEN, "a heartbeat exactly as new is enough"),
        (EUROPE, TOKEN, 1_000_001, frozenset(), EUROPE, Freshness.PROVEN, "proven here, whoever is down"),
        (EUROPE, TOKEN, 999_999, ALL, US_EAST, Freshness.PROVEN, "a microsecond short: ask who took the write"),
        (EUROPE, TOKEN, None, ALL, US_EAST, Freshness.PROVEN, "no heartbeat has ever come"),
        (EUROPE, TOKEN, 999_999, ALL - {US_EAST}, EUROPE, Freshness.STALE, "nobody to ask: here, and say so"),
        (EUROPE, TOKEN, None, ALL - {US_EAST}, EUROPE, Freshness.STALE, "nobody to ask: here, and say so"),
        (EUROPE, LIKED_HERE, 999_999, ALL, US_EAST, Freshness.PROVEN, "what came later here proves nothing of it"),
        (EUROPE, LIKED_HERE, 1_000_000, ALL, EUROPE, Freshness.PROVEN, "both are here"),
        (US_EAST, LIKED_HERE, None, frozenset(), US_EAST, Freshness.STALE, "asked by the other region, and says so"),
        (EUROPE, MOVED, None, ALL, US_EAST, Freshness.PROVEN, "both are lacked: who took the newer one"),
        (EUROPE, MOVED, None, ALL - {US_EAST}, US_WEST, Freshness.PROVEN, "or the one that can be asked"),
        (EUROPE, MOVED, 1_000_000, ALL, US_WEST, Freshness.PROVEN, "only the older one is lacked"),
        (EUROPE, MOVED, None, frozenset(), EUROPE, Freshness.STALE, "nobody to ask: here, and say so"),
    ],
)
def test_a_read_stays_here_unless_a_token_says_that_here_is_too_old(
    *,
    current: Region,
    tokens: list[WriteToken],
    heartbeat_us: int | None,
    healthy: frozenset[Region],
    region: Region,
    freshness: Freshness,
    why: str,
) -> None:
    heartbeats_us = {ASIA: 9_000_000} if heartbeat_us is None else {US_EAST: heartbeat_us}
    reading = read_region(current=current, tokens=tokens, heartbeats_us=heartbeats_us, healthy=healthy)

    assert (reading.region, reading.freshness) == (region, freshness), why
