"""The processes runtime, with real servers: one region is brought up and treated badly."""

import asyncio
import os
import re
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import httpx
import msgspec
import psutil
import pytest
import redis as redis_client

from harness.errors import TargetError
from harness.target import process_tree
from harness.target.links import LinkAddresses, ensure_links
from harness.target.processes import attach, up
from harness.target.processes_target import ProcessesTarget
from harness.target.running_target import Exit
from tests.harness.target.a_region import LOOPBACK, SPEC, SPEC_PATH, ask, is_open, pids_of, until

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

REDIS_LINK = "here.api->here.redis"
POSTGRES_LINK = "here.api->here.postgres"


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ProcessesTarget]:
    running = asyncio.run(up(SPEC, SPEC_PATH, state_dir=tmp_path_factory.mktemp("state"), loopback=LOOPBACK))
    try:
        yield running
    finally:
        asyncio.run(running.down())


@pytest.fixture
def whole(target: ProcessesTarget) -> Iterator[ProcessesTarget]:
    """The target, made whole again after a test that breaks something."""
    yield target
    for service in SPEC.services:
        asyncio.run(target.resume(service))
        asyncio.run(target.start(service))


def seen_by(replica: str) -> dict[str, int]:
    return dict(ask("/seen", port=SPEC.services[replica].port)[2])


# --- what is up -----------------------------------------------------------------------------------------------------


def test_everything_is_healthy_once_up_has_returned(target: ProcessesTarget) -> None:
    rows = asyncio.run(target.status())

    assert {row.service for row in rows} == set(SPEC.services)
    assert all(
        row.healthy and row.state == "running" and row.where.startswith("pid ") and row.memory_bytes > 1_000_000
        for row in rows
    )
    assert target.exited() == {}


def test_requests_go_through_edge_link_and_gateway_to_every_replica(target: ProcessesTarget) -> None:
    answers = [ask("/timeline/home") for _ in range(4)]

    assert {status for status, _, _ in answers} == {200}
    assert {headers["x-served-by"] for _, headers, _ in answers} == {"api-1", "api-2"}


def test_the_edge_has_a_page_to_look_at(target: ProcessesTarget) -> None:
    status, headers, _ = ask("/")

    assert (status, headers["content-type"]) == (200, "text/html")


@pytest.mark.parametrize("path", ["/x", "/metrics", "/healthz", "/seen", "/trending/x", "/notificationsx", "/authx"])
def test_only_public_routes_are_reachable_from_outside(target: ProcessesTarget, path: str) -> None:
    assert ask(path)[0] == 404


@pytest.mark.parametrize(
    "path",
    [
        *("/auth/login", "/tweets/create", "/timeline/home", "/users/1/profile", "/notifications", "/search/posts?q=a"),
        *("/explore/x", "/trending", "/suggestions/users", "/realtime"),
    ],
)
def test_every_public_route_reaches_a_replica_unchanged(target: ProcessesTarget, path: str) -> None:
    assert ask(path)[2]["path"] == path


