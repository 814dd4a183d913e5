"""What a handler asks of the caches for who has just written something."""

import asyncio
from collections.abc import Iterable
from typing import cast

import pytest

from reference_system.data import hearing
from reference_system.data.filters import visible
from reference_system.data.hearing import Hearing
from reference_system.data.reads import Page, Reads
from reference_system.data.timelines import Cache
from reference_system.data.writes import Writes
from reference_system.policies.regions import Region
from reference_system.policies.write_token import WriteToken
from reference_system.services.answers import Answer
from reference_system.services.handlers import Handlers
from reference_system.services.tokens import Tokens
from reference_system.services.writing import Writing
from tests.reference_system.services.calls import a_call

EAST = Region.US_EAST
TOKENS = Tokens("secret")
WROTE = {"X-Read-After": "us-east:1.000000"}


class _Reads:
    """Nothing to see; notes who went past the caches."""

    def __init__(self) -> None:
        self.hearing = Hearing()
        self.filters = self
        self.went_past: list[bool] = []

    async def home(self, user: str, *, event: str | None, past_caches: bool) -> Page:
        del user, event
        await asyncio.sleep(0)
        self.went_past.append(past_caches)
        return Page([], Cache.NONE)

    async def of(self, viewer: str, *, past_caches: bool) -> frozenset[str]:
        del viewer, past_caches
        await asyncio.sleep(0)
        return frozenset()


def _as_it_is(answer: Answer) -> Answer:
    return answer


@pytest.mark.parametrize(
    ("heard_for_s", "told", "headers", "past_caches"),
    [
        (None, True, WROTE, True),
        (None, True, {"X-Forwarded-Region": "us-west"}, True),
        (hearing.BROUGHT_WITHIN_S - 0.1, True, WROTE, True),
        (hearing.BROUGHT_WITHIN_S, True, WROTE, False),
        (hearing.BROUGHT_WITHIN_S, False, WROTE, True),
        (None, True, {}, False),
    ],
)
def test_a_write_is_looked_for_in_the_database_while_redis_may_not_have_been_told(
    *,
    heard_for_s: float | None,
    told: bool,
    headers: dict[str, str],
    past_caches: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reads, asked = _Reads(), list[WriteToken]()

    async def were_told(tokens: Iterable[WriteToken]) -> bool:
        await asyncio.sleep(0)
        asked.extend(tokens)
        return told

    writing = Writing(
        writes=cast(Writes, None), tokens=TOKENS, region=EAST, key_taken=lambda key: key, with_count_age=_as_it_is
    )
    handlers = Handlers(
        reads=cast(Reads, reads),
        writing=writing,
        tokens=TOKENS,
        service="us-east-api-1",
        visible=visible,
        with_count_age=_as_it_is,
        were_told=were_told,
    )

    async def read() -> None:
        if heard_for_s is not None:
            monkeypatch.setattr(hearing, "BROUGHT_WITHIN_S", hearing.BROUGHT_WITHIN_S - heard_for_s)
            reads.hearing.begins()
        bearer = {"Authorization": f"Bearer {TOKENS.issue('user-1', EAST)}"}
        await handlers.answer(a_call("GET", "/timeline/home", bearer | headers))

    asyncio.run(read())
    assert reads.went_past == [past_caches]
    assert asked in ([], [WriteToken(region=EAST, at_us=1_000_000)])
