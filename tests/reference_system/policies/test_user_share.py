import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_system.policies.failback import SHARES
from reference_system.policies.user_share import in_share, murmur_hash_2

USERS = [f"user-{n}" for n in range(1, 2001)]


# The shares 1, 10, 12.34, 25 and 50 % as nginx 1.31.3 answered them with split_clients on the same ids.
@pytest.mark.parametrize(
    ("user", "answers"),
    [
        ("user-1", "11111"),
        ("user-17", "00001"),
        ("user-42", "00000"),
        ("abc", "01111"),
        ("zoë", "00000"),
        ("", "11111"),
    ],
)
def test_it_splits_as_nginx_does(user: str, answers: str) -> None:
    ours = "".join(str(int(in_share(user, share))) for share in (0.01, 0.10, 0.1234, 0.25, 0.50))

    assert ours == answers


@pytest.mark.parametrize(
    ("data", "value", "why"),
    [
        (b"", 0, "nothing hashes to the seed"),
        (b"a", 0x92685F5E, "a tail of one byte"),
        (b"abc", 0x13577C9B, "a tail of three bytes"),
        (b"user-1", 0x01434A3F, "a word and a tail"),
        ("zoë".encode(), 0xE71723AE, "a whole word; UTF-8 counts bytes"),
    ],
)
def test_the_hash_is_murmur_2(data: bytes, value: int, why: str) -> None:
    assert murmur_hash_2(data) == value, why


@pytest.mark.parametrize("share", SHARES)
def test_the_share_of_users_is_about_the_share(share: float) -> None:
    taken = sum(in_share(user, share) for user in USERS) / len(USERS)

    assert taken == pytest.approx(share, abs=0.02)


@given(st.integers(0).map("user-{}".format), st.floats(0, 1), st.floats(0, 1))
def test_a_growing_share_keeps_everybody_it_had(user: str, one: float, other: float) -> None:
    low, high = sorted((one, other))

    assert in_share(user, low) <= in_share(user, high)
    assert not in_share(user, 0.0)
    assert in_share(user, 1.0)
