from dataclasses import replace

import pytest

from reference_system.policies import region_failover
from reference_system.policies.failback import LAST, Ramp
from reference_system.policies.region_failover import AT_FIRST, Route, Seen, Standing, State
from reference_system.policies.regions import Region
from tests.reference_system.policies.edge_play import Spans, after, fine, is_in, played

US_EAST, US_WEST, EUROPE, ASIA = Region.US_EAST, Region.US_WEST, Region.EUROPE, Region.ASIA_PACIFIC
FOR_EVER = 9999.0
EUROPE_DOWN: dict[Region, Spans] = {EUROPE: [(10, 20)]}
ALL_DOWN: dict[Region, Spans] = {region: [(10, FOR_EVER)] for region in Region}


@pytest.mark.parametrize(
    ("at_s", "share", "others_go_to", "takes_writes", "why"),
    [
        (0, 1.0, None, True, "trusted at first"),
        (10.5, 1.0, None, True, "two failed probes are a blip"),
        (11, 0.0, US_EAST, False, "the third fails it over, writes and all"),
        (20, 0.0, US_EAST, False, "a success brings nobody back"),
        (34.5, 0.0, US_EAST, False, "held down for 15 s"),
        (35, 0.01, US_EAST, False, "the canary"),
        (40, 0.10, US_EAST, False, "each step is held for 5 s"),
        (45, 0.25, US_EAST, False, "next"),
        (50, 0.50, US_EAST, False, "half of them; their writes still go abroad"),
        (55, 1.0, None, True, "all of them, and their writes"),
    ],
)
def test_a_region_loses_its_users_at_once_and_gets_them_back_in_steps(
    at_s: float, share: float, others_go_to: Region | None, takes_writes: bool, why: str
) -> None:
    route = after(EUROPE_DOWN, at_s)[EUROPE]

    assert (route.share, route.others_go_to, route.takes_writes) == (share, others_go_to, takes_writes), why


def test_nobody_else_is_moved() -> None:
    assert {after(EUROPE_DOWN, 15)[region].share for region in Region if region is not EUROPE} == {1.0}


@pytest.mark.parametrize(
    ("down", "at_s", "region", "share", "others_go_to", "why"),
    [
        ({US_EAST: [(0, 99)]}, 9, US_EAST, 0.0, US_WEST, "the stand-in"),
        ({US_WEST: [(0, 99)]}, 9, US_WEST, 0.0, US_EAST, "the stand-in"),
        ({ASIA: [(0, 99)]}, 9, ASIA, 0.0, US_WEST, "the stand-in"),
        ({EUROPE: [(0, 99)], US_EAST: [(0, 99)]}, 9, EUROPE, 0.0, US_WEST, "it is down too: next in the order"),
        ({EUROPE: [(0, 99)], US_EAST: [(5, 99)]}, 9, EUROPE, 0.0, US_WEST, "also when it goes down later"),
        ({US_EAST: [(0, 99)], US_WEST: [(0, 99)]}, 9, US_EAST, 0.0, EUROPE, "past itself and its stand-in"),
        ({EUROPE: [(0, 99)], US_EAST: [(0, 5)]}, 60, EUROPE, 0.0, US_WEST, "a stand-in that is back changes nothing"),
        (
            {EUROPE: [(10, 99)], US_EAST: [(0, 9)]},
            13,
            EUROPE,
            0.0,
            US_WEST,
            "a stand-in that is still held down is passed by",
        ),
        (
            {EUROPE: [(10, 99)], US_EAST: [(0, 9)], US_WEST: [(0, 99)], ASIA: [(0, 99)]},
            13,
            EUROPE,
            0.0,
            US_EAST,
            "but better than nobody",
        ),
        (ALL_DOWN, 30, EUROPE, 1.0, None, "nobody is healthy: stay at home"),
        ({**ALL_DOWN, EUROPE: [(0, 99)]}, 30, EUROPE, 0.0, US_EAST, "or where they were sent before"),
        ({**ALL_DOWN, EUROPE: [(0, 99)]}, 30, US_EAST, 1.0, None, "nobody is healthy: stay at home"),
        ({**ALL_DOWN, EUROPE: [(0, 20)]}, 20, EUROPE, 1.0, None, "the only healthy one: home at once"),
        ({**ALL_DOWN, EUROPE: [(0, 20)]}, 20, ASIA, 0.0, EUROPE, "and everybody else goes there"),
    ],
)
def test_where_users_go_who_cannot_stay(
    *, down: dict[Region, Spans], at_s: float, region: Region, share: float, others_go_to: Region | None, why: str
) -> None:
    route = after(down, at_s)[region]

    assert (route.share, route.others_go_to) == (share, others_go_to), why


