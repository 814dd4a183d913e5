"""Capacity and shedding of a real replica under an open load."""

import collections

import pytest

from reference_system.services.tokens import Tokens
from tests.reference_system import open_load
from tests.reference_system.e2e.conftest import Client, StartApi
from tests.reference_system.open_load import Answered

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.measured]

HOME, SEARCH, TRENDING = "/timeline/home", "/search/posts?q=rain", "/trending"


def offered(api: Client, rate_per_s: float, for_s: float, *paths: str) -> list[Answered]:
    token = Tokens("not-a-secret").issue("user-7", "europe")
    return open_load.offered(str(api.base_url), paths, rate_per_s=rate_per_s, for_s=for_s, token=token)


def test_a_saturated_replica_delivers_slots_over_service_time(start_api: StartApi) -> None:
    api = start_api(TARGET_RATE="100000")

    rows = offered(api, 220, 2.5, HOME)

    served = [row for row in rows if row.status == 200 and 0.5 <= row.finished_s < 2.5]
    assert len(served) / 2.0 == pytest.approx(150, rel=0.03)
    assert api.tell_level(0).json()["cpu_ratio"] > 0.4


@pytest.mark.nightly  # overload_sheds_by_priority shows the same, and more of it, in every test run
def test_shed_shares_follow_the_table_at_twice_the_target(start_api: StartApi) -> None:
    api = start_api(SERVICE_TIME_MS="1")

    rows = offered(api, 200, 6, HOME, SEARCH, TRENDING)

    shed: dict[str, list[bool]] = collections.defaultdict(list)
    for row in rows:
        if row.sent_s > 2.2:
            shed[row.headers["x-priority"]].append("x-shed" in row.headers)
    for priority, ratio in (("2", 0.25), ("3", 0.5), ("4", 0.75)):
        share = sum(shed[priority]) / len(shed[priority])
        # Four standard errors of about 250 draws.
        assert share == pytest.approx(ratio, abs=4 * (ratio * (1 - ratio) / len(shed[priority])) ** 0.5)


@pytest.mark.nightly
def test_planted_shedding_after_the_handler_makes_refusals_expensive(start_api: StartApi) -> None:
    busy = {}
    for defect in ("", "sheds_after_the_handler"):
        api = start_api(TARGET_RATE="1", DEFECT=defect)
        offered(api, 60, 1.5, TRENDING)
        busy[defect] = api.tell_level(0).json()["cpu_ratio"]

    assert busy["sheds_after_the_handler"] > 3 * busy[""]


@pytest.mark.nightly
def test_planted_counting_of_shed_as_errors(start_api: StartApi) -> None:
    observed = {}
    for defect in ("", "counts_shed_as_errors"):
        api = start_api(TARGET_RATE="1", DEFECT=defect)
        offered(api, 50, 1, TRENDING)
        observed[defect] = api.tell_level(0).json()

    assert (observed[""]["error"], observed["counts_shed_as_errors"]["shed"]) == (0, 0)
    assert observed[""]["shed"] > 30
    assert observed["counts_shed_as_errors"]["error"] > 30
