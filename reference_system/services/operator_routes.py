"""What an API replica answers to those who operate the system: whether it is up, its metrics, how its region does, and
the controller's instructions.
"""

from collections.abc import Callable, Mapping

import msgspec
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from reference_system.data.heartbeats import Heartbeats
from reference_system.services import exchange, region_health
from reference_system.services.operator_app import METRICS_TYPE
from reference_system.services.region_health import ReportedLag
from reference_system.services.replica import Replica

PROXY_HEADER = "x-forwarded-for"  # the gateway sets it; the controller comes directly


class OperatorRoutes:
    """`identity` are the headers that say who answers, `is_connected` whether the database has been reached."""

    def __init__(
        self,
        replica: Replica,
        *,
        heartbeats: Heartbeats,
        reported_lag: ReportedLag,
        identity: Mapping[str, str],
        is_connected: Callable[[], bool],
        now_s: Callable[[], float],
    ) -> None:
        self._replica = replica
        self._heartbeats = heartbeats
        self._reported_lag = reported_lag
        self._identity = identity
        self._is_connected = is_connected
        self._now_s = now_s

    def routes(self) -> list[Route]:
        return [
            Route("/healthz", self._healthz),
            Route("/metrics", self._metrics),
            Route(region_health.PATH, self._region_health),
            Route(exchange.PATH, self._exchange, methods=["POST"]),
        ]

    async def _healthz(self, request: Request) -> Response:
        del request
        if not self._is_connected():
            return PlainTextResponse("starting", status_code=503, headers=self._identity)
        return PlainTextResponse("ok", headers=self._identity)

    async def _metrics(self, request: Request) -> Response:
        del request
        return Response(self._replica.metrics(self._now_s()), media_type=METRICS_TYPE, headers=self._identity)

    async def _region_health(self, request: Request) -> Response:
        """For the edge and for other regions, through the gateway."""
        del request
        health = None
        if self._is_connected():
            seen = self._replica.served_lately(region_health.WINDOW_S, self._now_s())
            health = await region_health.ask(self._heartbeats, seen, self._reported_lag)
        if health is None:
            return PlainTextResponse("the database does not answer", status_code=503, headers=self._identity)
        return Response(msgspec.json.encode(health), media_type="application/json", headers=self._identity)

    async def _exchange(self, request: Request) -> Response:
        if PROXY_HEADER in request.headers:
            return PlainTextResponse("not for the public", status_code=404, headers=self._identity)
        try:
            instruction = msgspec.json.decode(await request.body(), type=exchange.Instruction)
        except msgspec.DecodeError as error:
            return PlainTextResponse(str(error), status_code=400, headers=self._identity)
        observations = self._replica.exchange(instruction, self._now_s())
        return Response(msgspec.json.encode(observations), media_type="application/json", headers=self._identity)
