"""Two regions as their users see them: where writes go, that users see their own, and what a cut link leaves."""

import functools
import itertools
import os
import signal
import time
from collections.abc import Callable, Iterator

import httpx
import pytest

from reference_system.data.statements import SAMPLED_GROUPS
from reference_system.services.region_health import ANSWERED_WITHIN_S, SILENT_FOR_S
from tests.reference_system import two_regions
from tests.reference_system.forwarder import Mode
from tests.reference_system.two_regions import EAST, WEST, Region, TwoRegions, User

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

# By turns at home in us-east, us-west, europe and asia-pacific. The last two are not there, so that their stand-ins,
# us-east and us-west, take their users' writes.
_easterners, _westerners = itertools.count(1001, 4), itertools.count(1002, 4)
_europeans, _asians = itertools.count(1003, 4), itertools.count(1004, 4)
_keys = (f"key-{n}" for n in itertools.count(1))
ALL = {"X-Healthy-Regions": "us-east,us-west", "X-Writing-Regions": "us-east,us-west"}


@pytest.fixture(scope="module")
def running() -> Iterator[TwoRegions]:
    with two_regions.running() as both:
        yield both


@pytest.fixture
def both(running: TwoRegions) -> Iterator[TwoRegions]:
    yield running
    running.heal()
    running.arrived()
    for region in running.regions.values():  # breakers that a cut has opened
        _until(functools.partial(_forwards, region))


@pytest.fixture
def east(both: TwoRegions) -> Region:
    return both.regions[EAST]


@pytest.fixture
def west(both: TwoRegions) -> Region:
    return both.regions[WEST]


def _forwards(region: Region) -> bool:
    """A write of somebody who is at home in the other one."""
    traveller = {EAST: 2, WEST: 1}[region.name]
    return _edit(region, User(region.client, traveller), "here again").status_code == 200


def _until(true: Callable[[], bool], *, within_s: float = 10.0) -> None:
    deadline = time.monotonic() + within_s
    while not true():
        assert time.monotonic() < deadline, "it has not come true in time"
        time.sleep(0.02)


def _post(region: Region, user: User, *, key: str | None = None, **headers: str) -> httpx.Response:
    asked = {**ALL, **user.headers, "Idempotency-Key": key or next(_keys), **headers}
    return region.client.post("/tweets/create", json={"text": f"by {user.name}"}, headers=asked)


def _delete(region: Region, user: User, post: str) -> httpx.Response:
    return region.client.delete(f"/tweets/{post}", headers={**ALL, **user.headers})


def _edit(region: Region, user: User, bio: str) -> httpx.Response:
    return region.client.put(f"/users/{user.name}/profile", json={"bio": bio}, headers={**ALL, **user.headers})


def _read(region: Region, path: str, user: User, *, after: httpx.Response | None = None) -> httpx.Response:
    headers = {**ALL, **user.headers}
    if after is not None:
        headers["X-Read-After"] = after.headers["x-write-token"]
    answer = region.client.get(path, headers=headers)
    assert answer.status_code == 200
    return answer


def _ids(answer: httpx.Response) -> list[str]:
    return [post["id"] for post in answer.json()["posts"]]


def _is_cached(region: Region, path: str, user: User) -> bool:
    return bool(_read(region, path, user).headers["x-cache"] == "redis")


def _is_answered_there(region: Region, path: str, user: User, after: httpx.Response) -> bool:
    return bool(_read(region, path, user, after=after).headers["x-region"] == region.name)


def _lacks(region: Region, path: str, user: User, post: str) -> bool:
    return post not in _ids(_read(region, path, user))


def _own_pages(user: User) -> list[str]:
    return ["/timeline/home", f"/users/{user.name}/profile", f"/users/{user.name}/posts"]


# --- where writes go ---


def test_a_travellers_writes_go_home_and_say_so(east: Region, west: Region) -> None:
    user = User(east.client, next(_westerners))
    followee = "/users/user-1/follow"
    headers = {**ALL, **user.headers}
    posted = _post(east, user)
    answers = [
        posted,
        _edit(east, user, "on the road"),
        east.client.put(followee, headers=headers),
        east.client.delete(followee, headers=headers),
        _delete(east, user, posted.json()["id"]),
    ]

    assert [answer.status_code for answer in answers] == [201, 200, 200, 200, 200]
    assert {answer.headers["x-region"] for answer in answers} == {WEST}
    assert {answer.headers["x-write-token"].partition(":")[0] for answer in answers} == {WEST}
    assert posted.json()["id"].startswith("us-west-")
    assert "x-served-by" in posted.headers
    assert west.run("posts", [posted.json()["id"]]) == []


