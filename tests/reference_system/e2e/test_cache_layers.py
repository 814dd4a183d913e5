"""The layers of a region's caches below its gateway: two replicas, their memory and disks, one Redis, one Postgres."""

import contextlib
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import httpx
import pytest
import redis as redis_client

from reference_system.data.hearing import BROUGHT_WITHIN_S
from tests.reference_system import servers
from tests.reference_system.e2e.conftest import Client, StartApi
from tests.reference_system.forwarder import Forwarder, Mode

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

WITHIN_S = 5.0


@pytest.fixture(scope="module")
def replicas(start_api_for_all: StartApi) -> list[Client]:
    both = [start_api_for_all(TARGET_RATE="1000") for _ in range(2)]
    until_all(both, hears_of_changes)
    time.sleep(BROUGHT_WITHIN_S)  # from then on Redis is believed about what somebody has just written
    return both


def hears_of_changes(replica: Client) -> bool:
    """Only then it keeps anything in its memory."""
    return layer_of(replica, 2900) == "process"


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not condition():
        assert time.monotonic() < deadline, "not within five seconds"
        time.sleep(0.02)


def until_all(replicas: list[Client], condition: Callable[[Client], bool]) -> None:
    for replica in replicas:
        until(partial(condition, replica))


def profile(replica: Client, user: int, viewer: dict[str, str] | None = None) -> httpx.Response:
    answer = replica.get(f"/users/user-{user}/profile", headers=viewer)
    assert answer.status_code == 200
    return answer


def layer_of(replica: Client, user: int, viewer: dict[str, str] | None = None) -> str:
    return str(profile(replica, user, viewer).headers["x-cache"])


def posts_of(answer: httpx.Response) -> list[str]:
    return [post["id"] for post in answer.json()["posts"]]


def authors(answer: httpx.Response, key: str = "posts") -> set[str]:
    return {post["author"] for post in answer.json()[key]}


# --- the layers, from the farthest to the nearest ---


def test_a_profile_is_built_then_in_redis_and_then_in_the_memory_of_each_replica(replicas: list[Client]) -> None:
    first, second = replicas
    seen = [layer_of(first, 2101)]
    time.sleep(0.2)  # caches are filled in the background
    seen += [layer_of(first, 2101), layer_of(second, 2101)]
    time.sleep(0.2)
    seen += [layer_of(second, 2101), layer_of(first, 2101, first.user(5))]

    # The second one has not the user's data on its disk yet.
    assert seen == ["built", "process", "built", "process", "process"]
    assert layer_of(first, 2101, first.user(2101)) == "redis", "one's own profile may have changed just now"
    assert layer_of(first, 2101, {"X-Read-After": "us-east:1.000000"}) == "redis"


def test_a_user_without_posts_is_in_the_caches_and_a_first_post_is_seen_at_once(replicas: list[Client]) -> None:
    api = replicas[0]
    account = api.post("/auth/signup", json={"name": "says-nothing", "password": "secret"}).json()
    path, own = f"/users/{account['user']}/profile", {"Authorization": f"Bearer {account['token']}"}
    assert posts_of(api.get(path, headers=own)) == []
    until(lambda: api.get(path, headers=own).headers["x-cache"] == "redis")
    assert posts_of(api.get(path, headers=own)) == []

    posted = api.post("/tweets/create", headers={**own, "Idempotency-Key": "first"}, json={"text": "hello"})

    assert posts_of(api.get(path, headers=own)) == [posted.json()["id"]]
    until_all(replicas, lambda replica: posts_of(replica.get(path)) == [posted.json()["id"]])


