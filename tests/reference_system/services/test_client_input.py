"""What clients say and no statement may be given is refused, with a sentence, before a store is asked."""

import asyncio
import json
from collections.abc import Iterable, Mapping
from typing import cast

import pytest
from starlette.types import Message, Scope

from reference_system.data.dependency import RefusedCallError
from reference_system.data.filters import visible
from reference_system.data.reads import Reads
from reference_system.data.writes import Writes
from reference_system.policies.regions import Region
from reference_system.policies.write_token import WriteToken
from reference_system.services.admission import Desk
from reference_system.services.answers import Answer
from reference_system.services.api import Api
from reference_system.services.handlers import Handlers
from reference_system.services.operations import Call
from reference_system.services.parts import ApiParts
from reference_system.services.settings import api_settings
from reference_system.services.tokens import Tokens
from reference_system.services.writing import Writing
from tests.reference_system.services.calls import a_call

EAST = Region.US_EAST
TOKENS = Tokens("secret")
ME = {"Authorization": f"Bearer {TOKENS.issue('user-1', EAST)}"}
POST = ("POST", "/tweets/create")
HELLO = b'{"text":"hello"}'
AN_ID = "an id has at most 80 letters, digits, dots, dashes and underscores"
A_KEY = "an Idempotency-Key has at most 200 characters, all printable"
A_SEARCH = "q has at most 100 characters, and no NUL"


class _Untouched:
    """A store that fails the test when it is asked."""

    def __getattr__(self, name: str) -> object:
        def asked(*arguments: object, **named: object) -> object:
            raise AssertionError(f"asked for {name} with {arguments} and {named}")

        return asked


def _as_it_is(answer: Answer) -> Answer:
    return answer


async def _told(tokens: Iterable[WriteToken]) -> bool:
    del tokens
    await asyncio.sleep(0)
    return True


def _answer(route: tuple[str, str], headers: Mapping[str, str], body: bytes) -> Answer:
    writes = cast(Writes, _Untouched())
    writing = Writing(writes=writes, tokens=TOKENS, region=EAST, key_taken=lambda key: key, with_count_age=_as_it_is)
    handlers = Handlers(
        reads=cast(Reads, _Untouched()),
        writing=writing,
        tokens=TOKENS,
        service="us-east-api-1",
        visible=visible,
        with_count_age=_as_it_is,
        were_told=_told,
    )
    return asyncio.run(handlers.answer(a_call(*route, headers, body)))


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/users/{}/profile"),
        ("PUT", "/users/{}/profile"),
        ("DELETE", "/users/{}/profile"),
        ("GET", "/users/{}/posts"),
        *((method, f"/users/{{}}/{what}") for method in ("PUT", "DELETE") for what in ("follow", "block", "mute")),
        ("DELETE", "/tweets/{}"),
        ("POST", "/tweets/{}/like"),
        ("POST", "/tweets/{}/retweet"),
    ],
)
@pytest.mark.parametrize("bad", ["a\0b", "x" * 81, "a b", "é\n"], ids=["NUL", "too long", "space", "end of line"])
def test_an_id_that_is_none_is_refused_on_every_route(method: str, path: str, bad: str) -> None:
    answer = _answer((method, path.format(bad)), ME, b'{"bio":"x"}')

    assert (answer.status, answer.body) == (400, {"error": AN_ID})


@pytest.mark.parametrize(
    ("route", "headers", "body", "told"),
    [
        (("GET", "/search/posts?q=abc%00"), {}, b"", A_SEARCH),
        (("GET", f"/search/posts?q={'x' * 101}"), {}, b"", A_SEARCH),
        (POST, {**ME, "Idempotency-Key": "k" * 201}, HELLO, A_KEY),
        (POST, {**ME, "Idempotency-Key": "a\tb"}, HELLO, A_KEY),
        (("POST", "/auth/login"), {}, b'{"name":"a","password":"\xff"}', "'utf-8' codec can't decode byte 0xff"),
        (("POST", "/auth/login"), {}, b'{"x":' + b"[" * 60_000, "maximum recursion depth exceeded"),
        (("POST", "/auth/signup"), {}, b'{"name":"a\\u0000","password":"x"}', "Expected `str` matching regex"),
        (POST, {**ME, "Idempotency-Key": "k"}, b'{"text":"a\\u0000b"}', "Expected `str` matching regex"),
        (("PUT", "/users/user-1/profile"), ME, b'{"bio":"a\\u0000b"}', "Expected `str` matching regex"),
    ],
)
def test_what_no_statement_may_be_given_is_refused_with_a_sentence(
    route: tuple[str, str], headers: dict[str, str], body: bytes, told: str
) -> None:
    answer = _answer(route, headers, body)

    assert answer.status == 400
    assert answer.body["error"].startswith(told)


def test_what_the_database_refuses_all_the_same_is_the_clients_mistake_and_is_logged(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def refused(desk: Desk, call: Call) -> Answer:
        del desk, call
        await asyncio.sleep(0)
        raise RefusedCallError("postgres: invalid byte sequence")

    sent: list[Message] = []

    async def send(message: Message) -> None:
        await asyncio.sleep(0)
        sent.append(message)

    async def receive() -> Message:
        await asyncio.sleep(0)
        return {"type": "http.request", "body": b"", "more_body": False}

    async def ask() -> None:
        scope: Scope = {"type": "http", "method": "GET", "path": "/search/posts", "query_string": b"q=x", "headers": []}
        await Api(api_settings({}), ApiParts(serve=refused))(scope, receive, send)

    asyncio.run(ask())
    told = json.loads(capsys.readouterr().out)

    assert sent[0]["status"] == 400
    assert (told["event"], told["operation"], told["error"]) == ("unfit", "search", "postgres: invalid byte sequence")
