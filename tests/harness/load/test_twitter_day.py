"""The day's mix, and what it reads out of answers: only what they really show."""

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from harness.load.answer import Answer
from harness.load.intent import NOTHING, Intent, adds
from harness.load.profile import Profile, load_profile

PROFILE: Profile = load_profile(Path(__file__).parents[3] / "loadprofiles" / "twitter_day.py")


class FixedSite:
    """Gives one answer, whatever is asked."""

    run = "run-1"

    def __init__(self, status: int, body: object, headers: dict[str, str] | None = None) -> None:
        self.answer = Answer(status, headers or {}, json.dumps(body).encode())
        self.asked: list[tuple[Any, ...]] = []
        self.intent = NOTHING

    def get(self, path: str, *, user: int | None = None) -> Answer:
        self.asked.append(("GET", path, user))
        return self.answer

    def websocket(self, path: str, *, user: int | None = None) -> Answer:
        self.asked.append(("WEBSOCKET", path, user))
        return self.answer

    def post(
        self, path: str, body: object, *, user: int | None = None, headers: Any = None, intent: Intent = NOTHING
    ) -> Answer:
        self.intent = intent
        self.asked.append(("POST", path, user, body, headers))
        return self.answer


def performed(operation: str, site: FixedSite, *, draw: int = 0) -> Answer:
    action = next(action for action in PROFILE.actions if action.operation == operation)
    action.perform(action.visitor(7, 99, draw), site)
    return site.answer


def test_the_mix_by_priority_is_ten_fifty_twenty_five_fifteen() -> None:
    by_priority: defaultdict[int, float] = defaultdict(float)
    for spec in PROFILE.operations:
        by_priority[spec.priority] += spec.share
    shares = {spec.name: spec.share for spec in PROFILE.operations}

    assert dict(by_priority) == pytest.approx({1: 0.10, 2: 0.50, 3: 0.25, 4: 0.15})
    assert shares == pytest.approx(
        {"home": 0.30, "profile": 0.12, "notifications": 0.08, "post": 0.08, "login": 0.017, "sign_up": 0.003}
        | {"search": 0.20, "realtime": 0.05, "trending": 0.08, "suggestions": 0.07}
    )
    assert {spec.name for spec in PROFILE.operations if spec.writes} == {"post", "sign_up"}


def posts(*times: float, media: list[dict[str, object]] | None = None) -> list[dict[str, object]]:
    made: list[dict[str, object]] = [{"id": str(n), "created_at": time} for n, time in enumerate(times)]
    for post, one in zip(made, media or [], strict=False):
        post["media"] = one
    return made


LINK: dict[str, object] = {"link": "x"}
PREVIEWED: dict[str, object] = {"link": "x", "preview": {}}
NEWEST_FIRST = (9, 8, 7, 6, 5, 4, 3, 2, 1)


@pytest.mark.parametrize(
    ("operation", "status", "body", "on", "off", "why"),
    [
        ("home", 200, {"posts": []}, "", "analytics_tracking", "an empty timeline shows no order and no media"),
        ("home", 200, {"posts": [], "analytics_event": "e"}, "analytics_tracking", "", "an event is tracked"),
        ("home", 200, {"posts": posts(1, 2)}, "algorithmic_timeline", "analytics_tracking", "older first: ranked"),
        ("home", 200, {"posts": posts(3, 2, 1)}, "", "analytics_tracking", "three in order may be chance"),
        ("home", 200, {"posts": posts(*NEWEST_FIRST)}, "", "algorithmic_timeline analytics_tracking", "so many not"),
        ("home", 200, {"posts": posts(*[1] * 9)}, "", "analytics_tracking", "equal times show no order"),
        ("profile", 200, {"user": {"id": 1}, "posts": []}, "", "", "a profile without posts shows nothing"),
        ("profile", 200, {"user": {"id": 1}, "posts": posts(2, 1, media=[LINK])}, "", "media_previews", "bare link"),
        ("profile", 200, {"user": {"id": 1}, "posts": posts(1, media=[PREVIEWED])}, "media_previews", "", "preview"),
        ("search", 200, {"results": []}, "search", "", "no hits are an answer too"),
        ("search", 200, {"trends": ["cats"]}, "", "search", "trends instead"),
        ("trending", 200, {"topics": ["cats"]}, "trending_topics", "", "topics"),
        ("trending", 200, {"topics": []}, "", "trending_topics", "no topics"),
        ("suggestions", 200, {"users": [1]}, "who_to_follow", "", "somebody"),
        ("suggestions", 200, {"users": []}, "", "who_to_follow", "nobody"),
        ("realtime", 101, {"unread": 0}, "real_time_updates", "", "a frame came"),
        ("post", 201, {"id": "p1"}, "new_tweets", "", "posted"),
        ("notifications", 200, {"notifications": []}, "", "", "no feature hangs on them"),
        ("login", 200, {"user": 7, "token": "t"}, "", "", "nor on a login"),
    ],
)
def test_features_are_read_from_content(  # noqa: PLR0917 (a table's columns)
    operation: str, status: int, body: dict[str, object], on: str, off: str, why: str
) -> None:
    answer = performed(operation, FixedSite(status, body))

    assert (answer.on or set(), answer.off or set()) == (set(on.split()), set(off.split())), why
    assert answer.why_wrong is None


@pytest.mark.parametrize("spec", PROFILE.operations, ids=lambda spec: spec.name)
def test_an_error_shows_no_feature(spec: Any) -> None:
    answer = performed(spec.name, FixedSite(500, {}))

    assert (answer.on, answer.off, answer.why_wrong) == (None, None, None)


@pytest.mark.parametrize(("operation", "feature"), [("post", "new_tweets"), ("realtime", "real_time_updates")])
def test_a_marked_refusal_shows_its_own_feature_off(operation: str, feature: str) -> None:
    refused = performed(operation, FixedSite(503, {}, {"x-disabled-feature": feature}))
    shed = performed(operation, FixedSite(503, {}, {"x-shed": "overload"}))

    assert (refused.on, refused.off) == (None, {feature})
    assert (shed.on, shed.off) == (None, None)


@pytest.mark.parametrize(
    ("operation", "status", "body"),
    [
        ("profile", 200, {"user": None, "posts": []}),
        ("search", 200, {"error": "no"}),
        ("notifications", 200, {"notifications": "none"}),
        ("login", 200, {"token": ""}),
        ("post", 201, {"id": ""}),
        ("sign_up", 201, {"user": ""}),
    ],
)
def test_an_answer_to_something_else_is_wrong(operation: str, status: int, body: dict[str, object]) -> None:
    assert performed(operation, FixedSite(status, body)).why_wrong is not None


def test_a_post_carries_a_key_of_its_run_and_says_what_it_adds_before_it_is_sent() -> None:
    site = FixedSite(201, {"id": "p1"})
    performed("post", site)

    assert site.asked[0][4] == {"Idempotency-Key": "run-1-99"}
    assert site.intent == adds("run-1-99", to="posts of user-7")


def test_every_operation_asks_for_exactly_one_thing_on_its_route() -> None:
    for spec in PROFILE.operations:
        site = FixedSite(404, {})
        performed(spec.name, site)
        method, path = spec.route.replace("{id}", "user-1").split(" ")

        assert len(site.asked) == 1
        assert site.asked[0][0] == ("WEBSOCKET" if spec.name == "realtime" else method)
        assert site.asked[0][1].partition("?")[0] == path
