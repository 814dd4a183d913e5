"""Requests as a replica sees them, without a server."""

import asyncio
import time
from collections.abc import Mapping

from starlette.requests import Request
from starlette.types import Message

from reference_system.policies.load_shedding import priority_of
from reference_system.services.operations import Call, operation_of


def a_call(method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes = b"") -> Call:
    target, _, query = path.partition("?")
    scope = {
        "type": "http",
        "method": method,
        "path": target,
        "raw_path": target.encode(),
        "query_string": query.encode(),
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in (headers or {}).items()],
    }

    async def receive() -> Message:
        await asyncio.sleep(0)
        return {"type": "http.request", "body": body, "more_body": False}

    operation, priority = operation_of(method, target), priority_of(target)
    return Call(operation, priority, 0, frozenset(), time.monotonic(), Request(scope, receive))
