import math
from dataclasses import replace

import pytest

from harness.verify.failover.routes import Routes, routes_of
from harness.verify.moments import Moment
from tests.harness.verify.a_failover import AWAY, HEALTHY_AGAIN, HOME, RAMP, STRUCK_S, Failover, Routing, a_failover

BEGAN = Moment.exactly(STRUCK_S, "events")


def _routes(failover: Failover) -> Routes:
    routes = routes_of(failover.built(), "us-east")
    assert routes is not None
    return routes


@pytest.fixture(scope="module")
def logged() -> Routes:
    return _routes(a_failover())


@pytest.fixture(scope="module")
def scraped() -> Routes:
    return _routes(replace(a_failover(), logged=False))


def test_log_and_scrapes_tell_the_same_steps(logged: Routes, scraped: Routes) -> None:
    shares = [(step.share, step.healthy, step.takes_writes) for step in logged.steps]

    assert shares == [(step.share, step.healthy, step.takes_writes) for step in scraped.steps]
    for told, seen in zip(logged.steps[1:], scraped.steps[1:], strict=True):
        assert seen.since.earliest_s <= told.since.at_s <= seen.since.latest_s


def test_a_region_that_never_lost_anybody_has_one_step() -> None:
    routes = routes_of(a_failover().built(), "europe")

    assert routes is not None
    assert len(routes.steps) == 1
    assert (routes.fail_overs(), routes.away(), routes.left(BEGAN)) == ((), [], None)


def test_nobody_tells() -> None:
    assert routes_of(replace(a_failover(), logged=False, scraped=False).built(), "us-east") is None


def test_the_marks_of_a_log_are_exact(logged: Routes) -> None:
    left, detected = logged.left(BEGAN), logged.detected(BEGAN)

    assert left is not None
    assert detected is not None
    assert left.at_s == AWAY.at_s
    assert detected.at_s == pytest.approx(AWAY.at_s - 0.004)


def test_what_was_before_the_fault_is_none_of_its_marks(logged: Routes) -> None:
    assert logged.left(Moment.exactly(40.0, "events")) is None


def test_a_change_seen_by_a_scrape_cannot_be_older_than_its_cause(scraped: Routes) -> None:
    left = scraped.left(Moment.exactly(31.8, "events"))

    assert left is not None
    assert left.earliest_s == 31.8


def test_the_ramp_ends_with_all_users(logged: Routes) -> None:
    left = logged.left(BEGAN)
    assert left is not None
    steps = logged.ramp(left, 120.0)

    assert [step.share for step in steps] == [0.01, 0.10, 0.25, 0.50, 1.0]
    assert steps[-1].since.at_s == HOME.at_s


def test_a_step_back_of_the_ramp_is_no_fail_over() -> None:
    stepped_back = replace(HEALTHY_AGAIN, at_s=67.0)
    routes = _routes(a_failover().routed(AWAY, HEALTHY_AGAIN, RAMP[0], stepped_back, HOME))

    assert len(routes.fail_overs()) == 1


def test_every_loss_of_all_users_counts() -> None:
    routes = _routes(a_failover().routed(AWAY, RAMP[3], replace(AWAY, at_s=76.0), HOME))

    assert [moment.at_s for moment in routes.fail_overs()] == [AWAY.at_s, 76.0]


def test_writes_are_away_until_they_come_home(logged: Routes) -> None:
    (away,) = logged.away()

    assert (away.start.at_s, away.end and away.end.at_s) == (AWAY.at_s, HOME.at_s)


def test_writes_that_never_come_home_are_away_to_the_end() -> None:
    (away,) = _routes(a_failover().routed(AWAY)).away()

    assert away.end is None


def test_a_log_that_was_cut_is_less_than_what_was_scraped() -> None:
    routes = _routes(a_failover().altering_log(lambda lines: lines[:2]))

    assert [step.since.source for step in routes.steps[1:]] == ["metrics"] * 7


@pytest.mark.parametrize(
    "broken",
    [
        {"routes": "none"},
        {"routes": {"us-east": ""}},
        {"routes": {"us-east": "many us-west"}},
        {"routes": {"us-east": None}},
        {"at_s": None},
    ],
)
def test_lines_that_cannot_be_read_are_left_out(broken: dict[str, object]) -> None:
    silent = replace(a_failover(), scraped=False)
    run = silent.altering_log(lambda lines: [{**line, **broken} for line in lines]).built()

    assert routes_of(run, "us-east") is None


def test_a_router_without_lists_of_regions_means_all() -> None:
    told = Routing(40.0, 0.5)
    bare = (
        a_failover()
        .routed(told)
        .altering_log(lambda lines: [{**line, "routes": {"us-east": "50 us-west"}} for line in lines])
    )
    routes = _routes(replace(bare, scraped=False))

    assert [(step.share, step.takes_writes) for step in routes.steps] == [(1.0, True), (0.5, True)]
    assert routes.steps[0].since.at_s == -math.inf
