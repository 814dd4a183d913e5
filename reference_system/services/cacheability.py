"""Which answers others may keep, and for how long: the one place that decides; nginx at the gateway and the edge obeys.
What a gateway has itself, static assets and pictures, is said of in `gateway_parts.py`.

Anybody's answer may be kept: what a stranger is shown of a profile or of trends, at whatever level it was made. Without
these caches replicas would have to do many times as much just when they cannot.
Whoever says who they are may filter, and who has just written has to see it, so their requests go past shared caches
(the templates in `edge/` do not even look) and their answers are private. Nothing that refuses or fails is kept by
anybody.
"""

from collections.abc import Callable
from dataclasses import dataclass

from reference_system.data.timelines import Cache
from reference_system.services.answers import Answer, HeaderList
from reference_system.services.forwarding import FORWARDED_FOR
from reference_system.services.operations import Call, Operation
from reference_system.services.outcomes import Outcome
from reference_system.services.requests import READ_AFTER

FOUND = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """At each of the two layers: how long it is fresh, and then may be served while it is asked for anew."""

    fresh_s: int
    stale_s: int

    @property
    def said(self) -> bytes:
        return f"public, s-maxage={self.fresh_s}, stale-while-revalidate={self.stale_s}".encode()


# Specification, section 2: 5-60 s at the edge, 1-10 s at a gateway; one figure serves both.
SHARED = {Operation.TRENDING: Shared(fresh_s=10, stale_s=20), Operation.PROFILE: Shared(fresh_s=5, stale_s=55)}
PRIVATE, NOBODY = b"private, no-cache", b"no-store"

CacheControl = Callable[[Call, Answer], bytes]


def cache_control(call: Call, answer: Answer) -> bytes:
    if answer.status != FOUND or answer.outcome is not Outcome.OK:
        return NOBODY
    if "authorization" in call.connection.headers:
        return PRIVATE
    shared = SHARED.get(call.operation)
    if shared is None or has_to_be_new(call) or answer.cache is Cache.DISK:
        return NOBODY
    return shared.said


def has_to_be_new(call: Call) -> bool:
    """Who asks has written something, here or, if another region asks for them, there."""
    headers = call.connection.headers
    return READ_AFTER in headers or FORWARDED_FOR in headers


def headers(call: Call, answer: Answer, decided: bytes, *, now_s: float) -> HeaderList:
    """`now_s`: Unix seconds. `X-Made-At` is for the layers above, which tell from it how old their copy is."""
    if answer.passed_on is not None:
        return []
    age_s = answer.age_s or 0.0
    said = [(b"cache-control", decided)]
    if answer.age_s is not None:
        said.append((b"age", str(int(age_s)).encode()))
    if decided.startswith(b"public"):
        said.append((b"x-made-at", f"{now_s - age_s:.3f}".encode()))
    return said
