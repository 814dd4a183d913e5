"""The worker's fan-out: rounds one after the other, the emergency limit, what operators see of it and may do.

    POST /internal/fan-out/limit {"followers": 300}  pull accounts with so many followers; null: as the policy decides
    POST /internal/fan-out/dead-letters/retry        queue again what was given up

What waits, and how it is brought to the followers, is data/fan_out.py's.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated

import msgspec
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from reference_system.data.backends import Backends, DependencyError
from reference_system.data.fan_out import Backlog, Round, Rules
from reference_system.data.fan_out import FanOut as Queue
from reference_system.policies import fan_out
from reference_system.policies.fan_out import LIMITS, How, State, Waiting
from reference_system.services.log import Log

BUCKETS_S = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
DONE = (How.PUSH, How.PULL, "withdrawn")  # how a post was brought, or that it need not be any more
ACCOUNTS = (ORDINARY, CELEBRITY) = ("ordinary", "celebrity")
NOTHING = Backlog(waiting=0, oldest_at_s=None, dead_letters=0, as_of_s=0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class FanOutParts:
    """`decide` is the emergency limit, given what waits."""

    rules: Rules = field(default_factory=Rules)
    decide: Callable[[State, Waiting, float], State] = fan_out.decide


class Limit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of a request for another limit; `followers` None takes back what an operator had asked for."""

    followers: Annotated[int, msgspec.Meta(ge=0)] | None


class FanOut:
    def __init__(
        self, backends: Backends, parts: FanOutParts, *, pushes_per_s: float, registry: CollectorRegistry, log: Log
    ) -> None:
        self._queue = Queue(backends, pushes_per_s=pushes_per_s, rules=parts.rules)
        self._parts = parts
        self._log = log
        self._state = State()
        self._by_hand: int | None = None
        self._backlog = NOTHING
        self._depth = Gauge("fanout_queue_depth", "Posts not yet with their followers", registry=registry)
        self._lag = Gauge("fanout_lag_seconds", "Age of the oldest such post", registry=registry)
        self._letters = Gauge("fanout_dead_letters", "Posts that were given up", registry=registry)
        self._limit = Gauge("fanout_pull_limit", "Accounts with so many followers are pulled", registry=registry)
        self._delivered = Counter("fanout_delivered_total", "Posts that are done", ["how"], registry=registry)
        self._failed = Counter("fanout_failed_tries_total", "Tries of single posts in vain", registry=registry)
        self._delay = Histogram(
            "fanout_delay_seconds", "From queued to delivered", ["account"], buckets=BUCKETS_S, registry=registry
        )
        self._pushes = Counter(
            "fanout_pushes_total", "Tries to put a post into a timeline", ["account"], registry=registry
        )
        for how in DONE:
            self._delivered.labels(how)
        for account in ACCOUNTS:
            self._pushes.labels(account)
        self._limit.set(self.limit)

    @property
    def limit(self) -> int:
        """In force: the lower of the policy's and the operator's."""
        return self._state.limit if self._by_hand is None else min(self._by_hand, self._state.limit)

    @property
    def depth(self) -> int:
        return self._backlog.waiting

    @property
    def lag_s(self) -> float:
        oldest_at_s = self._backlog.oldest_at_s
        return 0.0 if oldest_at_s is None else max(0.0, time.time() - oldest_at_s)

    @property
    def routes(self) -> list[Route]:
        return [
            Route("/internal/fan-out/limit", self._set_limit, methods=["POST"]),
            Route("/internal/fan-out/dead-letters/retry", self._retry, methods=["POST"]),
        ]

    async def run_once(self) -> bool:
        """Whether there may be more to do at once. Raises DependencyError."""
        done = await self._queue.run_once(limit=self.limit, now_s=time.time())
        self._count(done)
        return done.more

    async def measure(self) -> Backlog:
        """What waits now. Raises DependencyError."""
        self._backlog = await self._queue.backlog()
        self._depth.set(self.depth)
        self._lag.set(self.lag_s)
        self._letters.set(self._backlog.dead_letters)
        return self._backlog

    async def adjust(self) -> None:
        """The limit, to what waits. Where nobody can say what waits it stays as it is. Raises DependencyError."""
        await self.measure()
        before = self._state
        self._state = self._parts.decide(before, Waiting(depth=self.depth, lag_s=self.lag_s), time.time())
        self._limit.set(self.limit)
        if self._state.step != before.step:
            self._log("pull_limit", followers=self.limit, depth=self.depth, lag_s=self.lag_s)

    def _count(self, done: Round) -> None:
        self._failed.inc(done.failed)
        for delivered in done.delivered:
            self._delivered.labels(delivered.how).inc()
            self._delay.labels(_account(delivered.followers)).observe(delivered.delay_s)
        for pushed in done.pushed:
            self._pushes.labels(_account(pushed.followers)).inc(pushed.timelines)

    async def _set_limit(self, request: Request) -> Response:
        try:
            self._by_hand = msgspec.json.decode(await request.body(), type=Limit).followers
        except msgspec.MsgspecError as error:
            told = f'{error}. Expected {{"followers": a number, or null}}.'
            return JSONResponse({"error": told}, status_code=400)
        self._limit.set(self.limit)
        self._log("pull_limit_by_hand", followers=self._by_hand, in_force=self.limit)
        return JSONResponse({"followers": self._by_hand, "in_force": self.limit})

    async def _retry(self, request: Request) -> Response:
        del request
        try:
            queued = await self._queue.retry_dead_letters()
        except DependencyError as error:
            return JSONResponse({"error": str(error)}, status_code=503)
        self._log("dead_letters_queued", posts=queued)
        return JSONResponse({"queued": queued})


def _account(followers: int) -> str:
    return CELEBRITY if followers >= LIMITS[0] else ORDINARY
