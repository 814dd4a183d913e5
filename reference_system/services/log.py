"""One JSON line an event on stdout, as docs/contract.md says; warnings of libraries too."""

import logging
import sys
import time
import traceback
from typing import Any

import msgspec

from reference_system.policies.circuit_breaker import Phase


class Log:
    def __init__(self, service: str) -> None:
        self._service = service

    def __call__(self, event: str, **facts: Any) -> None:
        line = {"at": round(time.time(), 6), "service": self._service, "event": event, **facts}
        sys.stdout.write(msgspec.json.encode(line).decode() + "\n")
        sys.stdout.flush()

    def breaker_changed(self, dependency: str, before: Phase, after: Phase) -> None:
        self("breaker_changed", dependency=dependency, **{"from": before, "to": after})


class _AsJson(logging.Handler):
    """What libraries log, as events of ours."""

    def __init__(self, log: Log) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        facts = {} if error is None else {"error": f"{type(error).__name__}: {error}"}
        if error is not None and record.levelno >= logging.ERROR:
            facts["traceback"] = "".join(traceback.format_exception(error))
        self._log("library_warning", logger=record.name, message=record.getMessage(), **facts)


def take_over_logging(log: Log) -> None:
    logging.basicConfig(handlers=[_AsJson(log)], level=logging.WARNING)
