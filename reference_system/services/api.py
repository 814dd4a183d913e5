"""An API replica: `python -m reference_system.services.api`.

One thin ASGI application, because every layer costs CPU on each request. Public operations go through the replica's
shedding and slots; /healthz, /metrics, /region/health and /internal/* do not. Starts and stays alive without Redis;
healthy once it is connected to Postgres.
"""

import asyncio
import contextlib
import random
import time
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from prometheus_client import CollectorRegistry
from starlette.applications import Starlette
from starlette.requests import HTTPConnection, Request
from starlette.types import Message, Receive, Scope, Send

from reference_system import defects
from reference_system.data import announcements
from reference_system.data.backends import Backends, DependencyError
from reference_system.data.caught_up import CaughtUp
from reference_system.data.connection_gate import PoolBusyError
from reference_system.data.dependency import ExpiredError, RefusedCallError
from reference_system.data.disk_cache import DiskCache
from reference_system.data.heartbeats import Heartbeats
from reference_system.data.postgres import connect_when_ready
from reference_system.data.redis_client import RedisClient
from reference_system.data.subscription import Subscription
from reference_system.policies.load_shedding import POLICIES, priority_of
from reference_system.policies.regions import Region
from reference_system.services import cacheability, deadlines
from reference_system.services.answers import CRASHED, POOL_BUSY, STORAGE_DOWN, TOO_LATE, UNFIT, Answer, AnswerWriter
from reference_system.services.forwarding import Forwarder
from reference_system.services.handlers import Handlers
from reference_system.services.log import Log
from reference_system.services.operations import Call, operation_of
from reference_system.services.operator_routes import OperatorRoutes
from reference_system.services.parts import ApiParts
from reference_system.services.placing import Placing
from reference_system.services.replica import Replica
from reference_system.services.server import run
from reference_system.services.settings import ApiSettings, api_settings
from reference_system.services.tokens import Tokens
from reference_system.services.writing import Writing

TRENDS_EVERY_S = 5.0
HEARTBEATS_EVERY_S = 0.25  # as often as there are new ones
TRY_AGAIN_LATER = 1013  # WebSocket close code


