"""The only reader of time.

Every recorded instant is CLOCK_MONOTONIC in nanoseconds, which all processes of one machine share; one wall-clock
anchor per run translates it for people and for log lines. Nothing else in the harness may import `time`.
"""

import time
from datetime import UTC, datetime

import msgspec

NS_PER_S = 1_000_000_000


class ClockAnchor(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One instant on both clocks: monotonic nanoseconds and Unix nanoseconds."""

    monotonic_ns: int
    unix_ns: int

    def monotonic_of(self, unix_ns: int) -> int:
        return unix_ns - self.unix_ns + self.monotonic_ns

    def unix_of(self, monotonic_ns: int) -> int:
        return monotonic_ns - self.monotonic_ns + self.unix_ns


def now_ns() -> int:
    """Nanoseconds of CLOCK_MONOTONIC: comparable between processes of one machine, not between machines."""
    return time.monotonic_ns()


def anchor() -> ClockAnchor:
    return ClockAnchor(monotonic_ns=time.monotonic_ns(), unix_ns=time.time_ns())


def unix_ns() -> int:
    """Nanoseconds of the wall clock, to ask others for what has happened since."""
    return time.time_ns()


def utc_now() -> datetime:
    return datetime.now(UTC)


def sleep(seconds: float) -> None:
    """Block this thread; for plain loops that wait for another process (live parts use asyncio)."""
    time.sleep(seconds)
