"""What the gateway and the edge keep of answers: real nginx before a replica that says what may be kept."""

import contextlib
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from tests.loopback import loopback
from tests.reference_system import servers

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

HOST = loopback(63)
CLIENT = httpx.Client(trust_env=False, timeout=10)
PUBLIC = "public, s-maxage=60"
PROFILE = "/users/user-1/profile"


class Replica(ThreadingHTTPServer):
    """Answers with a number that is new each time; `said` is its Cache-Control, `takes_s` how long it thinks."""

    daemon_threads = True
    request_queue_size = 100

    def __init__(self) -> None:
        super().__init__((HOST, 0), Handler)
        self.said = PUBLIC
        self.status = 200
        self.takes_s = 0.0
        self.made_before_s = 0.0
        self.answered: list[str] = []  # methods
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 4096
    server: Replica

    def do_GET(self) -> None:
        replica = self.server
        if self.path == "/region/health":  # the edge's agent, at any time
            self.send_error(503)
            return
        replica.answered.append(self.command)
        body = f'{{"number":{len(replica.answered)}}}'
        time.sleep(replica.takes_s)
        self.send_response(replica.status)
        for name, value in {
            "Content-Length": str(len(body)),
            "Cache-Control": replica.said,
            "X-Served-By": "us-east-api-1",
            "X-Region": "us-east",
            "X-Degradation-Level": "1",
            "X-Degraded-Banner": "limited",
            "X-Cache": "built",
            "X-Made-At": f"{time.time() - replica.made_before_s:.3f}",
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body.encode())

    def do_PUT(self) -> None:
        self.do_GET()

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@dataclass(frozen=True, kw_only=True)
class Layer:
    """One nginx, and the replica that is asked behind it."""

    name: str
    url: str
    replica: Replica

    def get(self, path: str = PROFILE, **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return CLIENT.get(f"{self.url}{path}", headers=named)

    def number(self, path: str = PROFILE, **headers: str) -> int:
        return int(self.get(path, **headers).json()["number"])

    def counted(self, result: str) -> float:
        text = CLIENT.get(f"{self.url}/{self.name}/metrics").text
        found = re.search(rf'^cache_requests_total{{layer="{self.name}",result="{result}"}} (\d+)$', text, re.MULTILINE)
        assert found is not None, text
        return float(found[1])


@pytest.fixture(scope="module", autouse=True)
def client() -> Iterator[None]:
    yield
    CLIENT.close()


@pytest.fixture
def replica() -> Iterator[Replica]:
    server = Replica()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def folder() -> Iterator[Path]:
    """One that nginx' worker may pass through, who is nobody where the tests are root."""
    with tempfile.TemporaryDirectory(prefix="reference-nginx-") as made:
        Path(made).chmod(0o755)
        yield Path(made)


@pytest.fixture
def gateway(replica: Replica, folder: Path) -> Iterator[Layer]:
    with in_front_of(replica, folder) as layer:
        yield layer


@contextlib.contextmanager
def in_front_of(replica: Replica, folder: Path, defect: str = "") -> Iterator[Layer]:
    replicas = f"{HOST}:{replica.server_address[1]}"
    where = {"REGION": "us-east", "REPLICAS": replicas, "DEFECT": defect}
    with launched(folder, "nginx", SERVICE="us-east-gateway", **where) as url:
        yield Layer(name="gateway", url=url, replica=replica)


@pytest.fixture
def edge(gateway: Layer, folder: Path) -> Iterator[Layer]:
    with before(gateway, folder) as layer:
        yield layer


@contextlib.contextmanager
def before(gateway: Layer, folder: Path, defect: str = "") -> Iterator[Layer]:
    address = gateway.url.removeprefix("http://")
    where = {"REGIONS": "us-east", "GATEWAYS": f"us-east={address}", "DEFECT": defect}
    with launched(folder, "edge", SERVICE="edge", **where) as url:
        yield Layer(name="edge", url=url, replica=gateway.replica)


@contextlib.contextmanager
def launched(folder: Path, launcher: str, **environment: str) -> Iterator[str]:
    port = servers.free_port(HOST)
    place = {"HOST": HOST, "PORT": str(port), "DATA": str(folder), **environment}
    command = [sys.executable, "-m", f"reference_system.services.{launcher}"]
    with (folder / f"{launcher}.log").open("wb") as log:
        process = subprocess.Popen(command, env={**os.environ, **place}, stdout=log, stderr=log)
    try:
        servers.wait_until_open(port, HOST)
        yield f"http://{HOST}:{port}"
    finally:
        servers.stop(process)


@pytest.fixture(params=["gateway", "edge"])
def layer(request: pytest.FixtureRequest) -> Layer:
    """Each of the two. What is asked is the same, and behind the edge there is a gateway that keeps things, too."""
    found: Layer = request.getfixturevalue(request.param)
    return found


@pytest.mark.parametrize("path", [PROFILE, "/trending"])
def test_what_anybody_may_see_is_kept_and_says_who_had_it_and_how_old_it_is(layer: Layer, path: str) -> None:
    layer.replica.made_before_s = 7.0
    first, second = layer.get(path), layer.get(path)

    assert first.headers["x-cache"] == "built"
    assert (first.headers["x-degradation-level"], first.headers["x-degraded-banner"]) == ("1", "limited")
    assert (second.json(), len(layer.replica.answered)) == (first.json(), 1)
    assert second.headers["x-cache"] == layer.name
    assert second.headers["x-served-by"] == {"edge": "edge", "gateway": "us-east-gateway"}[layer.name]
    assert second.headers["x-region"] == "us-east"
    assert 7 <= int(second.headers["age"]) <= 9
    assert not {"x-degradation-level", "x-degraded-banner"} & {*second.headers}, "nobody knows what is in force now"
    assert [layer.counted(result) for result in ("miss", "hit", "stale")] == [1, 1, 0]


@pytest.mark.parametrize("header", ["Authorization", "X-Read-After"])
def test_who_says_who_they_are_or_that_they_wrote_is_answered_by_the_api(layer: Layer, header: str) -> None:
    layer.get()
    personal = {header: "Bearer user-1~us-east.0a"}

    assert [layer.number(**personal), layer.number(**personal), layer.number()] == [2, 3, 1]
    assert layer.counted("miss") + layer.counted("hit") == 2, "the others were not looked up"


def test_another_regions_request_is_answered_by_the_api(gateway: Layer) -> None:
    gateway.get()

    assert [gateway.number(X_Forwarded_Region="us-west"), gateway.number()] == [2, 1]


@pytest.mark.parametrize(
    ("said", "status", "path"),
    [
        ("no-store", 200, PROFILE),
        ("private, no-cache", 200, PROFILE),
        ("no-store", 503, PROFILE),
        ("no-store", 404, PROFILE),
        (PUBLIC, 200, "/search/posts"),
        (PUBLIC, 200, "/users/user-1/posts"),
    ],
)
def test_nothing_else_is_kept(layer: Layer, said: str, status: int, path: str) -> None:
    layer.replica.said, layer.replica.status = said, status

    assert [layer.number(path), layer.number(path)] == [1, 2]


def asked_at_once(layer: Layer) -> list[tuple[int, float]]:
    """Twenty times: the answer's number, and how long it took."""

    def ask(_: int) -> tuple[int, float]:
        asked_s = time.monotonic()
        return layer.number(), time.monotonic() - asked_s

    with ThreadPoolExecutor(20) as pool:
        return list(pool.map(ask, range(20)))


def test_one_asks_for_all_who_miss_at_once_and_they_wait_for_a_tenth_of_a_second(layer: Layer) -> None:
    layer.replica.takes_s = 0.05
    quick = [number for number, took_s in asked_at_once(layer) if took_s < 0.1]

    assert set(quick) <= {1}
    assert layer.number() == 1


def test_what_is_not_kept_is_not_asked_for_one_after_the_other(layer: Layer) -> None:
    """Waiting for each other would be in vain: nobody is given what another one was."""
    layer.replica.said, layer.replica.takes_s = "no-store", 0.02
    numbers, took_s = zip(*asked_at_once(layer), strict=True)

    assert len(set(numbers)) > 1
    assert len(layer.replica.answered) == 20
    assert sorted(took_s)[10] < 0.45


def test_what_may_be_stale_is_served_at_once_while_it_is_asked_for_anew(gateway: Layer) -> None:
    gateway.replica.said = "public, s-maxage=1, stale-while-revalidate=30"
    gateway.get()
    time.sleep(2.1)  # nginx counts whole seconds
    gateway.replica.takes_s = 0.5
    asked_s = time.monotonic()
    stale = gateway.get()
    waited_s = time.monotonic() - asked_s

    assert (stale.json()["number"], stale.headers["x-cache"]) == (1, "gateway")
    assert waited_s < 0.5
    assert int(stale.headers["age"]) >= 2
    until(lambda: gateway.number() == 2)
    assert len(gateway.replica.answered) == 2
    assert (gateway.counted("miss"), gateway.counted("stale") >= 1) == (1, True)


def test_what_has_been_stale_for_too_long_is_waited_for(gateway: Layer) -> None:
    gateway.replica.said = "public, s-maxage=1, stale-while-revalidate=1"
    gateway.get()
    time.sleep(3.1)

    assert gateway.number() == 2


def test_a_changed_page_is_forgotten_and_no_other_one(gateway: Layer) -> None:
    numbers = [gateway.number(), gateway.number("/users/user-2/profile")]
    told = CLIENT.post(f"{gateway.url}/gateway/changed", json=["user-1"])

    assert told.status_code == 204
    assert numbers == [1, 2]
    assert [gateway.number(), gateway.number(), gateway.number("/users/user-2/profile")] == [3, 3, 2]


def test_the_edge_hears_of_a_changed_page(gateway: Layer, edge: Layer) -> None:
    assert [edge.number(), edge.number()] == [1, 1]
    CLIENT.post(f"{gateway.url}/gateway/changed", json=["user-1"])

    until(lambda: edge.number() == 2)


def test_the_edge_hears_of_all_pages_that_have_changed_however_many_they_are(gateway: Layer, edge: Layer) -> None:
    pages = [f"/users/user-{n}/profile" for n in range(10)]
    others = [f"somebody-whose-name-is-long-{n}" for n in range(1500)]
    numbers = [edge.number(page) for page in pages]
    CLIENT.post(f"{gateway.url}/gateway/changed", json=[*others, *(f"user-{n}" for n in range(10))])

    until(lambda: min(edge.number(page) for page in pages) > max(numbers))


def test_a_gateway_that_starts_again_has_kept_nothing(replica: Replica, folder: Path) -> None:
    for number in (1, 2):
        with in_front_of(replica, folder) as layer:
            assert [layer.number(), layer.number()] == [number, number]


def test_users_reach_neither_the_gateways_own_routes_nor_what_is_between_layers(edge: Layer) -> None:
    answers = [edge.get(), edge.get(), edge.get("/trending", Authorization="x")]

    assert [name for answer in answers for name in answer.headers if name == "x-made-at"] == []
    assert edge.get("/gateway/metrics").status_code == 404
    assert CLIENT.post(f"{edge.url}/gateway/changed", json=["user-1"]).status_code == 404
    assert CLIENT.post(f"{edge.url}/changes", json={"us-east user-1": 1}).status_code != 204


def test_a_profile_is_still_edited_once(gateway: Layer) -> None:
    assert CLIENT.put(f"{gateway.url}{PROFILE}", json={"bio": "x"}).status_code == 200
    assert gateway.replica.answered == ["PUT"]


@pytest.mark.parametrize(
    ("path", "kind", "begins"),
    [
        ("/", "text/html", "<!doctype html>"),
        ("/assets/page.css", "text/css", "body {"),
        ("/assets/page.js", "application/javascript", "// What"),
        ("/media/17.svg", "image/svg+xml", "<svg "),
        ("/media/17.svg?width=320", "image/svg+xml", "<svg "),
    ],
)
def test_assets_and_pictures_are_the_gateways_and_kept_at_the_edge_whoever_asks(
    edge: Layer, path: str, kind: str, begins: str
) -> None:
    first, second = edge.get(path), edge.get(path, Authorization="Bearer user-1~us-east.0a")

    assert (first.status_code, first.headers["content-type"]) == (200, kind)
    assert first.text.startswith(begins)
    assert (first.headers["x-region"], first.headers["x-served-by"]) == ("us-east", "us-east-gateway")
    assert (second.text, second.headers["x-cache"], second.headers["age"]) == (first.text, "edge", "0")
    assert second.headers["cache-control"] == "public, max-age=60, stale-while-revalidate=60"
    assert [edge.counted(result) for result in ("miss", "hit")] == [1, 1]
    assert edge.replica.answered == [], "no replica is asked for them"


def test_a_picture_is_the_same_wherever_it_is_drawn_and_its_thumbnail_is_smaller(edge: Layer, gateway: Layer) -> None:
    whole, small = edge.get("/media/17.svg").text, edge.get("/media/17.svg?width=320").text

    assert gateway.get("/media/17.svg").text == whole
    assert ('width="640">' in whole, 'width="320">' in small) == (True, True)
    assert whole.replace('width="640">', "") == small.replace('width="320">', "")
    assert edge.get("/media/18.svg").text != whole


@pytest.mark.parametrize("odd", ["WIDTH=320", "%77idth=320", "width=&width=320"])
def test_nobody_puts_one_size_in_the_place_of_the_other(edge: Layer, odd: str) -> None:
    edge.get(f"/media/17.svg?{odd}")

    assert 'width="320">' in edge.get("/media/17.svg?width=320").text
    assert 'width="640">' in edge.get("/media/17.svg").text


@pytest.mark.parametrize(
    "path",
    [
        "/media/x.svg",
        "/media/1.svg?width=321",
        "/media/1234567.svg",
        "/media/",
        "/assets/none.js",
        "/assets/%2e%2e/nginx.conf",
    ],
)
def test_what_is_no_asset_and_no_picture_is_not_there_and_not_kept(edge: Layer, path: str) -> None:
    for _ in range(2):
        assert edge.get(path).status_code in {403, 404}

    assert edge.counted("hit") == 0


def test_planted_pictures_that_nobody_may_keep(replica: Replica, folder: Path) -> None:
    with in_front_of(replica, folder, "pictures_are_kept_by_nobody") as gateway, before(gateway, folder) as edge:
        for _ in range(3):
            assert edge.get("/media/17.svg").status_code == 200
        assert [edge.counted(result) for result in ("miss", "hit")] == [3, 0]


def test_planted_private_answers_at_the_edge(gateway: Layer, folder: Path) -> None:
    gateway.replica.said = "private, no-cache"
    with before(gateway, folder, "edge_keeps_private_answers") as edge:
        assert edge.number(Authorization="Bearer user-1~us-east.0a") == 1
        assert edge.number(Authorization="Bearer user-2~us-east.0b") == 1, "the first one's"


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5.0
    while not condition():
        assert time.monotonic() < deadline, "not within five seconds"
        time.sleep(0.02)
