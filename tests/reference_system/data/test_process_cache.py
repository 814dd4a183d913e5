from prometheus_client import CollectorRegistry, Counter

from reference_system.data.lifetimes import ttl_ms
from reference_system.data.process_cache import Kept, ProcessCache


class Cache(ProcessCache[str]):
    """Open, of two entries for 30 s; remembers how it was asked."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        requests = Counter("cache_requests_total", "", ["layer", "result"], registry=self.registry)
        super().__init__(ttl_s=30.0, most=2, requests=requests)
        self.open()

    def put(self, key: str, value: str, now_s: float = 0.0) -> bool:
        return self.keep(key, value, self.reading(key), now_s)

    def asked(self, result: str) -> float | None:
        return self.registry.get_sample_value("cache_requests_total", {"layer": "process", "result": result})


def test_what_is_kept_is_found_with_its_age_until_its_life_is_over() -> None:
    cache = Cache()
    cache.put("a", "x", now_s=10.0)
    end_s = 10.0 + ttl_ms("a", 30.0) / 1000

    assert cache.get("a", 12.5) == Kept("x", 2.5)
    assert cache.get("a", end_s - 0.01) is not None
    assert cache.get("a", end_s + 0.01) is None
    assert (cache.asked("hit"), cache.asked("miss"), cache.asked("unavailable")) == (2, 1, 0)


def test_the_least_used_goes_when_there_are_too_many() -> None:
    cache = Cache()
    cache.put("a", "x")
    cache.put("b", "y")
    cache.get("a", 1.0)
    cache.put("c", "z")

    assert [cache.get(key, 1.0) is not None for key in "abc"] == [True, False, True]


def test_what_was_read_before_its_key_was_forgotten_is_not_kept() -> None:
    cache = Cache()
    before = cache.reading("a")
    cache.forget("a")
    after = cache.reading("a")

    assert not cache.keep("a", "old", before, 0.0)
    assert cache.get("a", 0.0) is None
    assert cache.keep("a", "new", after, 0.0)


def test_a_key_that_is_forgotten_does_not_take_others_with_it() -> None:
    cache = Cache()
    reading = cache.reading("a")
    cache.put("b", "y")
    cache.forget("b")

    assert cache.keep("a", "x", reading, 0.0)
    assert cache.get("b", 0.0) is None


def test_who_does_not_hear_of_changes_keeps_nothing_and_what_was_read_then_is_not_kept_later() -> None:
    cache = Cache()
    cache.put("a", "x")
    before = cache.reading("b")
    cache.close()

    assert cache.get("a", 0.0) is None
    assert cache.asked("unavailable") == 1
    assert not cache.put("a", "x")

    cache.open()

    assert cache.get("a", 0.0) is None, "what was kept before may have changed meanwhile"
    assert not cache.keep("b", "y", before, 0.0)


def test_what_was_read_from_before_changes_were_heard_is_not_kept() -> None:
    cache = Cache()
    cache.close()
    before = cache.reading("a")
    cache.open()

    assert not cache.keep("a", "x", before, 0.0)
    assert cache.put("a", "y")


def test_readings_that_end_badly_are_bounded() -> None:
    cache = Cache()
    for n in range(100):
        cache.reading(f"{n}")

    assert cache.put("a", "x")
