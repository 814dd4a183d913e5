import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_system.policies import write_token
from reference_system.policies.regions import Region
from reference_system.policies.write_token import Parsed, WriteToken


@pytest.mark.parametrize(
    ("text", "at_us"),
    [
        ("us-east:1795579811.909921", 1_795_579_811_909_921),
        ("us-east:1795579811.000001", 1_795_579_811_000_001),
        ("us-east:0.000000", 0),
        ("us-east:99999999999.999999", 99_999_999_999_999_999),
    ],
)
def test_a_token_keeps_every_microsecond(text: str, at_us: int) -> None:
    token = WriteToken(region=Region.US_EAST, at_us=at_us)

    assert write_token.parsed(text) == Parsed(token=token)
    assert write_token.written(token) == text


def test_no_token_is_not_a_malformed_one() -> None:
    assert write_token.parsed(None) == Parsed()


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
        "us-east:1795579811.909921,europe:1795579811.909921",
    ],
)
def test_a_malformed_token_is_no_token_and_is_reported(text: str) -> None:
    assert write_token.parsed(text) == Parsed(malformed=True)


@given(st.text("us-eatropcif:.0123456789", max_size=40))
def test_no_header_can_make_it_fail(text: str) -> None:
    parsed = write_token.parsed(text)

    assert parsed.malformed == (parsed.token is None)


@given(st.sampled_from(Region), st.integers(0, 10**17 - 1))
def test_what_is_written_can_be_read(region: Region, at_us: int) -> None:
    token = WriteToken(region=region, at_us=at_us)

    assert write_token.parsed(write_token.written(token)).token == token
