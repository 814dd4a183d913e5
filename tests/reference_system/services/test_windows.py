import pytest

from reference_system.services.outcomes import Outcome
from reference_system.services.slots import Slots
from reference_system.services.windows import Arrivals, Ended


def test_no_arrivals_are_a_rate_of_zero() -> None:
    assert Arrivals(2.0).rate_per_s(5.0) == 0.0


def test_the_rate_counts_exactly_the_trailing_window() -> None:
    arrivals = Arrivals(2.0)
    for n in range(1000):
        arrivals.add(n / 100)

    assert arrivals.rate_per_s(9.99) == pytest.approx(100.0)
    assert arrivals.rate_per_s(11.0) == pytest.approx(49.5)
    assert arrivals.rate_per_s(20.0) == 0.0


def test_latencies_are_those_of_handled_requests_within_the_window() -> None:
    ended = Ended()
    ended.add(1.0, Outcome.OK, 999.0)
    ended.add(8.0, Outcome.OK, 20.0)
    ended.add(8.1, Outcome.ERROR, 5000.0)
    ended.add(8.2, Outcome.SHED, 1.0)
    ended.add(8.3, Outcome.DISABLED, 1.0)

    seen = ended.observations(5.0, now_s=9.0, cpu_ratio=0.5)

    assert sorted(seen.latencies_ms) == [20.0, 5000.0]
    assert (seen.ok, seen.error, seen.shed, seen.disabled, seen.cpu_ratio) == (1, 1, 1, 1, 0.5)


def test_nothing_ended_is_nothing_observed() -> None:
    seen = Ended().observations(5.0, now_s=9.0, cpu_ratio=0.0)

    assert (seen.latencies_ms, seen.ok, seen.error) == ([], 0, 0)


def test_idle_slots_are_not_busy() -> None:
    slots = Slots(3, service_time_s=0.02, deadline_s=5.0)

    assert (slots.busy_ratio(1.0, now_s=10.0), slots.busy(10.0), slots.waiting(10.0)) == (0.0, 0, 0)
