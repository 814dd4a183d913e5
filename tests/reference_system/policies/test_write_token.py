import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_system.policies import write_token
from reference_system.policies.regions import Region
from reference_system.policies.write_token import AHEAD_US_AT_MOST, MOST, Parsed, WriteToken

EAST, EUROPE = Region.US_EAST, Region.EUROPE
LAST_US = 10**17 - 1  # the last microsecond that a token can name


def parsed(text: str | None, *, now_us: int = LAST_US) -> Parsed:
    return write_token.parsed(text, now_us=now_us)


@pytest.mark.parametrize(
    ("text", "at_us"),
    [
        ("us-east:1795579811.909921", 1_795_579_811_909_921),
        ("us-east:1795579811.000001", 1_795_579_811_000_001),
        ("us-east:0.000000", 0),
        ("us-east:99999999999.999999", LAST_US),
    ],
)
def test_a_token_keeps_every_microsecond(text: str, at_us: int) -> None:
    token = WriteToken(region=EAST, at_us=at_us)

    assert parsed(text) == Parsed(tokens=(token,))
    assert write_token.written([token]) == text


def test_a_token_says_where_the_caches_were_not_told() -> None:
    token = WriteToken(region=EAST, at_us=1_000_000, told=False)

    assert write_token.written([token]) == "us-east:1.000000!"
    assert parsed("us-east:1.000000!") == Parsed(tokens=(token,))


def test_what_the_caches_were_not_told_of_is_not_forgotten_for_a_newer_write() -> None:
    text = "us-east:3.000000,us-east:1.000000!,us-east:2.000000!"

    assert write_token.written(parsed(text).tokens) == "us-east:2.000000!,us-east:3.000000"


def test_no_token_is_not_a_malformed_one() -> None:
    assert parsed(None) == Parsed()


@pytest.mark.parametrize(
    ("text", "at_us", "why"),
    [
        ("us-east:1.000000,europe:2.000000", {EAST: 1_000_000, EUROPE: 2_000_000}, "one of each region"),
        ("us-east:1.000000, europe:2.000000", {EAST: 1_000_000, EUROPE: 2_000_000}, "as proxies join headers"),
        ("us-east:2.000000,us-east:1.000000", {EAST: 2_000_000}, "of one region the newest"),
        (",".join(["us-east:1.000000"] * MOST), {EAST: 1_000_000}, "as many as there may be"),
    ],
)
def test_there_may_be_a_token_of_each_region(text: str, at_us: dict[Region, int], why: str) -> None:
    found = parsed(text)

    assert {token.region: token.at_us for token in found.tokens} == at_us, why
    assert len(found.tokens) == len(at_us), why


@pytest.mark.parametrize(
    "text",
    [
        "",
        "us-east",
        "us-east:",
        ":1795579811.909921",
        "us-east:1795579811",
        "us-east:1795579811.9",
        "us-east:1795579811.9099211",
        "us-east:-1.000000",
        "us-east:1e9.000000",
        "us-east:nan",
        "us-east:100000000000.000000",
        "us-east:1795579811.909921\n",
        " us-east:1795579811.909921",
        "US-EAST:1795579811.909921",
        "mars-north:1795579811.909921",
        "us-east:١٧٩.000000",
        "us-east:1795579811.909921,",
        "us-east:1795579811.909921,europe",
        "us-east:1795579811.909921!!",
        "us-east:1795579811.909921;europe:1795579811.909921",
        ",".join(["us-east:1.000000"] * (MOST + 1)),
    ],
)
def test_a_malformed_token_is_no_token_and_is_reported(text: str) -> None:
    assert parsed(text) == Parsed(malformed=True)


@pytest.mark.parametrize(("ahead_us", "malformed"), [(AHEAD_US_AT_MOST, False), (AHEAD_US_AT_MOST + 1, True)])
def test_a_token_of_the_future_is_one_that_nobody_can_have_given(ahead_us: int, malformed: bool) -> None:
    text = "us-east:1.000000,europe:60.000000"

    assert parsed(text, now_us=60_000_000 - ahead_us).malformed is malformed


@given(st.text("us-eatropcif:.0123456789,!", max_size=60))
def test_no_header_can_make_it_fail(text: str) -> None:
    found = parsed(text)

    assert found.malformed == (not found.tokens)


@given(st.dictionaries(st.tuples(st.sampled_from(Region), st.booleans()), st.integers(0, LAST_US), min_size=1))
def test_what_is_written_can_be_read(at_us: dict[tuple[Region, bool], int]) -> None:
    tokens = [WriteToken(region=region, at_us=at, told=told) for (region, told), at in at_us.items()]

    assert set(parsed(write_token.written(tokens)).tokens) == set(tokens)