def test_likes_and_retweets_are_counted_where_the_user_is_and_add_up_everywhere(
    both: TwoRegions, east: Region, west: Region
) -> None:
    author = User(east.client, next(_easterners))
    post = _post(east, author).json()["id"]
    both.arrived()
    for region, times in ((east, 2), (west, 3)):
        for _ in range(times):
            answer = region.client.post(f"/tweets/{post}/like", headers={**ALL, **author.headers})
            assert (answer.status_code, answer.headers["x-region"]) == (200, region.name)
        answer = region.client.post(f"/tweets/{post}/retweet", headers={**ALL, **author.headers})
        assert (answer.status_code, answer.headers["x-region"]) == (200, region.name)
    both.arrived()

    for region in (east, west):
        listed = _read(region, f"/users/{author.name}/posts", author)
        counted = [(one["likes"], one["retweets"]) for one in listed.json()["posts"] if one["id"] == post]
        assert counted == [(5, 2)]
        assert 0 <= float(listed.headers["x-count-age"]) < 2
    for how in ("like", "retweet"):
        assert east.client.post(f"/tweets/none/{how}", headers={**ALL, **author.headers}).status_code == 404


def test_while_home_takes_no_writes_its_stand_in_does(east: Region, west: Region) -> None:
    user = User(east.client, next(_easterners))

    away = _post(east, user, **{"X-Writing-Regions": WEST})

    assert (away.status_code, away.headers["x-region"]) == (201, WEST)


def test_of_two_that_have_just_come_back_each_takes_the_writes_of_the_other(east: Region) -> None:
    easterner, westerner = User(east.client, next(_easterners)), User(east.client, next(_westerners))

    written = [_post(east, user, **{"X-Writing-Regions": "none"}) for user in (easterner, westerner)]

    assert [(answer.status_code, answer.headers["x-region"]) for answer in written] == [(201, WEST), (201, EAST)]


def test_a_write_that_nobody_may_take_is_refused(east: Region) -> None:
    asian = User(east.client, next(_asians))

    refused = _post(east, asian, **{"X-Writing-Regions": EAST, "X-Healthy-Regions": EAST})

    assert (refused.status_code, refused.headers["x-refused"]) == (503, "no-region")
    assert refused.headers["x-region"] == EAST


def test_who_claims_to_be_another_region_writes_in_no_third_one(east: Region, west: Region) -> None:
    asian, european = User(east.client, next(_asians)), User(east.client, next(_europeans))

    assert _post(east, asian, **{"X-Forwarded-Region": WEST}).status_code == 503
    assert _post(west, european, **{"X-Forwarded-Region": EAST}).status_code == 503
    assert _post(west, asian, **{"X-Forwarded-Region": EAST}).headers["x-region"] == WEST, "the stand-in may"


@pytest.mark.parametrize(
    ("mode", "status", "refused", "at_most_s"),
    [(Mode.REFUSES, 503, "unreachable", 2.0), (Mode.SWALLOWS, 504, None, 4.0), (Mode.FREEZES, 504, None, 4.0)],
)
def test_a_write_that_cannot_be_forwarded_says_what_is_known_of_it(
    *, both: TwoRegions, east: Region, mode: Mode, status: int, refused: str | None, at_most_s: float
) -> None:
    user = User(east.client, next(_westerners))
    both.cut_requests(mode)
    began_s = time.monotonic()

    answer = _post(east, user)

    assert (answer.status_code, answer.headers.get("x-refused")) == (status, refused)
    assert time.monotonic() - began_s < at_most_s
    assert answer.headers["x-region"] == EAST
    assert _post(east, user, **{"X-Writing-Regions": EAST}).status_code == 201, "the stand-in does it"


def test_a_region_that_cannot_reach_another_is_as_healthy_as_before(both: TwoRegions, east: Region) -> None:
    user = User(east.client, next(_westerners))
    both.cut_requests(Mode.SWALLOWS)
    for _ in range(4):
        _post(east, user)

    observed = httpx.post(f"{east.replica}/internal/exchange", json={"level": 0, "window_s": 20.0}).json()
    assert observed["error"] == 0
    assert max(observed["latencies_ms"]) < 1000


# --- users see what they wrote ---


