"""What holds for any inputs that are in range."""

import json
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.capacity.database import stored_tweets
from harness.capacity.growth import exact, grown
from harness.capacity.inputs import Inputs
from harness.capacity.plan import MAX_YEARS, Year, plan
from harness.capacity.timeline_api import ServerRate
from harness.loading.mistakes import convert
from harness.loading.yaml_file import parsed
from harness.units import Count, PerSecond, enc_hook
from tests.harness.capacity.some import any_inputs

pytestmark = pytest.mark.slow
few = settings(deadline=None, max_examples=50)  # a busy machine is slow now and then
YEARS = st.integers(0, MAX_YEARS)


def needs(year: Year) -> tuple[int, ...]:
    return (year.timeline_api.servers, year.redis.nodes, year.redis.required_bytes, year.database.required_bytes)


def all_at_least(more: tuple[int, ...], less: tuple[int, ...]) -> bool:
    return all(one >= other for one, other in zip(more, less, strict=True))


@few
@given(inputs=any_inputs(), name=st.sampled_from(["daily_active_users", "tweets_per_day", "hot_users"]), data=st.data())
def test_more_demand_never_needs_less(inputs: Inputs, name: str, data: st.DataObject) -> None:
    more = data.draw(st.integers(int(getattr(inputs.demand, name)), 10**12))
    demand = msgspec.structs.replace(inputs.demand, **{name: Count(more)})

    before, after = plan(inputs), plan(msgspec.structs.replace(inputs, demand=demand))

    assert all_at_least(needs(after.years[0]), needs(before.years[0]))


@few
@given(inputs=any_inputs(), slow=st.floats(0.001, 100_000), fast=st.floats(0.001, 100_000))
def test_faster_servers_are_never_more_servers(inputs: Inputs, slow: float, fast: float) -> None:
    slow, fast = sorted((slow, fast))

    servers = [
        plan(inputs, server=ServerRate(rps=PerSecond(rate), source="given")).years[0].timeline_api.servers
        for rate in (slow, fast)
    ]

    assert servers[1] <= servers[0]


@few
@given(inputs=any_inputs())
def test_servers_suffice_and_one_less_would_not(inputs: Inputs) -> None:
    api, figures = plan(inputs).years[0].timeline_api, inputs.timeline_api
    a_server = exact(figures.rps_per_server)

    assert api.servers * a_server >= api.with_headroom_rps
    assert (api.servers - 1) * a_server < api.with_headroom_rps + 1
    assert api.servers_per_region_floor * figures.regions <= api.servers
    assert api.servers_per_region_ceiling * figures.regions >= api.servers
    assert api.servers_per_region_ceiling - api.servers_per_region_floor in (0, 1)


@few
@given(inputs=any_inputs())
def test_nodes_have_room_left_and_one_less_would_have_none(inputs: Inputs) -> None:
    needed, a_node = plan(inputs).years[0].redis, exact(inputs.redis.usable_per_node)

    assert needed.nodes * a_node > needed.required_bytes
    assert (needed.nodes - 1) * a_node <= needed.required_bytes + 1


@few
@given(inputs=any_inputs())
def test_no_year_needs_less_than_the_one_before(inputs: Inputs) -> None:
    years = plan(inputs, years=5).years

    assert [year.year for year in years] == [0, 1, 2, 3, 4, 5]
    assert all(all_at_least(needs(later), needs(year)) for year, later in pairwise(years))


@few
@given(inputs=any_inputs(), year=YEARS)
def test_stored_tweets_lie_between_all_at_todays_rate_and_all_at_the_last_years(inputs: Inputs, year: int) -> None:
    stored, demand = stored_tweets(inputs, year=year), inputs.demand
    kept = exact(inputs.database.tweets_kept)

    assert kept * exact(demand.tweets_per_day) <= stored <= kept * grown(demand.tweets_per_day, demand, year=year)


@few
@given(inputs=any_inputs())
def test_the_inputs_that_a_plan_repeats_are_a_file_of_the_same_inputs(inputs: Inputs) -> None:
    text = msgspec.json.encode(plan(inputs), enc_hook=enc_hook).decode()

    document = parsed(Path("inputs.yaml"), json.dumps(json.loads(text)["inputs"]))

    assert convert(document, document.value, Inputs) == inputs
