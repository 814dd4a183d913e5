"""Planted defects that a client sees in the answers of one level."""

import pytest

from tests.reference_system.e2e.conftest import StartApi

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def test_planted_no_banner(start_api: StartApi) -> None:
    api = start_api(DEFECT="no_banner")
    api.tell_level(2)
    answer = api.get("/timeline/home", headers=api.user(7))

    assert "x-degraded-banner" not in answer.headers
    assert "banner" not in answer.json()


def test_planted_search_at_critical(start_api: StartApi) -> None:
    api = start_api(DEFECT="search_stays_on_at_critical")
    api.tell_level(3)

    assert "results" in api.get("/search/posts?q=rain").json()
    assert api.metric('feature_enabled{feature="search"}') == 1


def test_planted_lying_flag(start_api: StartApi) -> None:
    api = start_api(DEFECT="flag_says_off_but_feature_runs")
    api.tell_level(2)
    posts = api.get("/timeline/home", headers=api.user(7)).json()["posts"]
    times = [post["created_at"] for post in posts]

    assert api.metric('feature_enabled{feature="algorithmic_timeline"}') == 0
    assert times != sorted(times, reverse=True)
    assert any("preview" in post.get("media", {}) for post in posts)
