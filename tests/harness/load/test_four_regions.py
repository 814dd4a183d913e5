"""What users of four regions do, and what their answers tell the record."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from harness.load.answer import Answer
from harness.load.intent import NOTHING, Intent, adds, raises, removes
from harness.load.profile import Profile, load_profile
from harness.record.rows import NO_COUNT

PATH = Path(__file__).parents[3] / "loadprofiles" / "four_regions.py"
USER = 7  # of europe: user 1 lives in us-east, and so on in turns


class FixedSite:
    """Gives one answer, whatever is asked, and notes what was."""

    run = "run-1"

    def __init__(self, status: int, body: object, *, region: str = "europe", **headers: str) -> None:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.answer = Answer(status, {"x-region": region, **named}, json.dumps(body).encode())
        self.region = region
        self.asked: list[tuple[Any, ...]] = []
        self.intent = NOTHING
        self.carried: dict[str, str] = {}
        self.to_read: tuple[str, str] | None = None

    def travel(self, region: str) -> None:
        self.region = region

    def carry(self, headers: Mapping[str, str]) -> None:
        self.carried.update(headers)

    def unread(self) -> tuple[str, str] | None:
        return self.to_read

    def get(self, path: str, *, user: int | None = None) -> Answer:
        self.asked.append(("GET", path, user))
        return self.answer

    def post(
        self, path: str, body: object, *, user: int | None = None, headers: Any = None, intent: Intent = NOTHING
    ) -> Answer:
        del body, headers
        self.intent = intent
        self.asked.append(("POST", path, user))
        return self.answer

    def put(self, path: str, body: object, *, user: int | None = None, intent: Intent = NOTHING) -> Answer:
        del body
        self.intent = intent
        self.asked.append(("PUT", path, user))
        return self.answer

    def delete(self, path: str, *, user: int | None = None, intent: Intent = NOTHING) -> Answer:
        self.intent = intent
        self.asked.append(("DELETE", path, user))
        return self.answer


@pytest.fixture
def profile() -> Profile:
    """Read anew: it remembers what was posted."""
    return load_profile(PATH)


def perform(profile: Profile, operation: str, site: FixedSite, *, number: int = 99, draw: int = 0) -> Answer:
    action = next(action for action in profile.actions if action.operation == operation)
    action.perform(action.visitor(USER, number, draw, profile.people.home_of(USER)), site)
    assert len(site.asked) == 1, "an operation asks for exactly one thing"
    return site.answer


def listing(*keys: str, whole: bool = True) -> dict[str, object]:
    texts = {f"europe-{n}": f"rain #{key}" for n, key in enumerate(keys, start=1)}
    posts = [{"id": post, "text": text, "likes": 3, "retweets": 2} for post, text in texts.items()]
    return {"posts": [*posts, {"id": "europe-9", "text": "from before", "likes": 1, "retweets": 0}], "whole": whole}


def posted(profile: Profile, number: int) -> FixedSite:
    site = FixedSite(201, {"id": f"europe-{number}"}, x_write_token="europe:1.000000")
    perform(profile, "post", site, number=number)
    return site


def test_users_live_where_the_reference_system_has_signed_them_up(profile: Profile) -> None:
    homes = [profile.people.home_of(user) for user in range(1, 6)]

    assert homes == ["us-east", "us-west", "europe", "asia-pacific", "us-east"]


def test_a_post_says_what_it_adds_and_its_token_goes_with_later_reads(profile: Profile) -> None:
    site = posted(profile, 99)

    assert site.intent == adds("run-1-99", to="posts of user-7")
    assert site.carried == {"X-Read-After": "europe:1.000000"}


def test_whoever_likes_carries_that_token_too(profile: Profile) -> None:
    site = FixedSite(200, {"likes": 1}, x_write_token="europe:1.000000,us-east:2.000000")
    perform(profile, "like", site)

    assert site.carried == {"X-Read-After": "europe:1.000000,us-east:2.000000"}


def test_a_write_without_a_token_changes_nothing_of_what_is_carried(profile: Profile) -> None:
    site = FixedSite(503, {"error": "no"})
    perform(profile, "post", site)

    assert site.carried == {}


@pytest.mark.parametrize("whole", [True, False])
def test_a_list_shows_the_keys_of_this_run_and_whether_that_is_all(profile: Profile, whole: bool) -> None:
    answer = perform(profile, "own_posts", FixedSite(200, listing("run-1-2", "run-1-1", whole=whole)))

    assert (answer.object, answer.ids_seen, answer.whole) == ("posts of user-7", "run-1-2,run-1-1", whole)


@pytest.mark.parametrize(("posts", "whole"), [(19, True), (20, False)])
def test_a_full_profile_page_does_not_show_all(profile: Profile, posts: int, whole: bool) -> None:
    page = {"posts": [{"id": str(n), "text": f"rain #{n}", "likes": 0} for n in range(posts)]}

    assert perform(profile, "own_profile", FixedSite(200, page)).whole is whole


@pytest.mark.parametrize("operation", ["own_posts", "own_profile", "arrival", "return"])
def test_an_answer_that_says_that_it_may_lack_what_was_written_shows_nothing(profile: Profile, operation: str) -> None:
    sure, unsure = FixedSite(200, listing("run-1-1")), FixedSite(200, listing("run-1-1"), x_stale="token")
    told = [perform(profile, operation, site).object for site in (sure, unsure)]

    assert told == ["posts of user-7", ""]


def test_the_first_post_of_a_user_is_kept_and_later_ones_may_be_taken_back(profile: Profile) -> None:
    for number in (1, 2):
        posted(profile, number)
    site = FixedSite(200, {"deleted": "europe-2"})
    perform(profile, "delete", site)

    assert site.asked == [("DELETE", "/tweets/europe-2", USER)]
    assert site.intent == removes("run-1-2", of="posts of user-7")


def test_who_is_in_doubt_sends_the_same_again_from_elsewhere(profile: Profile) -> None:
    posted(profile, 1)
    first = posted(profile, 2)
    second = FixedSite(201, {"id": "us-east-5"})
    perform(profile, "retry", second, number=3)

    assert second.intent == first.intent == adds("run-1-2", to="posts of user-7")
    assert second.region != "europe"


def test_who_is_in_doubt_thinks_of_the_latest_posts(profile: Profile) -> None:
    for number in range(1, 8):
        posted(profile, number)
    again = set()
    for draw in range(10):
        site = FixedSite(201, {"id": "europe-1"})
        perform(profile, "retry", site, number=99, draw=draw)
        again.add(site.intent.written)

    assert again == {"run-1-4", "run-1-5", "run-1-6", "run-1-7"}


def test_who_has_nothing_to_doubt_posts_something_new(profile: Profile) -> None:
    site = FixedSite(201, {"id": "europe-1"})
    perform(profile, "retry", site, number=5)

    assert site.intent == adds("run-1-5", to="posts of user-7")


def test_what_is_liked_is_never_sent_again(profile: Profile) -> None:
    """Of two posts with one key one is buried, and its likes with it."""
    posted(profile, 1)
    site = FixedSite(201, {"id": "europe-1"})
    perform(profile, "retry", site, number=2)

    assert site.intent.written == "run-1-2"


def test_what_was_sent_again_is_never_taken_back(profile: Profile) -> None:
    """Nobody knows which post its key stands for."""
    for number in (1, 2):
        posted(profile, number)
    perform(profile, "retry", FixedSite(201, {"id": "us-east-5"}))
    site = FixedSite(200, listing())
    perform(profile, "delete", site)

    assert site.asked == [("GET", "/users/user-7/posts", USER)]


def test_what_was_taken_back_is_never_sent_again(profile: Profile) -> None:
    for number in (1, 2, 3):
        posted(profile, number)
    perform(profile, "delete", FixedSite(200, {"deleted": "europe-2"}))
    site = FixedSite(201, {"id": "europe-3"})
    perform(profile, "retry", site)

    assert site.intent.written == "run-1-3"


def test_what_is_still_shown_where_nobody_has_heard_of_its_deletion_is_liked_there_once(profile: Profile) -> None:
    for number in (1, 2):
        posted(profile, number)
    perform(profile, "delete", FixedSite(200, {"deleted": "europe-2"}))
    perform(profile, "strange_look", FixedSite(200, listing("run-1-2"), region="us-east"))
    likes = [FixedSite(200, {"likes": 1}, region=region) for region in ("europe", "us-east", "us-east")]
    for site in likes:
        perform(profile, "like", site)

    there = ("POST", "/tweets/europe-2/like", USER)
    assert [there in site.asked for site in likes] == [False, True, False]
    assert likes[1].intent == NOTHING, "likes of what is deleted count for nothing"


@pytest.mark.parametrize(("status", "known"), [(404, False), (500, False), (200, True)])
def test_only_a_delete_that_was_acknowledged_makes_a_post_one_that_should_be_gone(
    profile: Profile, status: int, known: bool
) -> None:
    for number in (1, 2):
        posted(profile, number)
    perform(profile, "delete", FixedSite(status, {}))
    perform(profile, "own_posts", FixedSite(200, listing("run-1-2")))
    site = FixedSite(200, {"likes": 1})
    perform(profile, "like", site)

    assert (site.asked == [("POST", "/tweets/europe-2/like", USER)]) is known


def test_who_wavers_wavers_about_one_person_for_a_while(profile: Profile) -> None:
    followed, unfollowed, later = (FixedSite(200, {"following": True}) for _ in range(3))
    perform(profile, "follow", followed, number=0)
    perform(profile, "unfollow", unfollowed, number=1499)
    perform(profile, "unfollow", later, number=1500)

    assert followed.asked == [("PUT", "/users/user-8/follow", USER)]
    assert unfollowed.asked == [("DELETE", "/users/user-8/follow", USER)]
    assert later.asked == [("DELETE", "/users/user-9/follow", USER)]


def test_only_what_a_region_has_shown_is_liked_there(profile: Profile) -> None:
    posted(profile, 1)
    before = FixedSite(200, {"likes": 1})
    perform(profile, "like", before)
    perform(profile, "own_posts", FixedSite(200, listing("run-1-1")))
    here, elsewhere = FixedSite(200, {"likes": 1}), FixedSite(200, {"likes": 1}, region="us-west")
    perform(profile, "like", here)
    perform(profile, "like", elsewhere)

    assert (before.intent, elsewhere.intent) == (NOTHING, NOTHING)
    assert here.intent == raises("likes of run-1-1")
    assert here.asked == [("POST", "/tweets/europe-1/like", USER)]


def test_few_posts_are_retweeted_by_many(profile: Profile) -> None:
    """The first ones of all that were shown here, whichever were shown here first."""
    for user in range(1, 13):
        site = FixedSite(201, {"id": f"europe-{user}"}, x_write_token="europe:1.000000")
        action = next(action for action in profile.actions if action.operation == "post")
        action.perform(action.visitor(user, user, 0, "europe"), site)
    for key in reversed(range(1, 13)):
        perform(profile, "own_posts", FixedSite(200, listing(f"run-1-{key}")))
    counters = set()
    for draw in range(100):
        site = FixedSite(200, {"retweets": 1})
        perform(profile, "retweet", site, draw=draw)
        counters.add(site.intent.object)

    assert counters == {f"retweets of run-1-{n}" for n in range(1, 11)}


@pytest.mark.parametrize(
    ("draw", "there", "counted"),
    [
        (0, "run-1-1", ("likes of run-1-1", 3)),
        (1, "run-1-1", ("retweets of run-1-1", 2)),
        (0, "run-1-2", ("", NO_COUNT)),  # a post that has not arrived has no count
    ],
)
def test_strangers_count_what_was_done_with_posts_of_this_run(
    profile: Profile, draw: int, there: str, counted: tuple[str, int]
) -> None:
    posted(profile, 1)
    answer = perform(profile, "strange_count", FixedSite(200, listing(there)), draw=draw)

    assert (answer.object, answer.count) == counted


def test_travellers_are_elsewhere_with_their_session_and_come_home(profile: Profile) -> None:
    away, back = FixedSite(200, listing()), FixedSite(200, listing(), region="us-west")
    perform(profile, "arrival", away, draw=1)
    perform(profile, "return", back)

    assert away.region not in ("europe", "")
    assert back.region == "europe"


@pytest.mark.parametrize(
    ("what", "seen", "count"),
    [("posts of user-7", "run-1-1", NO_COUNT), ("likes of run-1-1", "", 3), ("retweets of run-1-1", "", 2)],
)
def test_in_the_end_everything_is_read_where_it_has_not_been_read_yet(
    profile: Profile, what: str, seen: str, count: int
) -> None:
    posted(profile, 1)
    site = FixedSite(200, listing("run-1-1"))
    site.to_read = (what, "asia-pacific")
    answer = perform(profile, "audit", site)

    assert site.region == "asia-pacific"
    assert site.asked == [("GET", "/users/user-7/posts", None)]
    assert (answer.object, answer.ids_seen, answer.count) == (what, seen, count)


@pytest.mark.parametrize("status", [404, 500, 503])
def test_errors_show_nothing(profile: Profile, status: int) -> None:
    for operation in (spec.name for spec in profile.operations):
        answer = perform(profile, operation, FixedSite(status, {}))

        assert (answer.object, answer.ids_seen, answer.count) == ("", "", NO_COUNT)
