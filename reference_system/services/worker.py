"""The region's background work: `python -m reference_system.services.worker`.

Seeds the database if it is empty (healthy only after that), then brings what changes to the caches and computes trends,
each in a loop of its own. Where there are other regions it keeps the links to them, too. A lost Redis or Postgres makes
a turn fail and the next turn try again; nothing queued is lost.
"""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Collection

import msgspec
from prometheus_client import CollectorRegistry, Counter
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from reference_system import defects
from reference_system.data import caught_up
from reference_system.data.backends import Backends, DependencyError
from reference_system.data.dependency import DependencyPolicies
from reference_system.data.keys import TRENDS_KEY
from reference_system.data.lifetimes import ttl_ms
from reference_system.data.postgres import Postgres, connect_when_ready
from reference_system.data.reads import TRENDS
from reference_system.data.redis_client import RedisClient
from reference_system.data.user_caches import UserCaches
from reference_system.data.withdrawals import Withdrawals
from reference_system.policies.regions import Region
from reference_system.services import exchange, links, usage
from reference_system.services.exchange import Backlogs
from reference_system.services.fan_out import FanOut
from reference_system.services.gateway_cache import GatewayCache
from reference_system.services.links import Links, MeshSettings, next_instant
from reference_system.services.log import Log
from reference_system.services.operator_app import operator_app
from reference_system.services.parts import WorkerParts
from reference_system.services.server import run
from reference_system.services.settings import WorkerSettings, worker_settings
from reference_system.services.usage import Usage

FAN_OUT_EVERY_S = 0.1
ROUNDS_A_TURN = (
    10  # of the fan-out: what was withdrawn and what is said of the caches do not wait for all that is queued
)
TRENDS_EVERY_S = 3.0
BACKLOG_EVERY_S = 1.0
CONNECTIONS, CONNECTIONS_WITH_PEERS = 4, 8  # one a loop