def test_a_websocket_is_upgraded_all_the_way(target: ProcessesTarget) -> None:
    with socket.create_connection(target.address("edge"), timeout=5) as connection:
        connection.sendall(
            b"GET /realtime HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        answer = b""
        while chunk := connection.recv(4096):
            answer += chunk

    assert answer.startswith(b"HTTP/1.1 101 ")
    assert answer.endswith(b"first frame")


def test_an_ordinary_request_is_not_turned_into_an_upgrade(target: ProcessesTarget) -> None:
    assert ask("/realtime")[2]["upgrade"] is None


@pytest.mark.parametrize(("method", "times_sent"), [("POST", 1), ("GET", 2)])
def test_a_write_that_may_have_happened_is_never_sent_again(
    target: ProcessesTarget, method: str, times_sent: int
) -> None:
    path = f"/tweets/create?vanish={method}"

    status, headers, _ = ask(path, method=method)

    counts = [seen_by(replica).get(f"{method} {path}", 0) for replica in ("api-1", "api-2")]
    assert sum(counts) == times_sent
    assert status == 502
    assert "x-shed" not in headers


# --- links ----------------------------------------------------------------------------------------------------------


def test_links_exist_as_declared(target: ProcessesTarget) -> None:
    found = httpx.get(f"{target.toxiproxy_url(REDIS_LINK)}/proxies", trust_env=False).json()

    assert {name: (link["listen"], link["upstream"]) for name, link in found.items()} == {
        "edge->here.gateway": (f"{LOOPBACK}:21001", f"{LOOPBACK}:21080"),
        REDIS_LINK: (f"{LOOPBACK}:21002", f"{LOOPBACK}:21379"),
        POSTGRES_LINK: (f"{LOOPBACK}:21003", f"{LOOPBACK}:21432"),
    }
    assert target.link_address(REDIS_LINK) == (LOOPBACK, 21002)


def test_a_link_that_exists_keeps_what_is_on_it(target: ProcessesTarget) -> None:
    url = target.toxiproxy_url(REDIS_LINK)
    toxic = {"name": "slow", "type": "latency", "attributes": {"latency": 1}}
    httpx.post(f"{url}/proxies/{REDIS_LINK}/toxics", json=toxic, trust_env=False).raise_for_status()

    asyncio.run(target.start("toxiproxy"))

    toxics = httpx.get(f"{url}/proxies/{REDIS_LINK}/toxics", trust_env=False).json()
    httpx.delete(f"{url}/proxies/{REDIS_LINK}/toxics/slow", trust_env=False).raise_for_status()
    assert [found["name"] for found in toxics] == ["slow"]


def test_a_link_that_leads_elsewhere_is_refused_and_not_changed(target: ProcessesTarget) -> None:
    elsewhere = {REDIS_LINK: LinkAddresses(listen=f"{LOOPBACK}:21002", upstream=f"{LOOPBACK}:1")}

    with pytest.raises(TargetError, match=re.escape(f"declared is from {LOOPBACK}:21002 to {LOOPBACK}:1.")):
        asyncio.run(ensure_links(target.toxiproxy_url(REDIS_LINK), elsewhere))
    test_links_exist_as_declared(target)


def test_a_toxiproxy_that_was_killed_has_its_links_again_after_its_start(whole: ProcessesTarget) -> None:
    asyncio.run(whole.kill("toxiproxy"))
    assert not is_open(21002)

    asyncio.run(whole.start("toxiproxy"))

    test_links_exist_as_declared(whole)
    assert ask("/timeline/home")[0] == 200


# --- kill, start, stop ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("service", SPEC.services)
def test_every_service_can_be_killed_and_started_again(whole: ProcessesTarget, service: str) -> None:
    before = whole.identity(service)
    assert before is not None
    family = process_tree.members(before)

    asyncio.run(whole.kill(service))
    assert whole.identity(service) is None
    assert not is_open(SPEC.services[service].port)
    assert not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in family)
    assert not asyncio.run(whole.is_healthy(service))

    asyncio.run(whole.start(service))
    assert whole.identity(service) not in (None, before)
    assert asyncio.run(whole.is_healthy(service))


@pytest.mark.parametrize("service", SPEC.services)
def test_every_service_stops_when_asked_and_starts_again(whole: ProcessesTarget, service: str) -> None:
    asyncio.run(whole.stop(service))
    assert not is_open(SPEC.services[service].port)

    asyncio.run(whole.start(service))
    assert asyncio.run(whole.is_healthy(service))


def test_with_one_replica_dead_nobody_notices_and_with_both_the_gateway_says_502(whole: ProcessesTarget) -> None:
    asyncio.run(whole.kill("api-1"))
    with_one = [ask("/timeline/home") for _ in range(20)] + [ask("/tweets/create", method="POST") for _ in range(20)]
    asyncio.run(whole.kill("api-2"))
    status, headers, _ = ask("/timeline/home")

    assert {(answer[0], answer[1]["x-served-by"]) for answer in with_one} == {(200, "api-2")}
    assert status == 502
    assert "x-shed" not in headers


def test_what_postgres_has_acknowledged_survives_its_death(whole: ProcessesTarget) -> None:
    async def write() -> None:
        connection = await asyncpg.connect(_dsn(whole))
        await connection.execute("CREATE TABLE IF NOT EXISTS kept (word text)")
        await connection.execute("INSERT INTO kept VALUES ('acknowledged')")
        await whole.kill("postgres")  # with a client connected
        connection.terminate()

    async def read() -> str:
        connection = await asyncpg.connect(_dsn(whole))
        try:
            return str(await connection.fetchval("SELECT word FROM kept"))
        finally:
            await connection.close()

    asyncio.run(write())
    asyncio.run(whole.start("postgres"))

    assert asyncio.run(read()) == "acknowledged"


def test_applications_are_no_superusers_of_postgres(target: ProcessesTarget) -> None:
    async def run_a_program() -> None:
        connection = await asyncpg.connect(_dsn(target))
        try:
            await connection.execute("COPY (SELECT 1) TO PROGRAM 'true'")
        finally:
            await connection.close()

    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        asyncio.run(run_a_program())


def test_a_killed_redis_comes_back_empty(whole: ProcessesTarget) -> None:
    host, port = whole.link_address(REDIS_LINK)
    with redis_client.Redis(host=host, port=port) as cache:
        cache.set("home_tl:user-1", "1,2,3")

    asyncio.run(whole.kill("redis"))
    asyncio.run(whole.start("redis"))

    with redis_client.Redis(host=host, port=port) as cache:
        assert cache.get("home_tl:user-1") is None