def test_whom_there_is_not_costs_the_database_one_question_and_is_found_after_signing_up(
    replicas: list[Client],
) -> None:
    api = replicas[0]
    before = api.post("/auth/signup", json={"name": "comes-before", "password": "secret"}).json()["user"]
    region, _, number = before.rpartition("-")
    path = f"/users/{region}-{int(number) + 1}/profile"

    def builds() -> float:
        return sum(replica.metric('cache_builds_total{kind="profile"}') for replica in replicas)

    made = builds()
    assert api.get(path).status_code == 404
    until(lambda: builds() == made + 1)
    time.sleep(0.2)  # it is stored in the background
    for replica in replicas:
        assert replica.get(path).status_code == 404
    assert builds() == made + 1

    account = api.post("/auth/signup", json={"name": "comes-after", "password": "secret"}).json()

    assert path == f"/users/{account['user']}/profile"
    assert [replica.get(path).status_code for replica in replicas] == [200, 200]


def test_an_answer_from_a_cache_says_how_old_it_is(replicas: list[Client]) -> None:
    profile(replicas[0], 102)
    time.sleep(1.1)
    own = replicas[0].user(102)

    for answer in (profile(replicas[0], 102), profile(replicas[0], 102, own)):
        assert answer.headers["x-cache"] in ("process", "redis")
        assert 1 <= int(answer.headers["age"]) <= 30
    assert "age" not in replicas[0].get("/users/user-2103/profile").headers, "built just now"


def test_what_changes_a_profile_reaches_every_replica(replicas: list[Client]) -> None:
    author = replicas[0].user(2104)
    until_all(replicas, lambda replica: layer_of(replica, 2104) == "process")

    edited = replicas[0].put("/users/user-2104/profile", headers=author, json={"bio": "edited"})
    assert edited.status_code == 200
    until_all(replicas, lambda replica: profile(replica, 2104).json()["user"]["bio"] == "edited")

    post = (
        replicas[0]
        .post("/tweets/create", headers={**author, "Idempotency-Key": "reaches"}, json={"text": "new"})
        .json()["id"]
    )
    until_all(replicas, lambda replica: post in posts_of(profile(replica, 2104)))
    until_all(replicas, lambda replica: layer_of(replica, 2104) == "process")

    replicas[0].delete(f"/tweets/{post}", headers=author)
    until_all(replicas, lambda replica: post not in posts_of(profile(replica, 2104)))


def test_authors_see_their_changes_at_once_at_every_replica(replicas: list[Client]) -> None:
    author = replicas[0].user(2105)
    for n in range(10):
        replicas[n % 2].put("/users/user-2105/profile", headers=author, json={"bio": f"{n}"})
        assert profile(replicas[1 - n % 2], 2105, author).json()["user"]["bio"] == f"{n}"


def test_home_timelines_are_in_no_replicas_memory(replicas: list[Client]) -> None:
    viewer = replicas[0].user(2106)
    layers = []
    for _ in range(4):
        layers.append(replicas[0].get("/timeline/home", headers=viewer).headers["x-cache"])
        time.sleep(0.1)

    assert layers == ["built", "redis", "redis", "redis"]


def test_many_who_ask_for_the_same_at_once_cost_one_build_at_each_replica(start_api: StartApi) -> None:
    api = start_api(TARGET_RATE="1000", SLOTS="60")
    until(lambda: hears_of_changes(api))
    built = api.metric('cache_builds_total{kind="profile"}')
    with ThreadPoolExecutor(30) as pool:
        answers = list(pool.map(lambda _: httpx.get(f"{api.base_url}/users/user-2107/profile"), range(30)))

    assert {answer.status_code for answer in answers} == {200}
    assert api.metric('cache_builds_total{kind="profile"}') == built + 1


# --- whom a viewer does not want to see ---