@pytest.mark.parametrize(
    ("down", "at_s", "takes_writes", "why"),
    [
        ({US_EAST: [(30, 99)]}, 31.5, True, "at 0 %: the stand-in is down and the region is not"),
        ({US_EAST: [(30, 32)]}, 34, True, "they stay when the stand-in is back: no change of the writer for nothing"),
        ({US_EAST: [(12, 99)]}, 15, False, "the stand-in is down, but so is the region"),
        ({US_EAST: [(12, 99)]}, 20, True, "until it is healthy"),
        ({EUROPE: [(10, 20), (57, 70)]}, 58, False, "down again during the last hold"),
    ],
)
def test_who_takes_the_writes_in_hard_times(
    down: dict[Region, Spans], at_s: float, takes_writes: bool, why: str
) -> None:
    assert after({**EUROPE_DOWN, **down}, at_s)[EUROPE].takes_writes is takes_writes, why


def test_going_down_again_on_the_way_back_doubles_the_hold_down() -> None:
    down: dict[Region, Spans] = {EUROPE: [(10, 20), (42, 50)]}

    shares = [after(down, at_s)[EUROPE].share for at_s in (42.5, 43, 79.5, 80)]

    assert shares == [0.10, 0.0, 0.0, 0.01]


def test_a_single_failed_probe_starts_the_hold_down_anew() -> None:
    down: dict[Region, Spans] = {EUROPE: [(10, 20), (34, 34.5)]}

    assert [after(down, at_s)[EUROPE].share for at_s in (35, 49, 49.5)] == [0.0, 0.0, 0.01]


def test_a_single_failed_probe_delays_a_step_and_takes_none_back() -> None:
    down: dict[Region, Spans] = {EUROPE: [(10, 20), (40, 40.5)]}

    assert [after(down, at_s)[EUROPE].share for at_s in (39.5, 40, 40.5)] == [0.01, 0.01, 0.10]


@pytest.mark.parametrize("region", list(Region))
def test_a_region_that_comes_and_goes_every_five_seconds_is_failed_over_once(region: Region) -> None:
    flapping: Spans = [(start_s, start_s + 5.0) for start_s in range(10, 130, 10)]
    shares = [
        moment.routes[region].share
        for moment in played(
            lambda it, now_s: fine(it, probe=it is not region or not is_in(now_s, flapping)), until_s=160
        )
    ]

    assert shares.index(0.0) == 22  # the third failed probe, 11 s
    assert set(shares[22 : 22 + 236]) == {0.0}  # until 15 s after the last return at 125 s
    assert shares[-1] > 0.0


def test_replication_that_has_not_caught_up_keeps_users_and_writes_away() -> None:
    def see(region: Region, now_s: float) -> Seen:
        return fine(region, probe=not is_in(now_s, EUROPE_DOWN.get(region, [])), lag_s=40.0 if now_s < 50 else 0.3)

    routes = {moment.now_s: moment.routes[EUROPE] for moment in played(see, until_s=80)}

    assert (routes[49.5].share, routes[49.5].takes_writes) == (0.0, False)
    assert routes[49.5].reason == "returning, 0%: replication not caught up to 1 s"
    assert (routes[50.0].share, routes[70.0].share) == (0.01, 1.0)


