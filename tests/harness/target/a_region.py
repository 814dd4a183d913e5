"""A small region to try the target with: real servers, stand-ins for the API replicas."""

import http.client
import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness.loader import load_target
from harness.target.processes_target import ProcessesTarget
from tests.loopback import loopback

LOOPBACK = loopback(12)
REGION = Path(__file__).parent / "region"
SPEC_PATH = REGION / "target.yaml"
SPEC = load_target(SPEC_PATH)
WITHIN_S = 10.0


def ask(path: str, *, port: int = 20080, method: str = "GET") -> tuple[int, dict[str, str], Any]:
    """Status, headers and body (decoded where it is JSON) of one request on a connection of its own."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=WITHIN_S)
    try:
        connection.request(method, path, body=b"{}" if method == "POST" else None)
        answer = connection.getresponse()
        content, headers = answer.read(), {name.lower(): value for name, value in answer.getheaders()}
    finally:
        connection.close()
    try:
        return answer.status, headers, json.loads(content)
    except ValueError:
        return answer.status, headers, content.decode()


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex((LOOPBACK, port)) == 0


def until(condition: Callable[[], object], what: str) -> None:
    """Wait for another process; AssertionError with the words where it does not happen."""
    deadline = time.monotonic() + WITHIN_S
    while not condition():
        assert time.monotonic() < deadline, f"not within {WITHIN_S:g} s: {what}"
        time.sleep(0.01)


def pids_of(target: ProcessesTarget) -> set[int]:
    identities = (target.identity(service) for service in target.spec.services)
    return {identity.pid for identity in identities if identity}


def starter(state_dir: Path) -> subprocess.Popen[bytes]:
    """Another process that brings the region up and then waits, holding on to it."""
    program = f"""
import asyncio, pathlib
from harness.target.processes import up
from tests.harness.target.a_region import LOOPBACK, SPEC, SPEC_PATH
async def main():
    await up(SPEC, SPEC_PATH, state_dir=pathlib.Path({str(state_dir)!r}), loopback=LOOPBACK)
    print("up", flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""
    return subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
