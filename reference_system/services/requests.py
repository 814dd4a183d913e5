"""What a request carries, or the refusal where it carries something else."""

import time
from typing import TypeVar

import msgspec
from starlette.requests import ClientDisconnect, Request

from reference_system.policies import write_token
from reference_system.policies.write_token import Parsed
from reference_system.services.answers import Answer, refusal
from reference_system.services.exchange import ID
from reference_system.services.operations import Call, subject_of
from reference_system.services.tokens import Bearer, Tokens

T = TypeVar("T")
READ_AFTER = "x-read-after"
NS_PER_US = 1_000


class RefusedError(Exception):
    """A client's mistake; carries the answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.body)
        self.answer = answer


def caller(call: Call, tokens: Tokens) -> Bearer:
    bearer = tokens.bearer(call.connection.headers.get("authorization"))
    if bearer is None:
        raise RefusedError(refusal(401, "log in first"))
    return bearer


def subject(call: Call) -> str:
    """The id in the path."""
    found = subject_of(call.connection.scope["path"])
    if not ID.fullmatch(found):
        raise RefusedError(refusal(400, "an id has at most 80 letters, digits, dots, dashes and underscores"))
    return found


def read_after(call: Call) -> Parsed:
    """The writes that the client wants to see."""
    return write_token.parsed(call.connection.headers.get(READ_AFTER), now_us=now_us())


def now_us() -> int:
    return time.time_ns() // NS_PER_US


async def raw_body(call: Call) -> bytes:
    """Empty for a WebSocket."""
    if not isinstance(call.connection, Request):
        return b""
    try:
        return await call.connection.body()
    except ClientDisconnect as error:
        raise RefusedError(refusal(400, "the request was cut off")) from error


async def body(call: Call, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(await raw_body(call), type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:  # msgspec raises all three
        raise RefusedError(refusal(400, str(error))) from error
