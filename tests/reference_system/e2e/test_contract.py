"""What docs/contract.md promises of a replica, against the real thing."""

import secrets
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.reference_system.e2e.conftest import Client, StartApi

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def test_every_answer_says_who_made_it_and_how(api: Client) -> None:
    served_by = api.get("/healthz").headers["x-served-by"]
    answers = [api.get("/timeline/home", headers=api.user(7)), api.get("/timeline/home"), api.get("/no/such/route")]

    for answer, status, priority in zip(answers, (200, 401, 404), ("2", "2", "3"), strict=True):
        assert answer.status_code == status
        assert answer.headers["x-served-by"] == served_by
        assert answer.headers["x-region"] == "us-east"
        assert answer.headers["x-degradation-level"] == "0"
        assert answer.headers["x-priority"] == priority
        assert "x-shed" not in answer.headers
        assert "x-degraded-banner" not in answer.headers
        assert "banner" not in answer.json()


def test_reads_are_built_first_and_cached_afterwards(api: Client) -> None:
    user = api.user(2001)
    for path in (
        "/timeline/home",
        "/notifications",
        "/users/user-2001/profile",
        "/suggestions/users",
        "/search/posts?q=jazz",
    ):
        first = api.get(path, headers=user)
        time.sleep(0.1)  # the cache is filled in the background
        second = api.get(path, headers=user)

        assert (first.headers["x-cache"], second.headers["x-cache"]) == ("built", "redis"), path
        # The id of an analytics event is new each time.
        assert {**first.json(), "analytics_event": 0} == {**second.json(), "analytics_event": 0}, path


def test_trends_are_computed_by_the_worker(api: Client) -> None:
    deadline = time.monotonic() + 6
    topics: list[str] = []
    while not topics and time.monotonic() < deadline:
        topics = api.get("/trending").json()["topics"]
        time.sleep(0.1)

    assert "rain" in topics


def test_a_post_is_seen_at_once_by_its_author_and_soon_by_followers(api: Client) -> None:
    author, follower_name = api.user(1), "follower-of-user-1"  # new users follow user-1
    follower = api.post("/auth/signup", json={"name": follower_name, "password": "secret"})
    headers = {"Authorization": f"Bearer {follower.json()['token']}"}
    for reader in (author, headers):
        api.get("/timeline/home", headers=reader)  # so that both lists are cached
    time.sleep(0.1)

    posted = api.post(
        "/tweets/create",
        headers={**author, "Idempotency-Key": "one"},
        json={"text": "Hello @follower", "media": "https://m/1"},
    )

    post = posted.json()["id"]
    assert posted.status_code == 201
    assert post.startswith("us-east-")
    assert post in _ids(api, "/timeline/home", author)
    assert post in _ids(api, "/users/user-1/profile", author)
    deadline = time.monotonic() + 3
    while post not in _ids(api, "/timeline/home", headers) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert post in _ids(api, "/timeline/home", headers)


def test_the_same_idempotency_key_posts_once(api: Client) -> None:
    headers = {**api.user(12), "Idempotency-Key": "same"}

    answers = [api.post("/tweets/create", headers=headers, json={"text": "only once"}) for _ in range(3)]

    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    profile = api.get("/users/user-12/profile").json()["posts"]
    assert [post["text"] for post in profile].count("only once") == 1


def test_a_mention_becomes_a_notification(api: Client) -> None:
    mentioned = api.user(345)
    api.get("/notifications", headers=mentioned)
    api.post("/tweets/create", headers={**api.user(13), "Idempotency-Key": "m"}, json={"text": "see @user-345"})

    deadline = time.monotonic() + 3
    texts: list[str] = []
    while not any("mentioned you" in text for text in texts) and time.monotonic() < deadline:
        texts = [one["text"] for one in api.get("/notifications", headers=mentioned).json()["notifications"]]
        time.sleep(0.05)

    assert "user-13 mentioned you: see @user-345" in texts