@pytest.mark.parametrize("warm", [False, True])
def test_users_see_what_they_wrote_while_it_has_not_arrived(
    both: TwoRegions, east: Region, west: Region, warm: bool
) -> None:
    user = User(east.client, next(_easterners))
    if warm:
        for path in _own_pages(user):
            _read(west, path, user)
    both.cut_data()
    posted = _post(east, user)
    post = posted.json()["id"]
    for path in _own_pages(user):
        without, seen = _read(west, path, user), _read(west, path, user, after=posted)

        assert post not in _ids(without), "it has not arrived"
        assert "x-stale" not in without.headers, "nobody asked for more"
        assert post in _ids(seen)
        assert seen.headers["x-region"] == EAST
        assert "x-stale" not in seen.headers
    both.heal()
    for path in _own_pages(user):
        _until(functools.partial(_is_answered_there, west, path, user, posted))
        assert post in _ids(_read(west, path, user, after=posted)), "also from the caches of the region"


def test_who_likes_something_elsewhere_does_not_lose_sight_of_an_own_post(both: TwoRegions, west: Region) -> None:
    user = User(west.client, next(_easterners))
    both.cut_data()
    posted = _post(west, user)
    after = {"X-Read-After": posted.headers["x-write-token"]}

    liked = west.client.post("/tweets/us-east-1/like", headers={**ALL, **user.headers, **after})
    seen = _read(west, "/timeline/home", user, after=liked)

    assert (posted.headers["x-region"], liked.headers["x-region"]) == (EAST, WEST)
    assert [token.partition(":")[0] for token in liked.headers["x-write-token"].split(",")] == [EAST, WEST]
    assert posted.json()["id"] in _ids(seen)
    assert (seen.headers["x-region"], seen.headers["x-stale"]) == (EAST, "token"), "the like has not arrived there"
    both.heal()
    _until(functools.partial(_is_answered_there, west, "/timeline/home", user, liked))
    assert posted.json()["id"] in _ids(_read(west, "/timeline/home", user, after=liked))


def test_an_edit_and_a_follow_are_seen_at_once_and_by_the_other_regions_caches_soon(
    both: TwoRegions, east: Region, west: Region
) -> None:
    user, friend = User(east.client, next(_easterners)), User(west.client, next(_westerners))
    profile, follow = f"/users/{user.name}/profile", f"/users/{friend.name}/follow"
    post = _post(west, friend).json()["id"]
    both.arrived()
    for region in (east, west):
        for path in (profile, "/timeline/home"):
            _read(region, path, user)
            _until(functools.partial(_is_cached, region, path, user))

    east.client.put(follow, headers={**ALL, **user.headers})
    edited = _edit(east, user, "new")

    assert post in _ids(_read(east, "/timeline/home", user))
    assert _read(east, profile, user).json()["user"]["bio"] == "new"
    _until(lambda: _read(west, profile, user, after=edited).headers["x-region"] == WEST)
    assert _read(west, profile, user, after=edited).json()["user"]["bio"] == "new"
    assert post in _ids(_read(west, "/timeline/home", user, after=edited))


def test_without_the_region_that_took_the_write_reads_are_answered_here_and_say_so(
    both: TwoRegions, east: Region, west: Region
) -> None:
    user = User(east.client, next(_easterners))
    both.cut_data()
    posted = _post(east, user)
    both.cut_requests(Mode.SWALLOWS)
    began_s = time.monotonic()
    answers = [_read(west, "/timeline/home", user, after=posted) for _ in range(10)]
    took_s = time.monotonic() - began_s

    assert {(answer.headers["x-region"], answer.headers.get("x-stale")) for answer in answers} == {(WEST, "token")}
    assert took_s < 8, "three wait for a second, then nobody does"


def test_a_region_that_the_edge_calls_unhealthy_is_not_asked(both: TwoRegions, east: Region, west: Region) -> None:
    user = User(east.client, next(_easterners))
    both.cut_data()
    posted = _post(east, user)
    headers = {**user.headers, "X-Read-After": posted.headers["x-write-token"], "X-Healthy-Regions": WEST}

    answer = west.client.get("/timeline/home", headers=headers)

    assert (answer.headers["x-region"], answer.headers["x-stale"]) == (WEST, "token")