@pytest.mark.parametrize("kind", ["block", "mute"])
def test_a_filtered_account_is_not_seen_by_its_viewer_from_whatever_layer_and_by_all_others(
    replicas: list[Client], kind: str
) -> None:
    number = {"block": 2110, "mute": 2111}[kind]
    viewer, other, author = replicas[0].user(number), replicas[0].user(2112), replicas[0].user(number + 10)
    name, word = f"user-{number + 10}", f"word{kind}"
    body = {"text": f"{word} for @user-{number}"}
    replicas[0].put(f"/users/{name}/follow", headers=viewer)
    assert replicas[0].post("/tweets/create", headers={**author, "Idempotency-Key": kind}, json=body).status_code == 201

    def seen(replica: Client, by: dict[str, str]) -> set[str]:
        """On which pages there is something of the author's."""
        pages = {
            "profile": bool(posts_of(profile(replica, number + 10, by))),
            "home": name in authors(replica.get("/timeline/home", headers=by)),
            "search": name in authors(replica.get(f"/search/posts?q={word}", headers=by), "results"),
            "notifications": any(
                one["actor"] == name for one in replica.get("/notifications", headers=by).json()["notifications"]
            ),
        }
        return {page for page, shown in pages.items() if shown}

    until_all(replicas, lambda replica: seen(replica, viewer) == {"profile", "home", "search", "notifications"})
    until_all(replicas, lambda replica: layer_of(replica, number + 10, viewer) == "process")

    for n in range(4):
        assert replicas[n % 2].put(f"/users/{name}/{kind}", headers=viewer).status_code == 200
        for replica in replicas:
            assert seen(replica, viewer) == set()
            assert seen(replica, other) >= {"profile", "search"}
        assert replicas[n % 2].delete(f"/users/{name}/{kind}", headers=viewer).status_code == 200
        for replica in replicas:
            assert seen(replica, viewer) == {"profile", "home", "search", "notifications"}


def test_who_is_blocked_cannot_begin_to_follow_and_who_is_muted_can(replicas: list[Client]) -> None:
    viewer, blocked, muted = (replicas[0].user(number) for number in (2130, 2131, 2132))
    replicas[0].put("/users/user-2131/block", headers=viewer)
    replicas[0].put("/users/user-2132/mute", headers=viewer)

    assert replicas[0].put("/users/user-2130/follow", headers=blocked).status_code == 404
    assert replicas[0].delete("/users/user-2130/follow", headers=blocked).status_code == 200
    assert replicas[0].put("/users/user-2130/follow", headers=muted).status_code == 200


@pytest.mark.parametrize(("path", "status"), [("user-2130", 400), ("nobody", 404)])
def test_what_cannot_be_filtered_is_refused(replicas: list[Client], path: str, status: int) -> None:
    assert replicas[0].put(f"/users/{path}/block", headers=replicas[0].user(2130)).status_code == status
    assert replicas[0].put(f"/users/{path}/block").status_code == 401


def test_planted_filter_before_the_cache(start_api: StartApi) -> None:
    api = start_api(TARGET_RATE="1000", DEFECT="viewer_filter_before_the_cache")
    viewer = api.user(2140)
    profile(api, 8)
    api.put("/users/user-8/block", headers=viewer)

    assert posts_of(profile(api, 8, viewer)), "what the first one might see is shown to everybody"

    first, second = api.user(2141), api.user(2142)
    shown = authors(api.get("/timeline/home", headers=first))
    api.put(f"/users/{min(shown)}/follow", headers=second)
    api.put(f"/users/{min(shown)}/block", headers=second)
    assert min(shown) not in authors(api.get("/timeline/home", headers=second)), "a timeline has one viewer only"


def test_what_redis_says_of_filters_just_after_it_was_lost_is_not_believed(
    postgres_dsn: str, redis_url: str, worker: str, tmp_path: Path
) -> None:
    del worker  # it seeds the database
    link = link_to(httpx.URL(redis_url))
    addresses = {"REDIS_URL": f"redis://{servers.HOST}:{link.port}", "POSTGRES_DSN": postgres_dsn}
    with contextlib.closing(link), started(tmp_path, addresses) as api:
        viewer, home = api.user(2160), "/timeline/home"
        until(lambda: api.get(home, headers=viewer).headers["x-cache"] == "redis")
        link.cut(Mode.REFUSES)
        assert api.put("/users/user-11/block", headers=viewer).status_code == 200
        time.sleep(1.0)  # the worker has brought it to Redis; as if it had not:
        with redis_client.Redis.from_url(redis_url) as client:
            client.set("user:user-2160:filters", "[]")
        link.heal()

        until(lambda: api.get(home, headers=viewer).headers["x-cache"] == "redis")
        assert posts_of(profile(api, 11, viewer)) == []