def test_sign_up_and_login(api: Client) -> None:
    account = {"name": "newcomer", "password": "secret"}

    made = api.post("/auth/signup", json=account)
    again = api.post("/auth/signup", json=account)
    login = api.post("/auth/login", json=account)
    wrong = api.post("/auth/login", json={**account, "password": "Secret"})
    nobody = api.post("/auth/login", json={**account, "name": "nobody"})
    broken = api.post("/auth/login", content=b'{"name": 1')
    two_lines = api.post("/auth/signup", json={**account, "name": "newcomer\n"})

    statuses = [answer.status_code for answer in (made, again, login, wrong, nobody, broken, two_lines)]
    assert statuses == [201, 409, 200, 401, 401, 400, 400]
    assert made.json()["user"] == login.json()["user"]
    home = api.get("/timeline/home", headers={"Authorization": f"Bearer {made.json()['token']}"})
    assert len(home.json()["posts"]) == 20


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        ({"text": "x"}, {}, 400),
        ({"text": ""}, {"Idempotency-Key": "k"}, 400),
        ({"text": "x" * 281}, {"Idempotency-Key": "k"}, 400),
        ({"media": "x"}, {"Idempotency-Key": "k"}, 400),
        ({"text": "a\0b"}, {"Idempotency-Key": "k"}, 400),
        ({"text": "x", "media": "a\0b"}, {"Idempotency-Key": "k"}, 400),
        ({"text": "x"}, {"Idempotency-Key": secrets.token_hex(2000)}, 400),
    ],
)
def test_bad_posts_are_the_clients_error(
    api: Client, body: dict[str, str], headers: dict[str, str], status: int
) -> None:
    answer = api.post("/tweets/create", headers={**api.user(5), **headers}, json=body)

    assert answer.status_code == status


def test_what_no_statement_may_be_given_is_the_clients_error(api: Client) -> None:
    paths = [
        "/search/posts?q=abc%00",
        f"/search/posts?q={'x' * 101}",
        "/users/a%00b/profile",
        f"/users/{'x' * 81}/posts",
    ]
    failed = api.metric('dependency_errors_total{dependency="postgres"')

    answers = [api.get(path) for path in paths]
    garbled = api.post("/auth/login", content=b'{"name":"a","password":"\xff"}')

    assert [answer.status_code for answer in (*answers, garbled)] == [400] * 5
    assert all(answer.json()["error"] for answer in answers)
    assert api.metric('dependency_errors_total{dependency="postgres"') == failed


def test_one_user_cannot_post_without_end(api: Client) -> None:
    user = api.user(999)
    answers = []
    for n in range(300):  # more often than is granted in the long run, five times a second, is enough
        posted = api.post("/tweets/create", headers={**user, "Idempotency-Key": f"r{n}"}, json={"text": "again"})
        answers.append(posted)
        if posted.status_code == 429:
            break

    assert answers[-1].status_code == 429
    assert answers[-1].headers["x-rate-limited"] == "user"
    assert len(answers) > 20, "so many are granted at once"
    assert all("x-shed" not in answer.headers for answer in answers)


def test_the_controllers_door_is_shut_to_who_comes_through_a_proxy(api: Client) -> None:
    answer = api.post("/internal/exchange", json={"level": 4, "window_s": 5}, headers={"X-Forwarded-For": "10.0.0.1"})

    assert answer.status_code == 404
    assert api.metric("degradation_level") == 0


def test_what_each_level_takes_away(start_api: StartApi) -> None:
    api = start_api(TARGET_RATE="1000")
    user = api.user(7)
    for level in range(5):
        api.tell_level(level)
        home = api.get("/timeline/home", headers=user)
        posts = home.json()["posts"]
        times = [post["created_at"] for post in posts]
        suggestions, trending = api.get("/suggestions/users", headers=user), api.get("/trending")
        search = api.get("/search/posts?q=rain")
        post = api.post("/tweets/create", headers={**user, "Idempotency-Key": f"l{level}"}, json={"text": "hi"})

        assert home.headers["x-degradation-level"] == str(level)
        assert "x-disabled-feature" not in home.headers
        assert ("analytics_event" in home.json()) == (level < 1)
        assert (times != sorted(times, reverse=True)) == (level < 2)
        assert any("preview" in post.get("media", {}) for post in posts) == (level < 2)
        assert any(post.get("media", {}).get("link") for post in posts)
        for answer in (home, suggestions, trending, search, post):
            assert (answer.headers.get("x-degraded-banner"), answer.json().get("banner")) == (
                (None, None) if level < 1 else ("some features are temporarily limited",) * 2
            )
        assert suggestions.headers.get("x-disabled-feature") == (None if level < 1 else "who_to_follow")
        assert bool(suggestions.json()["users"]) == (level < 1)
        assert trending.headers.get("x-disabled-feature") == (None if level < 2 else "trending_topics")
        assert search.headers.get("x-disabled-feature") == (None if level < 3 else "search")
        assert ("results" in search.json(), "trends" in search.json()) == (level < 3, level >= 3)
        assert post.status_code == (201 if level < 4 else 503)
        assert post.headers.get("x-disabled-feature") == (None if level < 4 else "new_tweets")
        assert "x-shed" not in post.headers
        assert api.metric('feature_enabled{feature="search"}') == (level < 3)
    observed = api.tell_level(0).json()
    assert (observed["error"], observed["shed"]) == (0, 0)
    assert observed["disabled"] == 4 + 3 + 2 + 1


