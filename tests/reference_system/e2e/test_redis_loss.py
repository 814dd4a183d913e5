"""A region without its Redis: slower, never wrong, and back by itself."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from reference_system.data.redis_client import TIMEOUT_S
from reference_system.policies import circuit_breaker
from tests.reference_system import servers
from tests.reference_system.e2e.conftest import Client, StartApi

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

# A probe that was sent before Redis listened may wait for its whole timeout, then the breaker waits before the next.
BACK_WITHIN_S = TIMEOUT_S + circuit_breaker.pause_s(1.0) + 0.5


class OwnRedis:
    """A Redis that a test may stop, freeze and start again."""

    def __init__(self) -> None:
        self._port = servers.free_port()
        self._running = contextlib.ExitStack()
        self.url = f"redis://{servers.HOST}:{self._port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = self._running.enter_context(servers.redis_process(self._port))

    def stop(self) -> None:
        self._running.close()

    def freeze(self, frozen: bool) -> None:
        assert self._process is not None
        os.kill(self._process.pid, signal.SIGSTOP if frozen else signal.SIGCONT)


@pytest.fixture
def own_redis() -> Iterator[OwnRedis]:
    redis = OwnRedis()
    yield redis
    redis.stop()


def test_a_replica_starts_and_serves_without_redis_and_uses_it_once_it_is_there(
    start_api: StartApi, own_redis: OwnRedis
) -> None:
    api = start_api(REDIS_URL=own_redis.url)
    user = api.user(7)
    without = [api.get("/timeline/home", headers=user) for _ in range(10)]
    own_redis.start()

    assert {(answer.status_code, answer.headers["x-cache"]) for answer in without} == {(200, "fallback")}
    _wait_for_cache(api, user, "redis", within_s=BACK_WITHIN_S)


def test_a_killed_redis_costs_no_answer_and_is_used_again(start_api: StartApi, own_redis: OwnRedis) -> None:
    own_redis.start()
    api = start_api(REDIS_URL=own_redis.url)
    user = api.user(7)
    _wait_for_cache(api, user, "redis", within_s=2)
    own_redis.stop()

    reads = [api.get(path, headers=user) for path in _READS * 5]
    posted = api.post("/tweets/create", headers={**user, "Idempotency-Key": "lost"}, json={"text": "without redis"})
    mine = api.get("/timeline/home", headers=user)

    assert {answer.status_code for answer in reads} == {200}
    assert {answer.headers["x-cache"] for answer in reads} == {"fallback"}
    assert posted.status_code == 201
    assert posted.json()["id"] in [post["id"] for post in mine.json()["posts"]]
    own_redis.start()
    _wait_for_cache(api, user, "redis", within_s=BACK_WITHIN_S)
    assert posted.json()["id"] in [post["id"] for post in api.get("/timeline/home", headers=user).json()["posts"]]


def test_a_silent_redis_delays_the_first_callers_only(start_api: StartApi, own_redis: OwnRedis) -> None:
    own_redis.start()
    api = start_api(REDIS_URL=own_redis.url)
    user = api.user(7)
    _wait_for_cache(api, user, "redis", within_s=2)
    own_redis.freeze(True)

    with ThreadPoolExecutor(8) as pool:
        first = list(pool.map(lambda _: httpx.get(f"{api.base_url}/timeline/home", headers=user, timeout=10), range(8)))
    then = [api.get("/timeline/home", headers=user) for _ in range(20)]

    assert {answer.status_code for answer in first + then} == {200}
    assert max(answer.elapsed.total_seconds() for answer in first) == pytest.approx(2.0, abs=0.4)
    assert sorted(answer.elapsed.total_seconds() for answer in then)[10] < 0.2
    assert api.metric('dependency_attempts_total{dependency="redis"}') <= 1.2 * api.metric(
        'dependency_calls_total{dependency="redis"}'
    )
    own_redis.freeze(False)
    _wait_for_cache(api, user, "redis", within_s=5)


def test_planted_errors_instead_of_fallback(start_api: StartApi, own_redis: OwnRedis) -> None:
    api = start_api(REDIS_URL=own_redis.url, DEFECT="errors_instead_of_fallback")

    assert api.get("/timeline/home", headers=api.user(7)).status_code == 503


def test_planted_not_coming_back(start_api: StartApi, own_redis: OwnRedis) -> None:
    api = start_api(REDIS_URL=own_redis.url, DEFECT="does_not_come_back_after_redis")
    user = api.user(7)
    for _ in range(5):
        api.get("/timeline/home", headers=user)
    own_redis.start()
    time.sleep(2)

    assert api.get("/timeline/home", headers=user).headers["x-cache"] == "fallback"


def test_a_replica_stops_within_a_second_and_says_so(start_api: StartApi, logs: Path) -> None:
    api = start_api()
    name = api.get("/healthz").headers["x-served-by"]
    (process,) = servers.running_as(name)
    asked = time.monotonic()
    process.terminate()
    exit_code = process.wait(timeout=5)

    assert time.monotonic() - asked < 1.5
    assert exit_code in (0, -signal.SIGTERM)
    lines = (logs / name).read_text().splitlines()
    assert '"event":"ready"' in lines[0]
    assert '"event":"stopped"' in lines[-1]


_READS = [
    "/timeline/home",
    "/notifications",
    "/users/user-7/profile",
    "/suggestions/users",
    "/search/posts?q=tea",
    "/trending",
]


def _wait_for_cache(api: Client, user: dict[str, str], cache: str, *, within_s: float) -> None:
    """A machine that stands still for longer than `within_s` has asked too seldom to know: it has 20 questions."""
    began_s = time.monotonic()
    seen: list[tuple[float, str]] = []
    while not seen or seen[-1][1] != cache:
        assert len(seen) < 20 or seen[-1][0] < within_s, (seen, api.metric_lines("dependency_"))
        answer = api.get("/timeline/home", headers=user)
        seen.append((round(time.monotonic() - began_s, 3), answer.headers["x-cache"]))
        time.sleep(0.05)
