"""The scraper and the health probe against real servers: what is seen, and what is missed with its reason."""

import asyncio
import statistics
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from harness import clock
from harness.errors import TargetError
from harness.observe.health_probe import HealthProbe
from harness.observe.scraper import ScrapeHole, Scraper
from harness.record import rows
from harness.record.writer import Sample
from tests.loopback import loopback

HOST = loopback(15)
PERIOD_S = 0.05


class _Target(BaseHTTPRequestHandler):
    """/metrics counts its scrapes; the other paths go wrong, each in its way."""

    released = threading.Event()  # ends the answer that hangs

    def do_GET(self) -> None:
        match self.path:
            case "/metrics":
                self._answer(200, 'x_total{b="2",a="1"} 5\nx_created 1\n')
            case "/broken":
                self._answer(500, "sorry")
            case "/page":
                self._answer(200, "<html></html>")
            case "/hangs":
                self.released.wait(5)
            case _:
                self.connection.close()

    def _answer(self, status: int, text: str) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *arguments: object) -> None:
        """Quiet."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *arguments: object) -> None:
        """A client that gave up is what is tested here."""


@pytest.fixture
def url() -> Iterator[str]:
    _Target.released.clear()
    server = _Server((HOST, 0), _Target)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://{HOST}:{server.server_port}"
    _Target.released.set()
    server.shutdown()
    thread.join()
    server.server_close()


class _Seen:
    """Collects what observers hand over."""

    def __init__(self) -> None:
        self.samples: list[Sample] = []
        self.events: list[rows.Event] = []
        self.scrapes = 0

    def take(self, samples: list[Sample]) -> None:
        self.scrapes += 1
        self.samples += samples


def _scraped(
    seen: _Seen,
    endpoints: dict[str, str],
    *,
    seconds: float,
    hole: ScrapeHole | None = None,
    every_s: float = PERIOD_S,
) -> None:
    async def for_a_while() -> None:
        scraper = Scraper(endpoints, every_s=every_s, on_samples=seen.take, on_event=seen.events.append, hole=hole)
        try:
            async with asyncio.timeout(seconds):
                await scraper.run()
        except TimeoutError:
            pass  # the only way in which a scraper ends

    asyncio.run(for_a_while())


@pytest.mark.slow
def test_samples_are_dated_to_the_middle_of_the_scrape_and_come_on_schedule(url: str) -> None:
    seen = _Seen()
    before_ns = clock.now_ns()

    _scraped(seen, {"api": f"{url}/metrics"}, seconds=1.0)

    assert 3 <= seen.scrapes <= 21, "at most one a period, however busy the machine is"
    first = seen.samples[0]
    assert first[1:] == ("api", "x_total", 'a="1",b="2"', 5.0)
    assert before_ns < first.at_ns < clock.now_ns()


@pytest.mark.slow
def test_services_are_not_scraped_all_at_once(url: str) -> None:
    """What is measured would stand still for a moment each time."""
    every_s, seen = 0.4, _Seen()

    _scraped(seen, {"one": f"{url}/metrics", "other": f"{url}/metrics"}, seconds=2.0, every_s=every_s)

    at_s = {name: [s.at_ns / 1e9 for s in seen.samples if s.service == name] for name in ("one", "other")}
    apart_s = statistics.median((late - early) % every_s for late in at_s["other"] for early in at_s["one"])
    assert every_s / 4 < apart_s < 3 * every_s / 4


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/broken", "status 500"),
        ("/page", "not an exposition"),
        ("/hangs", "no answer within 0.04s"),
        ("/closes", "ServerDisconnectedError"),
    ],
)
def test_a_scrape_that_fails_is_an_event_with_its_reason_and_the_others_go_on(url: str, path: str, why: str) -> None:
    seen = _Seen()

    _scraped(seen, {"bad": f"{url}{path}", "good": f"{url}/metrics"}, seconds=0.6)

    missed = [event for event in seen.events if isinstance(event, rows.ScrapeMissed) and event.service == "bad"]
    assert len(missed) >= 4
    assert any(why in event.why for event in missed)
    assert {sample.service for sample in seen.samples} == {"good"}


@pytest.mark.slow
def test_a_service_that_is_not_there_is_missed(url: str) -> None:
    seen = _Seen()

    _scraped(seen, {"gone": f"http://{HOST}:1/metrics", "odd": "http://[bad"}, seconds=0.4)

    assert {event.service for event in seen.events if isinstance(event, rows.ScrapeMissed)} == {"gone", "odd"}
    assert seen.samples == []


@pytest.mark.slow
def test_the_planted_hole_leaves_neither_samples_nor_events(url: str) -> None:
    seen = _Seen()

    _scraped(seen, {"api": f"{url}/metrics"}, seconds=1.0, hole=ScrapeHole(start_s=0.2, lasts_s=0.6))

    gaps_s = [(after.at_ns - before.at_ns) / 1e9 for before, after in zip(seen.samples, seen.samples[1:], strict=False)]
    assert max(gaps_s) >= 0.55
    assert seen.scrapes <= 12


@pytest.mark.slow
def test_a_time_in_which_nothing_is_in_time_leaves_nothing_behind(url: str) -> None:
    """A loop that is held up cancels scrapes at every point on their way, also while their connections are made."""

    async def held_up_and_then_not() -> None:
        recovered = asyncio.Event()
        loop = asyncio.get_running_loop()
        held_up_until_s = loop.time() + 2.0

        def take(_: list[Sample]) -> None:
            if loop.time() < held_up_until_s:
                time.sleep(PERIOD_S / 2)
            elif loop.time() > held_up_until_s + 10 * PERIOD_S:
                recovered.set()

        endpoints = {f"api-{number}": f"{url}/metrics" for number in range(40)}
        scraper = Scraper(endpoints, every_s=PERIOD_S, on_samples=take, on_event=lambda _: None)
        scraping = asyncio.create_task(scraper.run())
        try:
            async with asyncio.timeout(10):
                await recovered.wait()
        finally:
            scraping.cancel()

    asyncio.run(held_up_and_then_not())


# --- health ---------------------------------------------------------------------------------------------------------


def _probed(answers: dict[str, list[bool | Exception]]) -> list[tuple[str, bool]]:
    """Ask until every service has given all its answers; the changes that were reported."""
    changes: list[tuple[str, bool]] = []

    def take(event: rows.Event) -> None:
        assert isinstance(event, rows.HealthChanged)
        changes.append((event.service, event.healthy))

    async def is_healthy(service: str) -> bool:
        if not answers[service]:
            all_given.set()
            await asyncio.Event().wait()  # no answer any more
        answer = answers[service].pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def until_all_given() -> None:
        probe = HealthProbe(is_healthy, list(answers), every_s=0.01, on_event=take)
        async with asyncio.TaskGroup() as tasks:
            probing = tasks.create_task(probe.run())
            async with asyncio.timeout(5):
                await all_given.wait()
            probing.cancel()

    all_given = asyncio.Event()
    asyncio.run(until_all_given())
    return changes


@pytest.mark.parametrize(
    ("answers", "changes"),
    [
        pytest.param([True, True, True], [True], id="always healthy"),
        pytest.param([False, False], [False], id="never healthy"),
        pytest.param([True, False, False, True], [True, False, True], id="down and up again"),
        pytest.param([True, TargetError("gone"), True], [True, False, True], id="an error is not healthy"),
    ],
)
def test_health_is_reported_at_first_and_whenever_it_changes(
    answers: list[bool | Exception], changes: list[bool]
) -> None:
    assert _probed({"api": answers}) == [("api", healthy) for healthy in changes]


def test_no_answer_is_not_healthy() -> None:
    events: list[object] = []

    async def silent(service: str) -> bool:
        await asyncio.Event().wait()
        return True

    async def until_first() -> None:
        got = asyncio.Event()

        def take(event: object) -> None:
            events.append(event)
            got.set()

        probing = asyncio.create_task(HealthProbe(silent, ["api"], every_s=0.01, on_event=take).run())
        async with asyncio.timeout(5):
            await got.wait()
        probing.cancel()

    asyncio.run(until_first())

    assert isinstance(events[0], rows.HealthChanged)
    assert events[0].healthy is False