def test_actions_may_be_repeated(whole: ProcessesTarget) -> None:
    async def each_twice() -> None:
        for act in (whole.start, whole.resume, whole.kill, whole.kill, whole.stop, whole.resume):
            await act("api-1")
        with pytest.raises(TargetError, match="api-1 cannot be paused: it does not run"):
            await whole.pause("api-1")
        for act in (whole.start, whole.start, whole.pause, whole.pause, whole.resume, whole.resume):
            await act("api-1")

    asyncio.run(each_twice())

    assert asyncio.run(whole.is_healthy("api-1"))


def test_a_service_that_the_target_does_not_run_is_named(target: ProcessesTarget) -> None:
    with pytest.raises(TargetError, match='runs no service "api-3"; it runs edge, gateway'):
        target.identity("api-3")


# --- pause and resume -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("service", SPEC.services)
def test_a_paused_service_is_frozen_with_all_its_children_and_goes_on_as_the_same(
    whole: ProcessesTarget, service: str
) -> None:
    identity = whole.identity(service)
    assert identity is not None

    asyncio.run(whole.pause(service))
    assert {process.status() for process in process_tree.members(identity)} == {psutil.STATUS_STOPPED}
    assert not asyncio.run(whole.is_healthy(service))
    assert whole.identity(service) == identity
    assert is_open(SPEC.services[service].port), "a frozen server still accepts connections"

    asyncio.run(whole.resume(service))
    assert whole.identity(service) == identity
    assert asyncio.run(whole.is_healthy(service))


def test_a_paused_service_can_be_stopped(whole: ProcessesTarget) -> None:
    asyncio.run(whole.pause("gateway"))

    asyncio.run(whole.stop("gateway"))

    assert whole.identity("gateway") is None


# --- what others do -------------------------------------------------------------------------------------------------


def test_a_death_behind_our_back_is_noticed_and_our_own_doing_is_not(whole: ProcessesTarget) -> None:
    asyncio.run(whole.kill("api-2"))
    victim = whole.identity("api-1")
    assert victim is not None
    os.kill(victim.pid, signal.SIGKILL)
    until(lambda: whole.identity("api-1") is None, "api-1 is dead")

    assert whole.exited() == {"api-1": Exit(detail="was ended by SIGKILL")}


def test_another_process_may_start_a_service_and_say_so(whole: ProcessesTarget) -> None:
    """As the guard does, with nothing but the start command."""
    asyncio.run(whole.kill("api-1"))
    command = whole.start_command("api-1")
    assert command.identity_path
    with Path(command.log_path).open("ab") as log:
        pid = os.posix_spawn(
            command.argv[0],
            [command.argv[0], str(Path(command.cwd) / command.argv[1])],
            {**os.environ, **command.env},
            file_actions=[(os.POSIX_SPAWN_DUP2, log.fileno(), 1)],
            setsid=True,
        )
    identity = process_tree.identity_of(pid)
    assert identity is not None
    path = Path(command.identity_path)
    path.write_bytes(msgspec.json.encode({**msgspec.json.decode(path.read_bytes()), "api-1": identity}))

    assert whole.identity("api-1") == identity
    asyncio.run(whole.until_ready("api-1"))
    asyncio.run(whole.kill("api-1"))
    assert whole.identity("api-1") is None


def test_a_second_look_from_the_state_folder_sees_the_same_processes(target: ProcessesTarget) -> None:
    again = attach(SPEC, target._folder.folder)

    assert pids_of(again) == pids_of(target)
    assert again.exited() == {}
    assert again.is_up
    assert again.defect is None


def test_a_second_target_in_the_same_state_folder_is_refused(target: ProcessesTarget) -> None:
    with pytest.raises(TargetError, match=r"A target is up in .*: stop it with `gameday down`"):
        asyncio.run(up(SPEC, SPEC_PATH, state_dir=target._folder.folder, loopback="127.0.0.1"))
    assert asyncio.run(target.is_healthy("edge"))


def test_ports_in_use_are_refused_before_anything_starts_and_their_owners_are_named(
    target: ProcessesTarget, tmp_path: Path
) -> None:
    owner = target.identity("redis")
    assert owner is not None

    with pytest.raises(TargetError) as refusal:
        asyncio.run(up(SPEC, SPEC_PATH, state_dir=tmp_path / "state", loopback=LOOPBACK))

    assert f"{LOOPBACK}:21379 (wanted by redis) is held by process {owner.pid} (" in str(refusal.value)
    assert 'wanted by the link "edge->here.gateway"' in str(refusal.value)
    assert not (tmp_path / "state").exists()


def _dsn(target: ProcessesTarget) -> str:
    host, port = target.link_address(POSTGRES_LINK)
    return f"postgresql://postgres@{host}:{port}/postgres"
