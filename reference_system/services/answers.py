"""An answer before it is bytes, and the headers that every answer carries."""

from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from reference_system.data.timelines import Cache
from reference_system.services.outcomes import Outcome

HeaderList = list[tuple[bytes, bytes]]
FIRST_SERVER_ERROR = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """`disabled` names the feature that being off refused (503) or replaced (200) this answer; `shed` is the reason why
    nothing was done although it could have been. `age_s`: since what a cache had was made.

    `passed_on` is the body of an answer that another region gave; then `headers` are all that there are. What was
    `decided_elsewhere`, or took its time there, says nothing about this region's own health.
    """

    status: int = 200
    body: dict[str, Any] = field(default_factory=dict)
    cache: Cache = Cache.NONE
    age_s: float | None = None
    disabled: str | None = None
    shed: str | None = None
    headers: tuple[tuple[bytes, bytes], ...] = ()
    passed_on: bytes | None = None
    decided_elsewhere: bool = False

    def also(self, name: bytes, value: str) -> "Answer":
        """With one more header."""
        return replace(self, headers=(*self.headers, (name, value.encode())))

    @property
    def outcome(self) -> Outcome:
        if self.shed is not None:
            return Outcome.SHED
        if self.disabled is not None:
            return Outcome.DISABLED
        return Outcome.ERROR if self.status >= FIRST_SERVER_ERROR else Outcome.OK


SHED = Answer(
    status=503, body={"error": "overload: try again later"}, shed="overload", headers=((b"retry-after", b"1"),)
)
POOL_BUSY = Answer(
    status=503, body={"error": "the database is busy: try again later"}, shed="pool", headers=((b"retry-after", b"1"),)
)
# Of work that nobody waits for any more. It was certainly not done; or it was begun, and nobody knows how far it got.
EXPIRED = Answer(status=503, body={"error": "no capacity before the deadline"}, headers=((b"x-refused", b"expired"),))
TOO_LATE = Answer(status=504, body={"error": "not done before the deadline"})
STORAGE_DOWN = Answer(status=503, body={"error": "storage unavailable"})
UNFIT = Answer(status=400, body={"error": "the database cannot take what was sent"})
CRASHED = Answer(status=500, body={"error": "internal error"})
# Of writes. The first two were certainly not done; nobody knows of the third.
NO_REGION = Answer(
    status=503,
    body={"error": "no region takes this write now"},
    headers=((b"x-refused", b"no-region"),),
    decided_elsewhere=True,
)
UNREACHABLE = Answer(
    status=503,
    body={"error": "the region that takes this write is out of reach"},
    headers=((b"x-refused", b"unreachable"),),
    decided_elsewhere=True,
)
NOT_ANSWERED = Answer(
    status=504, body={"error": "the region that takes this write has not answered"}, decided_elsewhere=True
)


def refusal(status: int, sentence: str) -> Answer:
    return Answer(status=status, body={"error": sentence})


class AnswerWriter:
    """Turns answers into headers and body. Headers that repeat are made once and kept."""

    def __init__(self, *, service: str, region: str) -> None:
        self._served_by = [(b"x-served-by", service.encode()), (b"x-region", region.encode())]
        self._known: dict[tuple[int, int, str, str | None, str | None, str | None], HeaderList] = {}
        self._encoder = msgspec.json.Encoder()

    def body(self, answer: Answer, banner: str | None) -> bytes:
        if answer.passed_on is not None:
            return answer.passed_on
        return self._encoder.encode(answer.body if banner is None else {**answer.body, "banner": banner})

    def headers(self, answer: Answer, *, level: int, priority: int, banner: str | None) -> HeaderList:
        """All but the content length; the same list each time, so do not change it."""
        if answer.passed_on is not None:
            return [*answer.headers]
        key = (level, priority, answer.cache.value, answer.disabled, answer.shed, banner)
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = self._made(answer, level=level, priority=priority, banner=banner)
        return [*known, *answer.headers] if answer.headers else known

    def _made(self, answer: Answer, *, level: int, priority: int, banner: str | None) -> HeaderList:
        made = [
            *self._served_by,
            (b"content-type", b"application/json"),
            (b"x-degradation-level", str(level).encode()),
            (b"x-priority", str(priority).encode()),
            (b"x-cache", answer.cache.value.encode()),
        ]
        if answer.shed is not None:
            made.append((b"x-shed", answer.shed.encode()))
        if answer.disabled is not None:
            made.append((b"x-disabled-feature", answer.disabled.encode()))
        if banner is not None:
            made.append((b"x-degraded-banner", banner.encode()))
        return made