def test_live_updates_start_with_the_unread_count_and_end_at_critical(start_api: StartApi) -> None:
    api = start_api()
    unread = [one["seen"] for one in api.get("/notifications", headers=api.user(8)).json()["notifications"]].count(
        False
    )
    with _live(api, 8) as socket:
        assert socket.response is not None
        assert socket.response.headers["x-served-by"] == api.get("/healthz").headers["x-served-by"]
        first = socket.recv(timeout=5)
        api.tell_level(3)

        assert first == f'{{"unread":{unread}}}'
        assert socket.recv(timeout=5) == '{"refresh":true}'
    with pytest.raises(InvalidStatus) as refused:
        _live(api, 8)
    assert refused.value.response.status_code == 503
    assert refused.value.response.headers["x-disabled-feature"] == "real_time_updates"
    assert "x-shed" not in refused.value.response.headers


def test_live_updates_need_a_login(api: Client) -> None:
    with pytest.raises(InvalidStatus) as refused:
        connect(str(api.base_url).replace("http", "ws") + "/realtime", proxy=None)

    assert refused.value.response.status_code == 401


def test_requests_above_the_target_are_shed_cheaply_and_priority_1_never(start_api: StartApi) -> None:
    api = start_api(TARGET_RATE="1", SERVICE_TIME_MS="0")
    for _ in range(20):
        api.get("/trending")

    answers = [api.get("/trending") for _ in range(40)]
    logins = [api.post("/auth/login", json={"name": "user-3", "password": "password-3"}) for _ in range(40)]

    shed = [answer for answer in answers if "x-shed" in answer.headers]
    assert len(shed) > 30
    assert {(answer.status_code, answer.headers["x-shed"]) for answer in shed} == {(503, "overload")}
    assert {answer.status_code for answer in logins} == {200}
    assert api.metric('http_requests_total{operation="trending",outcome="shed"') >= len(shed)
    assert api.tell_level(0).json()["error"] == 0


def test_answers_of_the_kind_error_are_neither_shed_nor_disabled(start_api: StartApi) -> None:
    api = start_api(SLOTS="1", SERVICE_TIME_MS="300", DEADLINE_S="0.2")
    with ThreadPoolExecutor() as pool:
        answers = list(pool.map(lambda _: httpx.get(f"{api.base_url}/trending"), range(3)))
    late = max(answers, key=lambda answer: answer.status_code)

    assert late.status_code == 503
    assert "x-shed" not in late.headers
    assert "x-disabled-feature" not in late.headers


def test_what_nobody_waits_for_is_not_done_and_says_so(api: Client) -> None:
    token = api.post("/auth/login", json={"name": "user-5", "password": "password-5"}).json()["token"]
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": "too-late", "X-Deadline": "0"}

    late = api.post("/tweets/create", headers=headers, json={"text": "nobody waits for this"})

    assert (late.status_code, late.headers["x-refused"]) == (503, "expired")
    assert "x-shed" not in late.headers
    assert api.metric('expired_total{where="arrival"') == 1


def test_breakers_and_the_pool_are_shown(api: Client) -> None:
    for dependency in ("redis", "postgres"):
        assert api.metric(f'circuit_breaker_state{{dependency="{dependency}"') == 0
        assert api.metric(f'circuit_breaker_probes_total{{dependency="{dependency}"') == 0
        assert api.metric(f'circuit_breaker_transitions_total{{dependency="{dependency}",to="open"') == 0
        assert api.metric(f'retry_budget_saved{{dependency="{dependency}"') > 0
    assert api.metric("postgres_pool_size") == 10
    assert (api.metric("postgres_pool_in_use"), api.metric("postgres_pool_waiting")) == (0, 0)
    assert api.metric("requests_at_work") == 0


def _ids(api: Client, path: str, headers: dict[str, str]) -> list[str]:
    return [post["id"] for post in api.get(path, headers=headers).json()["posts"]]


def _live(api: Client, user: int) -> ClientConnection:
    url = str(api.base_url).replace("http", "ws") + "/realtime"
    return connect(url, additional_headers=api.user(user), proxy=None)