def test_who_has_just_signed_up_can_log_in_anywhere(both: TwoRegions, east: Region, west: Region) -> None:
    both.cut_data()
    account = {"name": f"newcomer-{next(_keys)}", "password": "secret"}
    signed_up = east.client.post("/auth/signup", json=account)
    after = {"X-Read-After": signed_up.headers["x-write-token"]}

    assert signed_up.json()["token"].partition("~")[2].startswith("us-east.")
    assert west.client.post("/auth/login", json=account).status_code == 401
    assert west.client.post("/auth/login", json=account, headers=after).json()["user"] == signed_up.json()["user"]


# --- once and only once ---


def test_a_post_that_is_tried_again_in_the_other_region_is_the_same_one(
    both: TwoRegions, east: Region, west: Region
) -> None:
    user, key = User(east.client, next(_easterners)), next(_keys)
    first = _post(east, user, key=key)
    both.arrived()

    again = _post(west, user, key=key, **{"X-Writing-Regions": WEST})

    assert (again.headers["x-region"], again.json()) == (WEST, first.json())
    assert again.headers["x-write-token"].startswith("us-east:"), "only that region's link brings it to others"


def test_a_post_that_is_made_twice_because_neither_region_sees_the_other_is_one_in_the_end(
    both: TwoRegions, east: Region, west: Region
) -> None:
    user, key = User(east.client, next(_easterners)), next(_keys)
    both.cut_data()
    first, second = _post(east, user, key=key), _post(west, user, key=key, **{"X-Writing-Regions": WEST})
    assert first.json() != second.json()
    both.heal()
    both.arrived()

    for region in (east, west):
        for path in _own_pages(user):
            shown = _ids(_read(region, path, user))
            assert (first.json()["id"] in shown, second.json()["id"] in shown) == (True, False), (region.name, path)


# --- deleted is deleted ---


def test_a_deleted_post_is_gone_for_its_author_at_once_and_for_everybody_soon(
    both: TwoRegions, east: Region, west: Region
) -> None:
    author, reader = User(east.client, next(_easterners)), User(west.client, next(_westerners))
    follow = west.client.put(f"/users/{author.name}/follow", headers={**ALL, **reader.headers})
    kept, deleted = (_post(east, author).json()["id"] for _ in range(2))
    both.arrived()
    pages = {
        **{(west, path): reader for path in ["/timeline/home", f"/users/{author.name}/profile"]},
        **{(east, path): author for path in _own_pages(author)},
    }
    for (region, path), user in pages.items():
        assert deleted in _ids(_read(region, path, user))
    assert follow.status_code == 200

    gone = _delete(east, author, deleted)

    assert (gone.status_code, gone.json()) == (200, {"deleted": deleted})
    assert [deleted in _ids(_read(east, path, author)) for path in _own_pages(author)] == [False] * 3
    for (region, path), user in pages.items():
        _until(functools.partial(_lacks, region, path, user, deleted))
        assert kept in _ids(_read(region, path, user))
    home = _read(west, "/timeline/home", reader)
    assert home.headers["x-cache"] == "redis", "followers' timelines are filtered, not built anew"
    assert _delete(east, author, deleted).status_code == 200, "again makes no difference"
    assert _delete(east, author, "us-east-1").status_code == 404, "it is somebody else's"


@pytest.mark.parametrize("arrives", [True, False])
def test_a_traveller_no_longer_sees_whom_they_have_just_blocked(
    both: TwoRegions, east: Region, west: Region, arrives: bool
) -> None:
    author, viewer = User(east.client, next(_easterners)), User(west.client, next(_easterners))
    post = _post(east, author).json()["id"]
    profile, search = f"/users/{author.name}/profile", f"/search/posts?q={author.name}"
    both.arrived()
    _until(lambda: post in _ids(_read(west, profile, viewer)))
    assert post in {one["id"] for one in _read(west, search, viewer).json()["results"]}
    if not arrives:
        both.cut_data()

    blocked = west.client.put(f"/users/{author.name}/block", headers={**ALL, **viewer.headers})

    assert (blocked.status_code, blocked.headers["x-region"]) == (200, "us-east")
    assert _ids(_read(west, profile, viewer, after=blocked)) == []
    found = _read(west, search, viewer, after=blocked).json()["results"]
    assert author.name not in {one["author"] for one in found}
    both.heal()
    both.arrived()
    assert _ids(_read(west, profile, viewer)) == [], "without the token, too, once it has arrived"


# --- health and figures ---


def test_a_region_says_how_late_the_other_one_is(both: TwoRegions, west: Region) -> None:
    def lag_s() -> float:
        return float(west.client.get("/region/health").json()["lag_s"][EAST])

    assert lag_s() < 1.0
    both.cut_data()
    _until(lambda: lag_s() > 1.5)
    both.heal()
    _until(lambda: lag_s() < 1.0)


