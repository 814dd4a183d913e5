"""Which answers the caches in front of the API may keep."""

from dataclasses import replace

import pytest

from reference_system.data.timelines import Cache
from reference_system.policies.degradation import Level
from reference_system.services.answers import Answer
from reference_system.services.cacheability import cache_control
from tests.reference_system.services.calls import a_call

PROFILE = "/users/user-7/profile"
FOUND = Answer(body={"user": {}}, cache=Cache.REDIS)


@pytest.mark.parametrize("level", [*Level])
def test_what_strangers_are_shown_is_kept_at_every_level_or_it_would_go_when_it_is_needed_most(level: Level) -> None:
    call = replace(a_call("GET", PROFILE), level=level)

    assert cache_control(call, FOUND) == b"public, s-maxage=5, stale-while-revalidate=55"


@pytest.mark.parametrize(
    ("why", "headers", "answer", "said"),
    [
        ("who is logged in may filter", {"Authorization": "Bearer user-1~us-east.0"}, FOUND, b"private, no-cache"),
        ("who has written has to see it", {"X-Read-After": "us-east:1.000000"}, FOUND, b"no-store"),
        ("the disk's page is the last resort", {}, replace(FOUND, cache=Cache.DISK), b"no-store"),
        ("nothing was found", {}, replace(FOUND, status=404), b"no-store"),
        ("the feature is off", {}, replace(FOUND, disabled="trending_topics"), b"no-store"),
    ],
)
def test_what_is_not_for_everybody_is_not_kept(why: str, headers: dict[str, str], answer: Answer, said: bytes) -> None:
    assert cache_control(a_call("GET", PROFILE, headers), answer) == said, why
