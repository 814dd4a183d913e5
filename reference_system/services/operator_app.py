"""The small application that the worker and the controller serve: /healthz and /metrics beside their loop."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Protocol

from prometheus_client import CollectorRegistry, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Loop(Protocol):
    """What a service does besides answering: `work` runs until it is cancelled."""

    @property
    def healthy(self) -> bool: ...

    async def work(self) -> None: ...


def operator_app(loop: Loop, registry: CollectorRegistry, *, routes: Sequence[Route] = ()) -> Starlette:
    async def healthz(request: Request) -> Response:
        del request
        return PlainTextResponse("ok", status_code=200) if loop.healthy else PlainTextResponse("not", status_code=503)

    async def metrics(request: Request) -> Response:
        del request
        return Response(generate_latest(registry), media_type=METRICS_TYPE)

    @asynccontextmanager
    async def lifespan(application: Starlette) -> AsyncIterator[None]:
        del application
        work = asyncio.create_task(loop.work())
        work.add_done_callback(_stop_the_service_if_it_failed)
        yield
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)

    return Starlette(routes=[Route("/healthz", healthz), Route("/metrics", metrics), *routes], lifespan=lifespan)


def _stop_the_service_if_it_failed(work: asyncio.Task[None]) -> None:
    """A service whose work has crashed must not go on looking healthy; asyncio prints the traceback."""
    if not work.cancelled() and (error := work.exception()) is not None:
        asyncio.get_running_loop().call_exception_handler({"message": "the service's work crashed", "exception": error})
        os.kill(os.getpid(), signal.SIGTERM)
