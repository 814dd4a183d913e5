import asyncio
import time

import pytest

from reference_system.data.timelines import Cache
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


CACHES = [
    ("a cache had it", [Cache.PROCESS, Cache.REDIS, Cache.DISK], (3, 0)),
    ("none had it", [Cache.BUILT, Cache.JOINED], (0, 2)),
    ("Redis was out of reach", [Cache.FALLBACK, Cache.FALLBACK], (0, 2)),
    ("caches are not for it", [Cache.NONE], (0, 0)),
]


@pytest.mark.parametrize(("caches", "expected"), [row[1:] for row in CACHES], ids=[row[0] for row in CACHES])
def test_caches_had_an_answer_or_it_was_made_without_them(caches: list[Cache], expected: tuple[int, int]) -> None:
    ended = Ended()
    for cache in caches:
        ended.add(8.0, Outcome.OK, 20.0, cache)

    seen = ended.observations(5.0, now_s=9.0, cpu_ratio=0.0)

    assert (seen.cached, seen.built) == expected


def test_nothing_ended_is_nothing_observed() -> None:
    seen = Ended().observations(5.0, now_s=9.0, cpu_ratio=0.0)

    assert (seen.latencies_ms, seen.ok, seen.error) == ([], 0, 0)


def test_idle_slots_are_not_busy() -> None:
    slots = Slots(3, service_time_s=0.02, deadline_s=5.0)

    assert (slots.busy_ratio(1.0, now_s=10.0), slots.busy(10.0), slots.waiting(10.0)) == (0.0, 0, 0)


def test_the_busy_share_is_of_the_slots_that_there_were_at_each_moment() -> None:
    async def one_then_four() -> tuple[float, float]:
        slots, start_s = Slots(1, service_time_s=0.05, deadline_s=1.0), time.monotonic()
        assert await slots.work()
        slots.resize(4)
        grown_s = time.monotonic()
        end_s = grown_s + 1.0
        expected = 0.05 / ((grown_s - start_s) + 4 * (end_s - grown_s))
        return slots.busy_ratio(end_s - start_s, now_s=end_s), expected

    ratio, expected = asyncio.run(one_then_four())

    assert ratio == pytest.approx(expected, rel=0.01)


def test_what_ends_out_of_order_after_growth_is_counted() -> None:
    async def work() -> tuple[int, int, float]:
        slots, start_s = Slots(1, service_time_s=0.2, deadline_s=1.0), time.monotonic()
        async with asyncio.TaskGroup() as tasks:
            for _ in range(3):  # one works, two wait
                tasks.create_task(slots.work())
            await asyncio.sleep(0)
            slots.resize(2)
            tasks.create_task(slots.work())  # starts at once and ends before those that wait
            await asyncio.sleep(0)
            now_s = start_s + 0.1
            seen = slots.busy(now_s), slots.waiting(now_s)
        return *seen, slots.busy_ratio(1.0, now_s=start_s + 0.9)

    busy, waiting, ratio = asyncio.run(work())

    assert (busy, waiting) == (2, 2)
    assert ratio == pytest.approx(0.8 / (0.1 * 1 + 0.9 * 2), rel=0.02)  # one slot before it grew, two afterwards


def test_fewer_slots_serve_fewer_at_once() -> None:
    async def work() -> tuple[int, int]:
        slots = Slots(4, service_time_s=0.05, deadline_s=1.0)
        slots.resize(1)
        async with asyncio.TaskGroup() as tasks:
            for _ in range(3):
                tasks.create_task(slots.work())
            await asyncio.sleep(0)
            now_s = time.monotonic()
            return slots.busy(now_s), slots.waiting(now_s)

    assert asyncio.run(work()) == (1, 2)