# --- all of a user's at once ---


def test_all_that_caches_hold_of_a_user_can_be_forgotten_at_once(replicas: list[Client], worker: str) -> None:
    user = replicas[0].user(9)
    for replica in replicas:
        for path in ("/timeline/home", "/notifications", "/suggestions/users"):
            replica.get(path, headers=user)
    until_all(replicas, lambda replica: layer_of(replica, 9) == "process")
    time.sleep(0.2)

    answer = httpx.post(f"{worker}/internal/users/user-9/forget")

    assert answer.status_code == 200
    assert answer.json()["entries"] > 5
    until_all(replicas, lambda replica: layer_of(replica, 9) == "built")  # nor is it on its disk
    layers = [replicas[0].get(path, headers=user).headers["x-cache"] for path in ("/timeline/home", "/notifications")]
    assert layers == ["built", "built"]
    assert httpx.post(f"{worker}/internal/users/user-*/forget").status_code == 404


def test_what_users_erase_is_in_no_cache_and_is_looked_for_in_steps(
    replicas: list[Client], worker: str, redis_url: str
) -> None:
    author = replicas[0].user(2170)
    keyed = {**author, "Idempotency-Key": "erased"}
    assert replicas[0].post("/tweets/create", headers=keyed, json={"text": "gone for good"}).status_code == 201
    until_all(replicas, lambda replica: bool(posts_of(profile(replica, 2170))))
    until_all(replicas, lambda replica: layer_of(replica, 2170) == "process")
    before = asked_of(redis_url)

    assert replicas[1].delete("/users/user-2171/profile", headers=author).status_code == 403
    answer = replicas[1].delete("/users/user-2170/profile", headers=author)

    assert answer.json()["erased"] >= 1
    assert "x-write-token" in answer.headers
    until_all(replicas, lambda replica: posts_of(profile(replica, 2170)) == [])
    until_all(replicas, lambda replica: profile(replica, 2170).json()["user"]["bio"] == "")
    until(lambda: replicas[0].get("/search/posts?q=gone", headers=author).json()["results"] == [])
    until(lambda: 'cache_invalidations_total{kind="erased"} 1.0\n' in httpx.get(f"{worker}/metrics").text)
    assert asked_of(redis_url).get("scan", 0) > before.get("scan", 0)
    assert "keys" not in asked_of(redis_url)
    again = replicas[0].put("/users/user-2170/profile", headers=author, json={"bio": "back again"})
    assert again.status_code == 200, "the account stays"


def asked_of(redis_url: str) -> dict[str, int]:
    """How often Redis was given which command."""
    with redis_client.Redis.from_url(redis_url) as client:
        stats = client.info("commandstats")
    return {name.removeprefix("cmdstat_"): figures["calls"] for name, figures in stats.items()}


def test_what_redis_was_not_told_of_is_read_past_it_until_the_worker_has_told_it(
    replicas: list[Client], redis_url: str, postgres_dsn: str, tmp_path: Path
) -> None:
    redis = link_to(httpx.URL(redis_url))
    addresses = {"REDIS_URL": f"redis://{servers.HOST}:{redis.port}", "POSTGRES_DSN": postgres_dsn}

    def home(**headers: str) -> httpx.Response:
        return replicas[0].get("/timeline/home", headers={**author, **headers})

    with contextlib.closing(redis), started(tmp_path, addresses) as api:
        author = api.user(2180)
        until(lambda: home().headers["x-cache"] == "redis")
        redis.cut(Mode.REFUSES)
        posted = api.post("/tweets/create", headers={**author, "Idempotency-Key": "untold"}, json={"text": "quietly"})
        token = posted.headers["x-write-token"]
        seen = home(**{"X-Read-After": token})

    assert token.endswith("!")
    assert posted.json()["id"] in posts_of(seen)
    until(lambda: home(**{"X-Read-After": token}).headers["x-cache"] == "redis")
    assert posted.json()["id"] in posts_of(home())


