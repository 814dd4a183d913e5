"""The edge in front of four regions: a real nginx and its agent, before gateways that can be made ill."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from reference_system.policies.regions import Region
from reference_system.policies.user_share import in_share
from tests.loopback import loopback

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

HOST = loopback(13)
PORT = 23080
CLIENT = httpx.Client(trust_env=False)  # one for all: making one takes longer than a step of the ramp
USERS = [f"user-{number}" for number in range(1, 41)]


class Gateway(ThreadingHTTPServer):
    """A region's gateway that says which region it is; silent or with a late replication when told so."""

    daemon_threads = True

    def __init__(self, region: Region) -> None:
        super().__init__((HOST, 0), Handler)
        self.region = region
        self.down = False
        self.lag_s = 0.1
        self.headers: dict[str, str] = {}

    def handle_error(self, request: object, client_address: object) -> None:
        """Quiet: nginx closes connections when it ends."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 4096  # one packet an answer: the second of two would wait for the first one's acknowledgement
    server: Gateway

    def do_GET(self) -> None:
        if self.server.down:
            self.connection.close()
            self.close_connection = True
            return
        others = {str(other): self.server.lag_s for other in Region if other is not self.server.region}
        of_the_agent = {"/region/health": {"lag_s": others}, "/gateway/changed": {}}
        body = json.dumps(of_the_agent.get(self.path, {"region": self.server.region}))
        if self.path not in of_the_agent:
            self.server.headers = dict(self.headers.items())
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@pytest.fixture
def regions() -> Iterator[dict[Region, Gateway]]:
    gateways = {region: Gateway(region) for region in Region}
    for gateway in gateways.values():
        threading.Thread(target=gateway.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield gateways
    for gateway in gateways.values():
        gateway.shutdown()
        gateway.server_close()


@pytest.fixture
def edge(regions: dict[Region, Gateway], tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    with started(regions, tmp_path, starting_for_s=0.0) as process:
        until(lambda: asked("europe", "user-1") == "europe")
        yield process


@contextlib.contextmanager
def started(
    regions: dict[Region, Gateway], tmp_path: Path, *, starting_for_s: float
) -> Iterator[subprocess.Popen[bytes]]:
    gateways = ",".join(f"{region}={HOST}:{gateway.server_address[1]}" for region, gateway in regions.items())
    environment = {
        **os.environ,
        **{"SERVICE": "edge", "HOST": HOST, "PORT": str(PORT), "DATA": str(tmp_path), "GATEWAYS": gateways},
        **{"PROBE_INTERVAL_S": "0.1", "HOLD_DOWN_S": "0.5", "HOLD_S": "0.6", "STARTING_FOR_S": str(starting_for_s)},
    }
    tmp_path.chmod(0o755)
    log = (tmp_path / "log").open("wb")
    process = subprocess.Popen(
        [sys.executable, "-m", "reference_system.services.edge"], env=environment, stdout=log, stderr=subprocess.STDOUT
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGCONT)
        process.terminate()
        ended = process.wait(timeout=10)
        log.close()
    assert ended == 0, (tmp_path / "log").read_text()
    with pytest.raises(httpx.ConnectError):
        CLIENT.get(f"http://{HOST}:{PORT}/edge/health")


def asked(region: str, user: str) -> str | None:
    """The region that serves a user who is in a region."""
    headers = {"X-Client-Region": region, "Authorization": f"Bearer {user}~europe.0a1b"}
    with contextlib.suppress(httpx.TransportError):
        answer = CLIENT.get(f"http://{HOST}:{PORT}/timeline/home", headers=headers)
        if answer.status_code == 200:
            return str(answer.json()["region"])
    return None


def until(holds: Callable[[], bool], *, within_s: float = 10.0) -> None:
    deadline_s = time.monotonic() + within_s
    while not holds():
        assert time.monotonic() < deadline_s, "it has not come true in time"
        time.sleep(0.02)


def metric(name: str, region: str) -> float:
    text = CLIENT.get(f"http://{HOST}:{PORT}/edge/metrics").text
    return next(float(line.split()[-1]) for line in text.splitlines() if line.startswith(f'{name}{{region="{region}"'))


def test_every_user_is_sent_to_the_region_where_they_are(
    edge: subprocess.Popen[bytes], regions: dict[Region, Gateway]
) -> None:
    assert {region: asked(region, "user-7") for region in Region} == {region: region for region in Region}
    assert asked("atlantis", "user-7") == "us-east", "who is nowhere is in the first region"
    assert regions[Region.EUROPE].headers["X-Healthy-Regions"] == "us-east,us-west,europe,asia-pacific"


def test_a_region_that_starts_later_than_the_edge_has_not_failed(
    regions: dict[Region, Gateway], tmp_path: Path
) -> None:
    regions[Region.EUROPE].down = True
    with started(regions, tmp_path, starting_for_s=60.0):
        until(lambda: asked("us-east", "user-1") == "us-east")
        until(lambda: "edge_region_share{" in CLIENT.get(f"http://{HOST}:{PORT}/edge/metrics").text)  # it has looked
        time.sleep(1.0)  # ten probes, three would do
        assert metric("edge_region_share", "europe") == 1
        regions[Region.EUROPE].down = False
        until(lambda: asked("europe", "user-1") == "europe", within_s=2.0)
        time.sleep(0.5)  # a few probes
        regions[Region.EUROPE].down = True
        until(lambda: asked("europe", "user-1") == "us-east")  # once it was well it can fail


def test_an_edge_that_is_started_again_knows_which_region_is_away(
    edge: subprocess.Popen[bytes], regions: dict[Region, Gateway], tmp_path: Path
) -> None:
    regions[Region.EUROPE].down = True
    until(lambda: asked("europe", "user-1") == "us-east")
    edge.terminate()
    edge.wait(timeout=10)
    with started(regions, tmp_path, starting_for_s=60.0):
        until(lambda: asked("us-east", "user-1") == "us-east")
        until(lambda: "edge_region_share{" in CLIENT.get(f"http://{HOST}:{PORT}/edge/metrics").text)  # it has looked
        assert metric("edge_region_healthy", "europe") == 0
        assert asked("europe", "user-1") == "us-east"


def test_a_lost_regions_users_go_to_its_stand_in_and_come_back_in_steps(
    edge: subprocess.Popen[bytes], regions: dict[Region, Gateway]
) -> None:
    regions[Region.EUROPE].down = True
    until(lambda: asked("europe", "user-1") == "us-east")
    assert {asked(region, "user-1") for region in ("us-west", "asia-pacific")} == {"us-west", "asia-pacific"}
    until(lambda: metric("edge_region_healthy", "europe") == 0)
    assert asked("us-west", "user-1") == "us-west"
    assert regions[Region.US_WEST].headers["X-Writing-Regions"] == "us-east,us-west,asia-pacific"

    regions[Region.EUROPE].down = False
    seen: list[float] = []

    def is_whole_again() -> bool:
        share = metric("edge_region_share", "europe")
        if share not in seen:
            seen.append(share)
            if share == 0.25:
                served = Counter(asked("europe", user) for user in USERS)
                if metric("edge_region_share", "europe") == 0.25:  # else the step was over meanwhile
                    inside = sum(in_share(user, 0.25) for user in USERS)
                    assert served == {"europe": inside, "us-east": len(USERS) - inside}
        return share == 1.0

    until(is_whole_again)
    assert seen == [0.0, 0.01, 0.1, 0.25, 0.5, 1.0]


def test_a_region_whose_replication_lags_gets_nobody_back(
    edge: subprocess.Popen[bytes], regions: dict[Region, Gateway]
) -> None:
    regions[Region.EUROPE].down = True
    until(lambda: asked("europe", "user-1") == "us-east")

    regions[Region.EUROPE].lag_s = 30.0
    regions[Region.EUROPE].down = False
    until(lambda: metric("edge_region_healthy", "europe") == 1)
    time.sleep(2.0)  # four hold-downs: long enough to see that nothing happens
    assert metric("edge_region_share", "europe") == 0

    regions[Region.EUROPE].lag_s = 0.1
    until(lambda: metric("edge_region_share", "europe") == 1)


def test_requests_need_no_agent(edge: subprocess.Popen[bytes], regions: dict[Region, Gateway]) -> None:
    regions[Region.ASIA_PACIFIC].down = True
    until(lambda: asked("asia-pacific", "user-1") == "us-west")

    edge.send_signal(signal.SIGSTOP)

    assert asked("asia-pacific", "user-1") == "us-west", "it serves by what it was last told"
    assert asked("europe", "user-1") == "europe"


def test_the_public_cannot_say_what_only_the_edge_and_regions_may(
    edge: subprocess.Popen[bytes], regions: dict[Region, Gateway]
) -> None:
    claims = {"X-Forwarded-Region": "us-west", "X-Healthy-Regions": "us-west", "X-Writing-Regions": "us-west"}
    CLIENT.get(f"http://{HOST}:{PORT}/timeline/home", headers={"X-Client-Region": "europe", **claims})

    heard = regions[Region.EUROPE].headers
    assert "X-Forwarded-Region" not in heard
    assert {heard["X-Healthy-Regions"], heard["X-Writing-Regions"]} == {"us-east,us-west,europe,asia-pacific"}
    assert CLIENT.get(f"http://{HOST}:{PORT}/region/health").status_code == 404


@pytest.mark.parametrize(("said", "passed_on"), [(None, "8000"), ("1500", "1500"), ("8001", "8000"), ("soon", "8000")])
def test_a_client_may_wait_for_less_than_the_edge_and_not_for_more(
    edge: subprocess.Popen[bytes], regions: dict[Region, Gateway], said: str | None, passed_on: str
) -> None:
    said_so = {} if said is None else {"X-Deadline": said}
    CLIENT.get(f"http://{HOST}:{PORT}/timeline/home", headers={"X-Client-Region": "europe", **said_so})

    assert regions[Region.EUROPE].headers["X-Deadline"] == passed_on


def test_the_public_cannot_change_where_users_go(edge: subprocess.Popen[bytes]) -> None:
    answer = CLIENT.post(
        f"http://{HOST}:{PORT}/decisions", json={"europe": "0 us-west"}, headers={"X-Client-Region": "europe"}
    )

    assert answer.status_code != 204
    assert asked("europe", "user-1") == "europe"
