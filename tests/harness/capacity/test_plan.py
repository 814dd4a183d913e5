"""A plan as a whole: its years, its demand, where a server's rate comes from, and what it is not asked for."""

import msgspec
import pytest

from harness.capacity.inputs import Inputs, out_of_range
from harness.capacity.plan import MAX_YEARS, plan
from harness.capacity.timeline_api import ServerRate
from harness.units import PerSecond
from tests.harness.capacity.some import FIELDS, inputs_with


def test_without_a_horizon_there_is_today_only() -> None:
    assert [year.year for year in plan(Inputs()).years] == [0]


def test_all_three_counts_grow_each_year_and_are_whole() -> None:
    years = plan(inputs_with(demand={"hot_users": 10}), years=2).years

    assert [year.daily_active_users for year in years] == [200_000_000, 250_000_000, 312_500_000]
    assert [year.tweets_per_day for year in years] == [500_000_000, 625_000_000, 781_250_000]
    assert [year.hot_users for year in years] == [10, 12, 15]  # 12.5 and 15.625


def test_a_server_is_assumed_to_do_what_the_inputs_say_unless_it_was_measured() -> None:
    inputs = inputs_with(timeline_api={"rps_per_server": "500/s"})
    measured = ServerRate(rps=PerSecond(1000), source="measured by a run")

    assumed_plan, measured_plan = plan(inputs), plan(inputs, server=measured)

    assert assumed_plan.server == ServerRate(rps=PerSecond(500), source="assumed")
    assert assumed_plan.years[0].timeline_api.servers == 362  # 180,555.6 / 500 = 361.1
    assert measured_plan.server is measured
    assert measured_plan.years[0].timeline_api.servers == 181


@pytest.mark.parametrize("year", [-1, MAX_YEARS + 1])
def test_a_horizon_that_makes_no_sense_is_the_callers_mistake(year: int) -> None:
    with pytest.raises(AssertionError):
        plan(Inputs(), years=year)


def test_the_default_inputs_are_in_range_and_nan_is_not() -> None:
    nan = msgspec.structs.replace(Inputs().timeline_api, peak_factor=float("nan"))

    assert not list(out_of_range(Inputs()))
    assert list(out_of_range(msgspec.structs.replace(Inputs(), timeline_api=nan))) == [
        (("timeline_api", "peak_factor"), "must be from 1 to 1000")
    ]


@pytest.mark.parametrize(("section", "name"), FIELDS)
def test_every_input_has_a_range_whose_ends_belong_to_it(section: str, name: str) -> None:
    _, allowed = FIELDS[section, name]
    values = getattr(Inputs(), section)

    def places_out_of_range(value: float) -> list[tuple[str, str]]:
        changed = msgspec.structs.replace(values, **{name: value})
        return [place for place, _ in out_of_range(msgspec.structs.replace(Inputs(), **{section: changed}))]

    assert [places_out_of_range(inside) for inside in (allowed.low, allowed.high)] == [[], []]
    assert [places_out_of_range(outside) for outside in (-1, allowed.high * 2)] == [[(section, name)]] * 2
