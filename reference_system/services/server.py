"""Runs an ASGI application under uvicorn, the same way for every service."""

import gc
from typing import Any

import uvicorn

from reference_system.services.log import Log, take_over_logging
from reference_system.services.settings import Place

STOP_WITHIN_S = 1  # answers still under way after SIGTERM get this long


def run(application: Any, place: Place) -> None:
    """Serve until SIGTERM or SIGINT."""
    take_over_logging(Log(place.service))
    gc.freeze()  # what exists now lives for ever; collections need not look at it
    uvicorn.run(
        application,
        host=place.host,
        port=place.port,
        loop="uvloop",
        http="httptools",
        ws="websockets-sansio",
        lifespan="on",
        access_log=False,
        proxy_headers=False,  # a layer that every request would pay for
        log_config=None,
        log_level="warning",
        server_header=False,
        date_header=False,
        backlog=2048,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=STOP_WITHIN_S,
    )
