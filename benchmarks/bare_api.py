"""The application of the bare chain: a home timeline out of Redis, and nothing that this job does not need.

`python -m benchmarks.bare_api HOST PORT REDIS_URL`. The same two round trips, the same posts ranked by the same rule,
and the same encoder as the reference system's API; or, at another path, the bytes of a page as they lie in Redis. There
is no token check, no slot, no level, no shedding, no breaker and no retry, nothing is counted, and no event is noted.
"""

import sys
from typing import Any

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from reference_system.data import posts as post_codec
from reference_system.data.redis_client import RedisClient
from reference_system.data.statements import PAGE
from reference_system.data.timelines import KEEP
from reference_system.policies.ranking import score
from reference_system.services.tokens import SEPARATOR

STORED = "/timeline/stored"


def application(redis_url: str) -> Starlette:
    client = RedisClient(redis_url)
    encoder = msgspec.json.Encoder()

    async def stored(request: Request) -> Response:
        user = request.headers["authorization"].removeprefix("Bearer ").partition(SEPARATOR)[0]
        (page,) = await client.run(("GET", f"page:{user}"))
        return Response(page, media_type="application/json")

    async def home(request: Request) -> Response:
        user = request.headers["authorization"].removeprefix("Bearer ").partition(SEPARATOR)[0]
        (ids,) = await client.run(("ZREVRANGE", f"home_tl:{user}", 0, KEEP - 1))
        (blobs,) = await client.run(("MGET", *(f"tweet:{post.decode()}" for post in ids)))
        newest = post_codec.newest_first(map(post_codec.decoded, blobs))[:PAGE]
        ranked = sorted(newest, key=lambda post: score(post.id, post.likes), reverse=True)
        served = [post_codec.served(post, previews=True) for post in ranked]
        return Response(encoder.encode({"posts": served}), media_type="application/json")

    return Starlette(routes=[Route("/timeline/home", home), Route(STORED, stored)])


def serve(host: str, port: int, redis_url: str) -> None:
    app: Any = application(redis_url)
    uvicorn.run(
        app,
        host=host,
        port=port,
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="critical",
        proxy_headers=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=75,
    )


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]), sys.argv[3])