class Worker:
    def __init__(self, settings: WorkerSettings, parts: WorkerParts, registry: CollectorRegistry) -> None:
        self._settings = settings
        self._parts = parts
        self._region = Region(settings.place.region)
        self._log = Log(settings.place.service)
        connections = CONNECTIONS_WITH_PEERS if settings.peers else CONNECTIONS
        self._postgres = Postgres(settings.postgres_dsn, statements=parts.statements, connections=connections)
        self._backends = Backends(
            redis=RedisClient(settings.redis_url, connections=1),
            postgres=self._postgres,
            registry=registry,
            policies=DependencyPolicies(),
            seed=settings.place.service,
            told=self._log.breaker_changed,
        )
        self._usage = Usage(self._backends, registry)
        self.fan_out = FanOut(
            self._backends, parts.fan_out, pushes_per_s=settings.pushes_per_s, registry=registry, log=self._log
        )
        self._gateway = GatewayCache(settings.gateway)
        self._user_caches = UserCaches(self._backends, matching=parts.matching)
        self._withdrawals = Withdrawals(
            self._backends,
            forgets=parts.forgets,
            forget_user=self._user_caches.forget,
            pages_changed=self._gateway_forgets,
        )
        self._links: Links | None = None
        if settings.peers:
            mesh = MeshSettings(region=self._region, dsn=settings.mesh_dsn, peers=settings.peers)
            self._links = Links(self._backends, mesh, registry)
        self._refreshed = Counter("trends_refreshed_total", "Times that trends were computed", registry=registry)
        self.healthy = False

    async def work(self) -> None:
        try:
            await connect_when_ready(self._prepare)
            self.healthy = True
            self._log("ready")
            async with asyncio.TaskGroup() as loops:
                loops.create_task(self._repeat(self._deliver, every_s=FAN_OUT_EVERY_S))
                loops.create_task(self._repeat(self._refresh_trends, every_s=TRENDS_EVERY_S))
                loops.create_task(self._repeat(self.fan_out.adjust, every_s=BACKLOG_EVERY_S))
                loops.create_task(self._repeat(self._usage.measure, every_s=usage.MEASURE_EVERY_S))
                if self._links is not None:
                    loops.create_task(self._links.subscribe())
                    loops.create_task(self._repeat(self._links.mend, every_s=links.MEND_EVERY_S))
                    loops.create_task(self._repeat(self._links.beat, every_s=links.BEAT_EVERY_S))
                    loops.create_task(self._repeat(self._links.watch, every_s=links.WATCH_EVERY_S))
                    loops.create_task(self._repeat(self._compare, every_s=links.COMPARE_EVERY_S))
                    loops.create_task(self._repeat(self._sample, every_s=0.0))
        finally:
            self.healthy = False
            await self._backends.close()
            await self._gateway.close()
            self._log("stopped")

    async def _prepare(self) -> None:
        if await self._parts.prepare(self._settings.postgres_dsn):
            self._log("seeded")
        if self._links is not None:
            await self._links.publish()
        await self._postgres.connect()

    async def _repeat(self, turn: Callable[[], Awaitable[None]], *, every_s: float) -> None:
        while True:
            try:
                await turn()
            except DependencyError as error:
                self._log("turn_failed", turn=turn.__name__, error=str(error))
                await asyncio.sleep(1.0)
            await asyncio.sleep(every_s)

    async def _deliver(self) -> None:
        """Bring to the caches what was queued, then say so: up to when it was looked, and for the other regions up to
        the heartbeats that were there before."""
        heard = {} if self._links is None else await self._links.heartbeats()
        before = await self.fan_out.measure()
        heard[self._region] = before.as_of_s
        more = before.waiting > 0
        for _ in range(ROUNDS_A_TURN):
            more = more and await self.fan_out.run_once()
            while await self._withdrawals.run_once():
                pass
            if not more:
                break
        if (await self.fan_out.measure()).has_all_from_before(before):
            await caught_up.say(self._backends.redis, self._parts.caught_up(heard))

    async def _compare(self) -> None:
        assert self._links is not None
        await self._links.compare(now_s=time.time())

    async def _sample(self) -> None:
        """At the next of the instants at which every region does."""
        assert self._links is not None
        at_s = next_instant(time.time(), every_s=links.SAMPLE_EVERY_S)
        await asyncio.sleep(at_s - time.time())
        await self._links.sample(at_s=at_s)

    def _gateway_forgets(self, users: Collection[str]) -> None:
        """Nobody waits for it: where it is not told, its copies end by themselves within seconds."""
        self._backends.background.run_surely(self._gateway.forget(users))

    async def forget_user(self, request: Request) -> Response:
        """For operators: all that the region's caches have of a user, when that has to go at once."""
        user = request.path_params["user"]
        if not exchange.ID.fullmatch(user):
            return Response(status_code=404)
        try:
            forgotten = await self._user_caches.forget(user)
        except DependencyError as error:
            return Response(str(error), status_code=503)
        told = await self._gateway.forget([user])
        self._log("forgot_user", user=user, entries=forgotten, gateway_told=told)
        return Response(
            msgspec.json.encode({"entries": forgotten, "gateway_told": told}), media_type="application/json"
        )

    async def backlogs(self, request: Request) -> Response:
        """For the controller."""
        del request
        lag_s = math.nan if self._links is None else self._links.longest_lag_s
        told = Backlogs(
            fanout_depth=self.fan_out.depth,
            fanout_lag_s=self.fan_out.lag_s,
            replication_lag_s=_if_known(lag_s),
            cache_memory_ratio=_if_known(self._usage.cache_memory_ratio),
            memory_ratio=_if_known(self._usage.memory_ratio),
        )
        return Response(msgspec.json.encode(told), media_type="application/json")

    async def _refresh_trends(self) -> None:
        rows = await self._backends.postgres("recent_words")
        topics = msgspec.json.encode([row["word"] for row in rows])
        await self._backends.postgres("trends_set", self._region, topics.decode())
        await self._backends.redis(("PSETEX", TRENDS_KEY, ttl_ms(TRENDS_KEY, TRENDS.lives_s), topics))
        self._refreshed.inc()


def _if_known(value: float) -> float | None:
    return value if math.isfinite(value) else None


def main() -> None:
    settings = worker_settings()
    parts = defects.for_worker(settings.place.defect, WorkerParts())
    registry = CollectorRegistry()
    worker = Worker(settings, parts, registry)
    routes = [
        Route(exchange.BACKLOGS_PATH, worker.backlogs),
        Route(exchange.FORGET_USER_PATH, worker.forget_user, methods=["POST"]),
        *worker.fan_out.routes,
    ]
    run(operator_app(worker, registry, routes=routes), settings.place)


if __name__ == "__main__":
    main()