# --- many who miss at once ---


@pytest.mark.parametrize("path", ["/users/user-2160/profile", "/timeline/home", "/notifications"])
def test_who_asks_for_what_is_being_made_is_given_the_same_and_told_so(
    path: str, postgres_dsn: str, redis_url: str, worker: str, tmp_path: Path
) -> None:
    del worker  # it seeds the database
    postgres = link_to(httpx.URL(postgres_dsn))
    address = f"postgresql://postgres@{servers.HOST}:{postgres.port}/postgres"
    with contextlib.closing(postgres), started(tmp_path, {"REDIS_URL": redis_url, "POSTGRES_DSN": address}) as api:
        viewer = api.user(2161)
        with redis_client.Redis.from_url(redis_url) as redis:
            redis.flushall()
        postgres.cut(Mode.FREEZES)
        with ThreadPoolExecutor(3) as pool:
            asked = [pool.submit(api.get, path, headers=viewer) for _ in range(3)]
            until(lambda: "\nrequests_at_work 3.0\n" in api.get("/metrics").text)
            time.sleep(0.2)  # all have found nothing
            postgres.heal()
            answers = [each.result() for each in asked]

    assert sorted(answer.headers["x-cache"] for answer in answers) == ["built", "joined", "joined"]
    first, second, third = ({**answer.json(), "analytics_event": ""} for answer in answers)  # each read is an event
    assert first == second == third


# --- without the stores ---


def test_the_disk_outlives_the_replica_and_is_the_last_resort(
    postgres_dsn: str, redis_url: str, worker: str, tmp_path: Path
) -> None:
    del worker  # it seeds the database
    with contextlib.ExitStack() as links:
        redis, postgres = (link_to(httpx.URL(url)) for url in (redis_url, postgres_dsn))
        links.callback(redis.close)
        links.callback(postgres.close)
        addresses = {
            "REDIS_URL": f"redis://{servers.HOST}:{redis.port}",
            "POSTGRES_DSN": f"postgresql://postgres@{servers.HOST}:{postgres.port}/postgres",
        }
        with started(tmp_path, addresses) as api:
            until(lambda: layer_of(api, 10) == "process")
            before = posts_of(profile(api, 10))
            viewer = api.user(2150)
            time.sleep(0.2)  # the disk is written in the background
        redis.cut(Mode.REFUSES)

        with started(tmp_path, addresses) as api:
            assert layer_of(api, 10) == "fallback"
            postgres.cut(Mode.REFUSES)
            last = profile(api, 10, {"X-Read-After": "us-east:1.000000"})
            refused = api.get("/users/user-10/profile", headers=viewer)
            unknown = api.get("/users/user-2151/profile")

    assert (last.headers["x-cache"], posts_of(last)) == ("disk", before)
    assert last.headers["x-stale"] == "token"
    assert int(last.headers["age"]) >= 0
    assert last.headers["cache-control"] == "no-store"
    assert refused.status_code == 503, "whom the viewer has blocked is not known"
    assert unknown.status_code == 503, "nobody has looked at it before"


def link_to(url: httpx.URL) -> Forwarder:
    assert url.port is not None
    return Forwarder((servers.HOST, 0), (url.host, url.port))


@contextlib.contextmanager
def started(folder: Path, addresses: dict[str, str]) -> Iterator[Client]:
    name = {"SERVICE": "us-east-api-disk", "TARGET_RATE": "1000"}
    with (
        servers.service("api", servers.free_port(), folder / "log", **name, **addresses) as url,
        Client(base_url=url, timeout=10) as client,
    ):
        yield client