def test_lag_counts_from_healthy_regions_only() -> None:
    """A dead region's heartbeat ages for ever; waiting for it would keep everybody else away for ever, too."""
    down: dict[Region, Spans] = {EUROPE: [(10, 20)], ASIA: [(10, FOR_EVER)]}

    def see(region: Region, now_s: float) -> Seen:
        seen = fine(region, probe=not is_in(now_s, down.get(region, [])))
        return replace(seen, lag_s={**seen.lag_s, ASIA: now_s})

    *_, last = played(see, until_s=35)

    assert last.routes[EUROPE].share == 0.01


def test_a_region_whose_lag_is_not_known_from_everywhere_stays_away() -> None:
    def see(region: Region, now_s: float) -> Seen:
        seen = fine(region, probe=not is_in(now_s, EUROPE_DOWN.get(region, [])))
        return replace(seen, lag_s={US_EAST: 0.1, US_WEST: 0.1})

    *_, last = played(see, until_s=60)

    assert (last.routes[EUROPE].share, last.routes[EUROPE].reason) == (0.0, "returning, 0%: replication lag unknown")


def test_going_back_from_all_users_to_half_of_them_keeps_the_writes() -> None:
    returned = Standing(ramp=Ramp(step=LAST, entered_s=0.0), takes_writes=True, refuge=US_EAST)
    slow = replace(fine(EUROPE), latency_p99_ms=900.0)

    _, routes = region_failover.decide({**AT_FIRST, EUROPE: returned}, {EUROPE: slow}, 1.0)

    assert (routes[EUROPE].share, routes[EUROPE].others_go_to, routes[EUROPE].takes_writes) == (0.50, US_EAST, True)


def test_writes_leave_with_the_last_user() -> None:
    returned = Standing(ramp=Ramp(step=1, entered_s=0.0), takes_writes=True, refuge=US_EAST)
    slow = replace(fine(EUROPE), latency_p99_ms=900.0)

    _, routes = region_failover.decide({**AT_FIRST, EUROPE: returned}, {EUROPE: slow}, 1.0)

    assert (routes[EUROPE].share, routes[EUROPE].takes_writes) == (0.0, False)


def test_a_region_that_was_not_probed_is_what_it_was() -> None:
    state, routes = region_failover.decide(AT_FIRST, {}, 5.0)

    assert state == AT_FIRST
    assert {route.reason for route in routes.values()} == {"healthy"}


def test_an_edge_that_was_paused_has_not_seen_the_region_healthy_meanwhile() -> None:
    down = EUROPE_DOWN[EUROPE]
    *_, last = played(lambda it, now_s: fine(it, probe=it is not EUROPE or not is_in(now_s, down)), until_s=22)

    _, routes = region_failover.decide(last.state, {region: fine(region) for region in Region}, 300.0)

    assert routes[EUROPE].share == 0.0


def test_failed_probes_are_in_a_row_however_long_each_takes() -> None:
    state: State = AT_FIRST
    routes: dict[Region, Route] = {}
    for now_s in (10.0, 20.0, 30.0):
        state, routes = region_failover.decide(state, {EUROPE: Seen(probe=False)}, now_s)

    assert not routes[EUROPE].healthy


@pytest.mark.parametrize(
    ("down", "at_s", "region", "reason"),
    [
        ({}, 1, EUROPE, "healthy"),
        (EUROPE_DOWN, 15, EUROPE, "unhealthy: its users go to us-east"),
        (EUROPE_DOWN, 30, EUROPE, "held down until it has stayed healthy for long enough"),
        (EUROPE_DOWN, 35, EUROPE, "returning, 1%: all gates are open"),
        (EUROPE_DOWN, 60, EUROPE, "all its users are back"),
        (ALL_DOWN, 30, EUROPE, "no region is healthy: its users stay where they are"),
        ({**ALL_DOWN, EUROPE: []}, 30, EUROPE, "the only healthy region: it keeps its users"),
    ],
)
def test_the_reason_is_said_in_words(down: dict[Region, Spans], at_s: float, region: Region, reason: str) -> None:
    assert after(down, at_s)[region].reason == reason
