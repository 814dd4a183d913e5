"""What must hold whatever happens: outages, bad figures and lag in any order."""

from collections.abc import Callable
from dataclasses import replace
from itertools import accumulate, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reference_system.policies import region_failover
from reference_system.policies.data_placement import Datum, write_region
from reference_system.policies.failback import SHARES, Rules
from reference_system.policies.region_failover import AT_FIRST, Seen
from reference_system.policies.regions import Region, stand_in_of
from reference_system.services import edge_nginx
from tests.reference_system.policies.edge_play import fine, played

pytestmark = pytest.mark.slow

QUICK = Rules(hold_down_s=3.0, hold_down_s_at_most=12.0, fail_over_counts_for_s=60.0, hold_s=2.0)
GROUPS = st.integers(0, 15).map(lambda bits: frozenset(r for n, r in enumerate(Region) if bits >> n & 1))
# For some seconds: who is down, who is slow, who is behind.
CHAPTERS = st.lists(st.tuples(st.integers(1, 24), GROUPS, GROUPS, GROUPS), min_size=1, max_size=8)
Chapters = list[tuple[int, frozenset[Region], frozenset[Region], frozenset[Region]]]


def story(chapters: Chapters) -> tuple[Callable[[Region, float], Seen], float]:
    """What an edge sees, and until when; figures are bad half as often as the chapters say, so that ramps get far."""
    ends_s = list(accumulate(chapter[0] for chapter in chapters))

    def see(region: Region, now_s: float) -> Seen:
        number = next((n for n, end_s in enumerate(ends_s) if now_s < end_s), len(chapters) - 1)
        _, down, slow, behind = chapters[number]
        seen = fine(region, probe=region not in down, lag_s=9.0 if region in behind and number % 2 else 0.3)
        return replace(seen, latency_p99_ms=900.0) if region in slow and number % 2 else seen

    return see, float(ends_s[-1])


@settings(max_examples=60, deadline=None)
@given(CHAPTERS)
def test_every_user_is_sent_to_a_healthy_region_while_there_is_one(chapters: Chapters) -> None:
    see, until_s = story(chapters)
    for moment in played(see, until_s=until_s, rules=QUICK):
        routes = moment.routes
        healthy = {region for region in Region if routes[region].healthy}
        for region, route in routes.items():
            assert route.share in SHARES
            assert (route.others_go_to is None) == (route.share == 1.0)
            assert route.others_go_to is not region
            if healthy:
                assert route.share == 0.0 or region in healthy
                assert route.others_go_to is None or route.others_go_to in healthy


@settings(max_examples=60, deadline=None)
@given(CHAPTERS)
def test_writes_are_taken_whenever_home_or_its_stand_in_is_healthy(chapters: Chapters) -> None:
    see, until_s = story(chapters)
    for moment in played(see, until_s=until_s, rules=QUICK):
        told = edge_nginx.decisions(moment.routes)
        healthy, writing = _regions(told["healthy"]), _regions(told["writing"])
        for region, route in moment.routes.items():
            writer = write_region(Datum.TWEET, home=region, current=region, writing=writing, healthy=healthy)
            candidates = healthy & {region, stand_in_of(region)}
            assert (writer in candidates) if candidates else (writer is None)
            assert writer is not region or route.takes_writes


def _regions(told: str) -> set[Region]:
    return {Region(name) for name in told.split(",") if name and name != edge_nginx.NONE}


@settings(max_examples=60, deadline=None)
@given(CHAPTERS)
def test_users_come_back_one_step_at_a_time_and_never_before_a_hold(chapters: Chapters) -> None:
    see, until_s = story(chapters)
    changed_s = dict.fromkeys(Region, -QUICK.hold_s)
    for before, now in pairwise(played(see, until_s=until_s, rules=QUICK)):
        alone = sum(route.healthy for route in now.routes.values()) == 1
        for region in Region:
            old, new = (SHARES.index(moment.routes[region].share) for moment in (before, now))
            if new > old and not alone:
                assert new == old + 1
                assert now.now_s - changed_s[region] >= QUICK.hold_s
            if new != old:
                changed_s[region] = now.now_s


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(Region), st.integers(1, 29), st.integers(1, 29), st.integers(0, 20))
def test_a_flapping_region_is_failed_over_at_most_once(region: Region, down: int, up: int, first: int) -> None:
    """Half seconds; a region that stays up for as long as the hold-down of 15 s does not flap."""

    def see(it: Region, now_s: float) -> Seen:
        ticks = int(now_s * 2) - first
        return fine(it, probe=it is not region or ticks < 0 or ticks % (down + up) >= down)

    *_, last = played(see, until_s=120.0)

    assert len(last.state[region].failed_over_s) == (1 if down >= region_failover.UNHEALTHY_AFTER else 0)
    assert all(not last.state[other].failed_over_s for other in Region if other is not region)


@settings(max_examples=40, deadline=None)
@given(CHAPTERS, st.integers(1, 10**6))
def test_edges_that_see_the_same_decide_the_same_whenever_their_clocks_began(chapters: Chapters, start: int) -> None:
    see, until_s = story(chapters)
    one = [moment.routes for moment in played(see, until_s=until_s, rules=QUICK)]
    other = [moment.routes for moment in played(see, until_s=until_s, rules=QUICK, start_s=float(start))]

    assert one == other


@settings(max_examples=40, deadline=None)
@given(CHAPTERS)
def test_the_order_in_which_regions_are_listed_does_not_matter(chapters: Chapters) -> None:
    see, until_s = story(chapters)
    state = AT_FIRST
    for moment in played(see, until_s=until_s, rules=QUICK):
        seen = {region: see(region, moment.now_s) for region in reversed(Region)}
        backwards = {region: state[region] for region in reversed(Region)}
        state, routes = region_failover.decide(backwards, seen, moment.now_s, rules=QUICK)
        assert (state, routes) == (moment.state, moment.routes)