def test_a_region_whose_database_is_silent_says_so_within_seconds_and_keeps_nobody_waiting(west: Region) -> None:
    took_s: list[float] = []

    def is_healthy() -> bool:
        began_s = time.monotonic()
        answer = httpx.get(f"{west.replica}/region/health", timeout=10)
        took_s.append(time.monotonic() - began_s)
        return answer.status_code == 200

    os.kill(west.postgres.pid, signal.SIGSTOP)
    children = _children(west.postgres.pid)
    for child in children:
        os.kill(child, signal.SIGSTOP)
    try:
        began_s = time.monotonic()
        _until(lambda: not is_healthy())
        said_after_s = time.monotonic() - began_s
        _until(lambda: west.client.get("/region/health").status_code in (503, 504))
    finally:
        for process in (*children, west.postgres.pid):
            os.kill(process, signal.SIGCONT)

    assert said_after_s < SILENT_FOR_S + ANSWERED_WITHIN_S
    assert max(took_s) < ANSWERED_WITHIN_S
    _until(lambda: west.client.get("/region/health").status_code == 200)


def test_workers_measure_their_links_and_tables(both: TwoRegions, east: Region, west: Region) -> None:
    to_west, to_east = "us-east.postgres->us-west.postgres", "us-west.postgres->us-east.postgres"
    _post(east, User(east.client, next(_easterners)))
    both.arrived()

    _until(lambda: west.metric(f'replication_link_condition{{condition="flowing",link="{to_west}"}}') == 1)
    _until(lambda: 0 <= west.metric(f'replication_lag_seconds{{link="{to_west}"}}') < 1)
    assert west.metric(f'replication_conflicts{{link="{to_west}"}}') == 0
    # Postgres confirms what it has received every ten seconds, also where nothing of it was for the other region.
    _until(lambda: east.metric(f'replication_unconfirmed_bytes{{link="{to_west}"}}') < 1e6, within_s=20.0)
    _until(lambda: west.metric(f'replication_unconfirmed_bytes{{link="{to_east}"}}') < 1e6, within_s=20.0)
    assert east.metric("heartbeats_total") > 0

    def the_same() -> bool:
        return all(
            region.metric(f'table_digest{{table="{table}"}}') == east.metric(f'table_digest{{table="{table}"}}') > 0
            for table in ("users", "follows", "posts", "idempotency", "engagements", "notifications")
            for region in (east, west)
        )

    _until(the_same, within_s=15)
    _until(lambda: _differing_groups(east, west) == 0, within_s=15)
    both.cut_data()
    _until(lambda: west.metric(f'replication_link_condition{{condition="cut",link="{to_west}"}}') == 1)
    for _ in range(30):  # one in four is in the sample
        _post(east, User(east.client, next(_easterners)))
    _until(lambda: (_differing_groups(east, west) or 0) > 0, within_s=15)


def _differing_groups(east: Region, west: Region) -> int | None:
    """Of the sampled groups of posts; None while the two do not tell of one instant, or of none yet."""
    here, there = ({**region.metrics("key_digest")} for region in (east, west))
    if here.pop("key_digest_at_seconds") != there.pop("key_digest_at_seconds") or len(here) < SAMPLED_GROUPS:
        return None
    return sum(digest != there[group] for group, digest in here.items())


# --- the promises can be broken ---


def test_planted_dropped_token(both: TwoRegions, east: Region, west: Region) -> None:
    user = User(east.client, next(_easterners))
    broken = west.another_replica(DEFECT="drops_the_token")
    both.cut_data()
    posted = _post(east, user)
    after = {**user.headers, "X-Read-After": posted.headers["x-write-token"]}

    answer = broken.get("/timeline/home", headers=after)

    assert posted.json()["id"] not in _ids(answer)
    assert "x-stale" not in answer.headers


def test_planted_forgotten_keys(east: Region) -> None:
    user, key = User(east.client, next(_easterners)), next(_keys)
    broken = east.another_replica(DEFECT="forgets_idempotency_keys")
    headers = {**user.headers, "Idempotency-Key": key}

    made = {broken.post("/tweets/create", json={"text": "twice"}, headers=headers).json()["id"] for _ in range(2)}

    assert len(made) == 2


def _children(parent: int) -> list[int]:
    import psutil  # noqa: PLC0415 - only here

    return [child.pid for child in psutil.Process(parent).children(recursive=True)]
