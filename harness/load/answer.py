"""What came back for one request, and what a profile finds in it.

The evidence that checks rest on is made here: features are reported from an answer's *content*, by the profile that
knows what the content should look like, never from what the target says about itself.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from harness.record.rows import NO_AGE, NO_COUNT

SWITCHING_PROTOCOLS = 101
_AGE_DIGITS = 9  # thirty years; more is a mistake, and would not fit


class Answer:
    """A complete answer: status, headers (any capitals) and body; plus the profile's findings."""

    __slots__ = ("_headers", "body", "count", "ids_seen", "object", "off", "on", "status", "whole", "why_wrong")

    def __init__(self, status: int, headers: Mapping[str, Any], body: bytes) -> None:
        self.status = status
        self._headers = headers
        self.body = body
        self.on: set[str] | None = None
        self.off: set[str] | None = None
        self.object = ""
        self.ids_seen = ""
        self.whole = False
        self.count = NO_COUNT
        self.why_wrong: str | None = None

    @property
    def ok(self) -> bool:
        """Answered as asked: 2xx, or the switch to a WebSocket."""
        return 200 <= self.status < 300 or self.status == SWITCHING_PROTOCOLS

    def header(self, name: str) -> str:
        """The header's value, empty where it is missing; the first one where it was repeated."""
        value = self._headers.get(name)
        if value is None:
            return ""
        return value if isinstance(value, str) else str(value[0])

    def age_s(self, header: str) -> int:
        """Whole seconds, as RFC 9111 has them; NO_AGE where it is missing or anything else."""
        text = self.header(header)
        return int(text) if text.isdecimal() and len(text) <= _AGE_DIGITS else NO_AGE

    def json(self) -> Any:
        """The body as JSON; what is not JSON raises ValueError, which makes this a wrong answer."""
        return msgspec.json.decode(self.body)

    def saw(self, feature: str, *, working: bool) -> None:
        """The content shows that the feature works, or that it is absent. Say nothing where it shows neither."""
        if working:
            self.on = (self.on or set()) | {feature}
        else:
            self.off = (self.off or set()) | {feature}

    def read(self, of: str, identifiers: Iterable[object], *, whole: bool) -> None:
        """What this answer shows of a set that visitors add to: their own ids, in its order. `whole` where it holds all
        there was; a page that is full does not."""
        self.object = of
        self.ids_seen = ",".join(map(str, identifiers))
        self.whole = whole

    def counted(self, of: str, count: int) -> None:
        """What this answer shows of a counter that visitors raise."""
        self.object = of
        self.count = count

    def wrong(self, why: str) -> None:
        """It arrived, but it is not an answer to what was asked."""
        self.why_wrong = why
