import pytest

from reference_system.policies.regions import Region
from reference_system.services.tokens import Bearer, Tokens

TOKENS = Tokens("secret")
TOKEN = TOKENS.issue("us-east-user-1.2", "europe")


def test_a_token_proves_its_user_and_their_home() -> None:
    bearer = Bearer(user="us-east-user-1.2", home=Region.EUROPE)

    assert TOKEN.startswith("us-east-user-1.2~europe.")
    assert TOKENS.bearer(f"Bearer {TOKEN}") == bearer
    assert TOKENS.bearer(f"Bearer {TOKEN}") == bearer, "also when it is remembered"


@pytest.mark.parametrize(
    ("authorization", "why"),
    [
        (None, "no header"),
        ("", "an empty one"),
        (TOKEN, "not a bearer's"),
        ("Bearer ", "no token"),
        ("Bearer .", "no user and no signature"),
        ("Bearer user-1~europe", "no signature"),
        ("Bearer user-1~europe.é", "a signature that is none"),
        (f"Bearer x{TOKEN}", "somebody else's signature"),
        (f"Bearer {TOKEN.replace('europe', 'us-east')}", "another home"),
        (f"Bearer user-1.{TOKENS._signature('user-1')}", "the old form, without a home"),
        (f"Bearer ~europe.{TOKENS._signature('~europe')}", "a home without a user"),
    ],
)
def test_anything_else_proves_nobody(authorization: str | None, why: str) -> None:
    assert TOKENS.bearer(authorization) is None, why


def test_another_secret_proves_nobody() -> None:
    assert Tokens("other").bearer(f"Bearer {TOKEN}") is None
