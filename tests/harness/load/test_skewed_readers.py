"""Who looks at whom, what pages show, and what is taken away from them."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from harness.load.answer import Answer
from harness.load.intent import NOTHING, Intent, removes
from harness.load.profile import Profile, load_profile

PATH = Path(__file__).parents[3] / "loadprofiles" / "skewed_readers.py"
USER = 7
CAST = (40, 12, USER, 99)


class FixedLobby:
    """Lets everybody in."""

    cast: Sequence[int] = CAST

    def post(self, path: str, body: object) -> Answer:
        del path, body
        return Answer(200, {}, b'{"token": "t"}')

    def get(self, path: str) -> Answer:
        return self.post(path, {})

    def for_each(self, work: Callable[[int], None], *, at_once: int) -> None:
        del at_once
        for user in self.cast:
            work(user)

    def identify(self, user: int, headers: dict[str, str]) -> None:
        pass


class FixedSite:
    """Gives one answer, whatever is asked, and notes what was."""

    run = "2026-11-22T051108Z-skewed-7f3a"

    def __init__(self, body: object, status: int = 200) -> None:
        self.answer = Answer(status, {}, json.dumps(body).encode())
        self.asked: list[tuple[str, str, int | None]] = []
        self.intent = NOTHING

    def get(self, path: str, *, user: int | None = None) -> Answer:
        return self._asked("GET", path, user, NOTHING)

    def post(self, path: str, body: object, *, user: int, headers: Any, intent: Intent = NOTHING) -> Answer:
        del body, headers
        return self._asked("POST", path, user, intent)

    def put(self, path: str, body: object, *, user: int, intent: Intent = NOTHING) -> Answer:
        del body
        return self._asked("PUT", path, user, intent)

    def delete(self, path: str, *, user: int, intent: Intent = NOTHING) -> Answer:
        return self._asked("DELETE", path, user, intent)

    def _asked(self, method: str, path: str, user: int | None, intent: Intent) -> Answer:
        self.asked.append((method, path, user))
        self.intent = intent
        return self.answer


@pytest.fixture
def profile() -> Profile:
    """Read anew: it remembers what was shown, and to whom."""
    found = load_profile(PATH)
    assert found.prepare is not None
    found.prepare(FixedLobby())
    return found


def perform(profile: Profile, operation: str, site: FixedSite, *, number: int = 5, draw: int = 0) -> FixedSite:
    action = next(action for action in profile.actions if action.operation == operation)
    action.perform(action.visitor(USER, number, draw), site)
    assert len(site.asked) == 1, "an operation asks for exactly one thing"
    return site


def posts(*authors: str, text: str = "rain") -> dict[str, object]:
    return {"posts": [{"id": f"p{n}", "author": author, "text": text} for n, author in enumerate(authors)]}


def page_of(whom: str, *, bio: str = "", text: str = "rain") -> dict[str, object]:
    return {"user": {"id": whom, "bio": bio}, **posts(whom, text=text)}


def shown_at_home(profile: Profile, *authors: str) -> None:
    perform(profile, "home", FixedSite(posts(*authors)))


def test_a_home_timeline_shows_authors_for_its_viewer_and_at_home_and_the_posts_of_this_run(profile: Profile) -> None:
    site = perform(profile, "home", FixedSite(posts("user-9", "user-8", "user-9", text="rain #7f3a-1")))

    assert site.answer.object == "home of user-7"
    assert site.answer.ids_seen.split(",") == [
        *("user-9 for user-7", "user-8 for user-7"),
        *("user-9 at home of user-7", "user-8 at home of user-7"),
        *("7f3a-1", "7f3a-1", "7f3a-1"),
        *("anything of user-9", "anything of user-8"),
    ]


def test_a_profile_shows_a_stranger_its_biography_and_posts_and_nobody_for_a_viewer(profile: Profile) -> None:
    site = perform(profile, "public_profile", FixedSite(page_of("user-40", bio="I am #7f3a-3", text="rain #7f3a-1")))

    assert site.asked == [("GET", "/users/user-40/profile", None)]
    assert (site.answer.object, site.answer.ids_seen) == (
        "profile of user-40",
        "7f3a-3,7f3a-1,anything of user-40",
    )


def test_a_biography_from_before_any_run_is_known_as_the_first(profile: Profile) -> None:
    site = perform(profile, "public_profile", FixedSite(page_of("user-40", bio="writes about rain")))

    assert site.answer.ids_seen == "first biography of user-40,anything of user-40"


@pytest.mark.parametrize(
    ("operation", "path", "body", "right"),
    [
        ("picture", "/media/40.svg?width=320", b"<svg />", True),
        ("picture", "/media/40.svg?width=320", b"{}", False),
        ("asset", "/assets/page.html", b"<!doctype html>", True),
        ("asset", "/assets/page.html", b"", False),
    ],
)
def test_strangers_look_at_pictures_and_load_the_page(
    profile: Profile, operation: str, path: str, body: bytes, right: bool
) -> None:
    site = FixedSite({})
    site.answer = Answer(200, {}, body)
    perform(profile, operation, site)

    assert site.asked == [("GET", path, None)]
    assert (site.answer.why_wrong is None) == right


def test_an_empty_profile_shows_nothing_of_anybody(profile: Profile) -> None:
    site = perform(profile, "public_profile", FixedSite({"user": {"id": "user-40", "bio": ""}, "posts": []}))

    assert (site.answer.object, site.answer.ids_seen) == ("profile of user-40", "")


def test_a_profile_shows_who_is_logged_in_its_author_too(profile: Profile) -> None:
    site = perform(profile, "profile", FixedSite(page_of("user-40")))

    assert site.answer.ids_seen == "user-40 for user-7,anything of user-40"


def test_a_search_shows_authors_and_cached_trends_show_none(profile: Profile) -> None:
    found = {"results": posts("user-9", text="rain #7f3a-1")["posts"]}

    assert perform(profile, "search", FixedSite(found)).answer.ids_seen == "user-9 for user-7,7f3a-1,anything of user-9"
    assert perform(profile, "search", FixedSite({"trends": ["rain"]})).answer.ids_seen == ""


@pytest.mark.parametrize("operation", ["home", "profile", "search", "public_profile"])
def test_an_answer_that_is_none_shows_nothing(profile: Profile, operation: str) -> None:
    assert perform(profile, operation, FixedSite({"error": "no"}, status=503)).answer.object == ""


@pytest.mark.parametrize(
    ("operation", "asked", "gone"),
    [
        ("block", ("PUT", "/users/user-9/block", USER), "user-9 for user-7"),
        ("mute", ("PUT", "/users/user-9/mute", USER), "user-9 for user-7"),
        ("unfollow", ("DELETE", "/users/user-9/follow", USER), "user-9 at home of user-7"),
    ],
)
def test_who_is_at_home_can_be_taken_away_once_and_is_looked_for_again(
    profile: Profile, operation: str, asked: tuple[str, str, int], gone: str
) -> None:
    shown_at_home(profile, "user-9", "user-7")

    site = perform(profile, operation, FixedSite({}))
    again = perform(profile, operation, FixedSite(posts()))
    look = perform(profile, "second_look", FixedSite(page_of("user-9")))

    assert (site.asked, site.intent) == ([asked], removes(gone, of="pages"))
    assert again.asked == [("GET", "/timeline/home", USER)]
    assert look.asked == [("GET", "/users/user-9/profile", USER)]


def test_nobody_takes_everybody_away(profile: Profile) -> None:
    shown_at_home(profile, *(f"user-{number}" for number in range(100, 120)))

    methods = [perform(profile, "block", FixedSite(posts("user-100"))).asked[0][0] for _ in range(8)]

    assert methods == ["PUT"] * 6 + ["GET"] * 2


def test_an_edit_takes_away_the_biography_that_was_acknowledged_before(profile: Profile) -> None:
    intents = [
        perform(profile, "edit_profile", FixedSite({}, status=status), number=number).intent
        for number, status in ((1, 200), (2, 503), (3, 200), (4, 200))
    ]

    first = f"first biography of user-{USER}"
    assert intents == [removes(key, of="pages") for key in (first, "7f3a-1", "7f3a-1", "7f3a-3")]


ERASED = ("DELETE", f"/users/user-{USER}/profile", USER)
AT_HOME = ("GET", "/timeline/home", USER)


def test_who_was_seen_by_somebody_has_everything_erased_once_and_writes_no_more(profile: Profile) -> None:
    unseen = perform(profile, "erase", FixedSite(posts()))
    shown_at_home(profile, f"user-{USER}")
    site = perform(profile, "erase", FixedSite({}))
    later = [perform(profile, operation, FixedSite(posts())) for operation in ("erase", "post", "edit_profile")]

    assert unseen.asked == [AT_HOME]
    assert (site.asked, site.intent) == ([ERASED], removes(f"anything of user-{USER}", of="pages"))
    assert [each.asked for each in later] == [[AT_HOME]] * 3


@pytest.mark.parametrize("operation", ["post", "edit_profile"])
@pytest.mark.parametrize(("status", "asked"), [(201, ERASED), (409, ERASED), (504, AT_HOME), (0, AT_HOME)])
def test_nothing_is_erased_while_something_may_yet_be_done(
    profile: Profile, operation: str, status: int, asked: tuple[str, str, int]
) -> None:
    shown_at_home(profile, f"user-{USER}")
    perform(profile, operation, FixedSite({"id": "us-east-5"}, status=status))

    assert perform(profile, "erase", FixedSite(posts())).asked == [asked]


def test_a_post_is_taken_back_by_its_key(profile: Profile) -> None:
    perform(profile, "post", FixedSite({"id": "us-east-5"}, status=201), number=21)

    site = perform(profile, "delete", FixedSite({}))

    assert site.asked == [("DELETE", "/tweets/us-east-5", USER)]
    assert site.intent == removes("7f3a-21", of="pages")


def test_who_has_nothing_to_take_back_reads_home(profile: Profile) -> None:
    perform(profile, "post", FixedSite({"error": "no"}, status=503), number=21)

    assert perform(profile, "delete", FixedSite(posts())).asked == [("GET", "/timeline/home", USER)]


def test_the_busiest_are_looked_at_most_by_zipfs_law(profile: Profile) -> None:
    draws = [number * 2**32 // 1000 for number in range(1000)]
    looked = Counter(perform(profile, "public_profile", FixedSite({}, 503), draw=draw).asked[0][1] for draw in draws)

    whole = sum(1 / rank**1.8 for rank in range(1, 5))
    expected = {f"/users/user-{user}/profile": 1000 / rank**1.8 / whole for rank, user in enumerate(CAST, start=1)}
    assert dict(looked) == pytest.approx(expected, abs=1)


def test_the_largest_draw_finds_somebody(profile: Profile) -> None:
    assert (
        perform(profile, "public_profile", FixedSite({}, 503), draw=2**32 - 1).asked[0][1] == "/users/user-99/profile"
    )