class Api:
    """The ASGI application."""

    def __init__(self, settings: ApiSettings, parts: ApiParts) -> None:
        place, region = settings.place, Region(settings.place.region)
        registry = CollectorRegistry()
        self._log = Log(place.service)
        self._postgres = parts.postgres(
            settings.postgres_dsn, statements=parts.statements, connections=settings.postgres_connections
        )
        self._backends = Backends(
            redis=RedisClient(settings.redis_url),
            postgres=self._postgres,
            registry=registry,
            policies=parts.dependencies,
            seed=f"{settings.seed} {place.service} stores",
            refuses=parts.pool_refuses,
            gate=parts.gate,
            told=self._log.breaker_changed,
        )
        self._heartbeats = Heartbeats(self._backends.postgres, others=settings.peers)
        self._has_peers = bool(settings.peers)
        tokens = Tokens(settings.auth_secret)
        self._flights = parts.flights()
        requests = self._backends.cache_requests
        self._disk = DiskCache(settings.folder / "cache.sqlite", now_s=time.time, requests=requests)
        reads = parts.reads(
            self._backends,
            region=region,
            disk=self._disk,
            flights=self._flights,
            on_cache_loss=parts.on_cache_loss,
        )
        self._profiles = reads.profiles
        self._changes = Subscription(
            settings.redis_url,
            announcements.CHANNEL,
            on_message=self._changed,
            on_open=reads.changes_are_heard,
            on_lost=reads.changes_are_not_heard,
            chance=random.Random(f"{settings.seed} {place.service} changes"),
        )
        caught_up = CaughtUp(self._backends.redis, self._heartbeats, region=region)
        self._handlers = Handlers(
            reads=reads,
            were_told=caught_up.were_told,
            visible=parts.visible,
            writing=Writing(
                writes=parts.writes(self._backends, region=region, forgets=parts.forgets),
                tokens=tokens,
                region=region,
                key_taken=parts.key_taken,
                with_count_age=self._with_count_age,
            ),
            tokens=tokens,
            service=place.service,
            with_count_age=self._with_count_age,
        )
        self._forwarder = Forwarder(
            region=region,
            peers=settings.peers,
            how=parts.forwarding,
            policies=parts.dependencies,
            registry=registry,
            metrics=self._backends.dependency_metrics,
            chance=random.Random(f"{settings.seed} {place.service}"),
            told=self._log.breaker_changed,
        )
        placing = Placing(
            region=region,
            regions=frozenset({region, *settings.peers}),
            tokens=tokens,
            proofs=caught_up.proofs,
            others=self._forwarder,
            decisions=parts.decisions,
            registry=registry,
        )
        self._replica = Replica(
            settings,
            parts=parts,
            handlers=self._handlers,
            placing=placing if self._has_peers else None,
            pool_ratio=lambda: self._backends.pool_busy_ratio,
            expired=self._backends.dependency_metrics.expired,
            registry=registry,
        )
        self._parts = parts
        self._writer = AnswerWriter(service=place.service, region=place.region)
        self._deadline_s = settings.deadline_s
        self._connected = False
        for_operators = OperatorRoutes(
            self._replica,
            heartbeats=self._heartbeats,
            reported_lag=parts.reported_lag,
            identity={"X-Served-By": place.service, "X-Region": place.region},
            is_connected=lambda: self._connected,
            now_s=_now_s,
        ).routes()
        self._operators = Starlette(routes=for_operators, lifespan=self._lifespan)
        self._operator_paths = frozenset(route.path for route in for_operators)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or scope["path"] in self._operator_paths:
            await self._operators(scope, receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)
        else:
            await self._websocket(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        call = self._call(scope["method"], scope, Request(scope, receive))
        answer = await self._answer(call)
        await self._send(call, answer, send, kind="http.response")
        self._replica.ended(call, answer, _now_s())

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()  # the client's wish to connect
        call = self._call("GET", scope, HTTPConnection(scope))
        answer = await self._answer(call)
        self._replica.ended(call, answer, _now_s())
        if answer.status != 200:
            await self._send(call, answer, send, kind="websocket.http.response")
            return
        banner = self._parts.banner(call.level)
        headers = self._writer.headers(answer, level=call.level, priority=call.priority, banner=banner)
        await send({"type": "websocket.accept", "headers": headers})
        await send({"type": "websocket.send", "text": self._writer.body(answer, banner).decode()})
        await self._stay_live(receive, send)

    async def _stay_live(self, receive: Receive, send: Send) -> None:
        """Until the client goes, or live updates go off: then it is told to refresh instead."""
        off = self._replica.live()
        switched_off = asyncio.create_task(off.wait())
        gone = asyncio.create_task(_disconnected(receive))
        try:
            await asyncio.wait((switched_off, gone), return_when=asyncio.FIRST_COMPLETED)
            if not gone.done():
                await send({"type": "websocket.send", "text": '{"refresh":true}'})
                await send({"type": "websocket.close", "code": TRY_AGAIN_LATER, "reason": "refresh instead"})
        finally:
            self._replica.not_live(off)
            switched_off.cancel()
            gone.cancel()

    def _call(self, method: str, scope: Scope, connection: HTTPConnection) -> Call:
        now_s, level, path = _now_s(), self._replica.level, scope["path"]
        self._replica.arrived(now_s)
        return Call(
            operation_of(method, path),
            priority_of(path),
            level,
            self._replica.off(level),
            now_s,
            connection,
            deadline_s=now_s + self._parts.patience_s(connection.headers.get(deadlines.HEADER), self._deadline_s),
        )

    async def _answer(self, call: Call) -> Answer:
        try:
            return await self._parts.serve(self._replica, call)
        except PoolBusyError:
            return POOL_BUSY
        except ExpiredError:
            return TOO_LATE
        except RefusedCallError as error:  # the database's: without Redis there is always a way
            self._log("unfit", operation=call.operation, error=str(error))
            return UNFIT
        except DependencyError:
            return STORAGE_DOWN
        except Exception:  # a crash of one request must not take the replica down, and must be seen
            self._log("crashed", operation=call.operation, traceback=traceback.format_exc())
            return CRASHED

    async def _send(self, call: Call, answer: Answer, send: Send, *, kind: str) -> None:
        banner = self._parts.banner(call.level)
        body = self._writer.body(answer, banner)
        headers = self._writer.headers(answer, level=call.level, priority=call.priority, banner=banner)
        kept = cacheability.headers(call, answer, cacheability.cache_control(call, answer), now_s=time.time())
        length = (b"content-length", str(len(body)).encode())
        start: Message = {"type": f"{kind}.start", "status": answer.status, "headers": [*headers, *kept, length]}
        await send(start)
        await send({"type": f"{kind}.body", "body": body})

    @asynccontextmanager
    async def _lifespan(self, application: Starlette) -> AsyncIterator[None]:
        del application
        tasks = [
            asyncio.create_task(self._connect()),
            asyncio.create_task(self._keep_trends()),
            asyncio.create_task(self._changes.listen()),
        ]
        if self._has_peers:
            tasks.append(asyncio.create_task(self._keep_heartbeats()))
        yield
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._replica.close()
        await self._forwarder.close()
        await self._heartbeats.close()
        await self._flights.close()
        await self._backends.close()
        await self._disk.close()
        self._log("stopped")

    async def _connect(self) -> None:
        await connect_when_ready(self._postgres.connect)
        self._connected = True
        self._log("ready")

    async def _keep_trends(self) -> None:
        while True:
            if self._connected:
                with contextlib.suppress(DependencyError):
                    await self._handlers.refresh_trends()
            await asyncio.sleep(TRENDS_EVERY_S if self._connected else 0.1)

    async def _keep_heartbeats(self) -> None:
        """So that the age of counts is known without asking for each answer."""
        while True:
            if self._connected:
                with contextlib.suppress(DependencyError):
                    await self._heartbeats.heard()
            await asyncio.sleep(HEARTBEATS_EVERY_S)

    def _changed(self, text: str) -> None:
        """What was published about a user's caches."""
        announcements.hear(text, page=self._profiles.forget_page, everything=self._profiles.forget_everything)

    def _with_count_age(self, answer: Answer) -> Answer:
        """How old other regions' shares of the counts may be, where there are any."""
        if not self._has_peers:
            return answer
        return answer.also(b"x-count-age", f"{self._heartbeats.greatest_age_s():.3f}")


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "websocket.disconnect":
        pass  # what clients say is of no interest here


def _now_s() -> float:
    return time.monotonic()  # the loop's own clock only ticks in milliseconds under uvloop


def main() -> None:
    settings = api_settings()
    parts = defects.for_api(settings.place.defect, ApiParts(shed_ratio=POLICIES[settings.shedding_policy]))
    application: Any = Api(settings, parts)
    run(application, settings.place)


if __name__ == "__main__":
    main()
