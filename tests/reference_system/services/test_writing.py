"""What a write that was done says of itself, over a store that does it."""

import asyncio
import time
from typing import cast

import pytest

from reference_system.data import errands
from reference_system.data.backends import Backends
from reference_system.data.dependency import DependencyError
from reference_system.data.errands import Errand
from reference_system.data.resp import Command
from reference_system.data.writes import Writes
from reference_system.policies.regions import Region
from reference_system.services.answers import Answer
from reference_system.services.tokens import Tokens
from reference_system.services.writing import Writing
from tests.reference_system.services.calls import a_call

TOKENS = Tokens("secret")
ME = {"Authorization": f"Bearer {TOKENS.issue('user-1', Region.EUROPE)}"}


class _Redis:
    """Of a region whose database does all that it is asked."""

    def __init__(self, *, away: bool) -> None:
        self._away = away

    async def redis(self, *commands: Command) -> list[int]:
        await asyncio.sleep(0)
        if self._away:
            raise DependencyError("redis: gone")
        return [1] * len(commands)

    async def postgres(self, statement: str, *arguments: object) -> list[dict[str, bool]]:
        del statement, arguments
        await asyncio.sleep(0)
        return [{"known": True}]


class _Writes:
    async def like(self, post: str) -> int:
        del post
        await asyncio.sleep(0)
        return 1


def _as_it_is(answer: Answer) -> Answer:
    return answer


def _writing(writes: Writes) -> Writing:
    return Writing(
        writes=writes, tokens=TOKENS, region=Region.US_EAST, key_taken=lambda key: key, with_count_age=_as_it_is
    )


def _token(read_after: str | None) -> str:
    """What a like in us-east gives to a client that says what it has written before."""
    said = {} if read_after is None else {"X-Read-After": read_after}
    call = a_call("POST", "/tweets/us-east-1/like", ME | said)
    answer = asyncio.run(_writing(cast(Writes, _Writes())).like(call))
    return dict(answer.headers)[b"x-write-token"].decode()


@pytest.mark.parametrize(
    ("read_after", "regions", "why"),
    [
        (None, ["us-east"], "the first write of a session"),
        ("us-east:1.000000", ["us-east"], "the newest of a region says it all"),
        ("europe:1.000000", ["europe", "us-east"], "what was written elsewhere is not forgotten"),
        ("europe:1.000000,us-east:1.000000,us-west:1.000000", ["europe", "us-east", "us-west"], "one of each"),
        ("europe:soon", ["us-east"], "what says nothing is dropped"),
        ("europe:99999999999.000000", ["us-east"], "and what nobody can have given"),
    ],
)
def test_the_token_of_a_write_adds_to_those_that_the_client_has(
    read_after: str | None, regions: list[str], why: str
) -> None:
    before_s = time.time()
    tokens = _token(read_after).split(",")

    assert sorted(token.partition(":")[0] for token in tokens) == regions, why
    assert set((read_after or "").split(",")) >= {token for token in tokens if token.endswith(":1.000000")}, why
    (own,) = (token for token in tokens if token.startswith("us-east:"))
    assert float(own.partition(":")[2]) >= before_s


@pytest.mark.parametrize(("away", "mark"), [(False, ""), (True, "!")])
def test_a_token_says_where_the_caches_could_not_be_told(*, away: bool, mark: str) -> None:
    async def edit() -> Answer:
        errands.begin(Errand())
        writes = Writes(cast(Backends, _Redis(away=away)), region="us-east")
        return await _writing(writes).edit_profile(a_call("PUT", "/users/user-1/profile", ME, b'{"bio":"new"}'))

    answer = asyncio.run(edit())

    assert answer.status == 200
    assert dict(answer.headers)[b"x-write-token"].decode().partition(".")[2][6:] == mark
