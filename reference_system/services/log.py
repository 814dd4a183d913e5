"""One JSON line an event on stdout, as docs/contract.md says."""

import sys
import time
from typing import Any

import msgspec


class Log:
    def __init__(self, service: str) -> None:
        self._service = service

    def __call__(self, event: str, **facts: Any) -> None:
        line = {"at": round(time.time(), 6), "service": self._service, "event": event, **facts}
        sys.stdout.write(msgspec.json.encode(line).decode() + "\n")
        sys.stdout.flush()
