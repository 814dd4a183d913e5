import asyncio
import random
import time
from collections.abc import Awaitable, Callable

import pytest
from prometheus_client import CollectorRegistry

from reference_system import defects
from reference_system.data import errands
from reference_system.data.dependency import Dependency, DependencyError, DependencyMetrics, ExpiredError
from reference_system.data.errands import Errand
from reference_system.defects.dependencies import BEAT_S
from reference_system.policies import circuit_breaker, retry_budget
from reference_system.policies.circuit_breaker import Phase
from reference_system.services.parts import ApiParts


class Bench:
    """A dependency whose operation fails as often as told."""

    def __init__(self, *, failing: int, error: Exception, defect: str = "") -> None:
        self.registry = CollectorRegistry()
        self._failing = failing
        self._error = error
        self.probe: Callable[[], Awaitable[object]] = self.operation
        self.told: list[tuple[str, Phase, Phase]] = []
        self.dependency = Dependency(
            "redis",
            failures=(OSError,),
            refusals=(LookupError,),
            probe=self._probed,
            metrics=DependencyMetrics(self.registry),
            policies=defects.for_api(defect, ApiParts()).dependencies,
            chance=random.Random(1),
            told=lambda dependency, before, after: self.told.append((dependency, before, after)),
        )

    async def _probed(self) -> None:
        await self.probe()

    async def operation(self) -> str:
        if self._failing > 0:
            self._failing -= 1
            raise self._error
        return "done"

    def counted(self, what: str) -> float | None:
        return self.registry.get_sample_value(f"dependency_{what}_total", {"dependency": "redis"})

    def sample(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(name, {"dependency": "redis", **labels})

    def run(self, use: Callable[[Dependency], Awaitable[None]]) -> None:
        async def used() -> None:
            try:
                await use(self.dependency)
            finally:
                await self.dependency.close()

        asyncio.run(used())

    async def call(self, dependency: Dependency) -> None:
        assert await dependency.call(self.operation) == "done"


def test_a_good_call_is_one_attempt() -> None:
    bench = Bench(failing=0, error=OSError())

    bench.run(bench.call)

    assert (bench.counted("calls"), bench.counted("attempts"), bench.counted("errors")) == (1, 1, 0)


def test_a_reset_is_tried_once_more_and_counted() -> None:
    bench = Bench(failing=1, error=ConnectionResetError())

    bench.run(bench.call)

    assert (bench.counted("calls"), bench.counted("attempts"), bench.counted("errors")) == (1, 2, 1)


def test_a_timeout_is_not_tried_again() -> None:
    bench = Bench(failing=1, error=TimeoutError("silent"))

    with pytest.raises(DependencyError, match="redis: silent"):
        bench.run(bench.call)

    assert (bench.counted("calls"), bench.counted("attempts")) == (1, 1)


def test_an_error_of_another_kind_is_not_swallowed() -> None:
    bench = Bench(failing=1, error=ValueError("a bug"))

    with pytest.raises(ValueError, match="a bug"):
        bench.run(bench.call)


def test_what_is_refused_to_one_call_alone_is_not_tried_again_and_opens_no_breaker() -> None:
    bench = Bench(failing=9, error=LookupError("WRONGTYPE"))

    async def five_calls(dependency: Dependency) -> None:
        for _ in range(5):
            with pytest.raises(DependencyError, match="redis: WRONGTYPE"):
                await dependency.call(bench.operation)

    bench.run(five_calls)

    assert (bench.counted("calls"), bench.counted("attempts"), bench.counted("errors")) == (5, 5, 5)
    assert bench.told == []


def test_an_open_breaker_refuses_and_a_refused_call_is_neither_call_nor_attempt() -> None:
    bench = Bench(failing=9, error=TimeoutError())

    async def five_calls(dependency: Dependency) -> None:
        for _ in range(5):
            with pytest.raises(DependencyError):
                await dependency.call(bench.operation)

    bench.run(five_calls)

    assert (bench.counted("calls"), bench.counted("attempts"), bench.counted("refused")) == (3, 3, 2)


@pytest.mark.slow
def test_a_probe_closes_the_breaker_without_any_call() -> None:
    bench = Bench(failing=3, error=TimeoutError())

    async def open_then_wait(dependency: Dependency) -> None:
        for _ in range(3):
            with pytest.raises(DependencyError):
                await dependency.call(bench.operation)
        await asyncio.sleep(circuit_breaker.pause_s(1.0) + 0.2)
        await bench.call(dependency)

    bench.run(open_then_wait)

    assert bench.counted("refused") == 0
    assert bench.told == [
        ("redis", Phase.CLOSED, Phase.OPEN),
        ("redis", Phase.OPEN, Phase.HALF_OPEN),
        ("redis", Phase.HALF_OPEN, Phase.CLOSED),
    ]
    assert bench.sample("circuit_breaker_probes_total") == 1
    assert bench.sample("circuit_breaker_transitions_total", to="half_open") == 1


def test_an_open_breaker_and_a_spent_budget_are_shown() -> None:
    bench = Bench(failing=9, error=OSError())

    async def fail(dependency: Dependency) -> None:
        for _ in range(2):
            with pytest.raises(DependencyError):
                await dependency.call(bench.operation)

    assert bench.sample("circuit_breaker_state") == 0
    assert bench.sample("retry_budget_saved") == retry_budget.SAVED_AT_MOST
    bench.run(fail)

    # The first call was repeated, the second one paid in and opened the breaker with the third failure.
    assert bench.sample("circuit_breaker_state") == 2
    assert bench.sample("retry_budget_saved") == pytest.approx(
        retry_budget.SAVED_AT_MOST - 1 + retry_budget.RETRY_SHARE
    )


def test_what_nobody_waits_for_is_not_called_and_counted() -> None:
    bench = Bench(failing=0, error=OSError())

    async def too_late(dependency: Dependency) -> None:
        errands.begin(Errand(deadline_s=time.monotonic() - 0.001))
        with pytest.raises(ExpiredError):
            await dependency.call(bench.operation)

    bench.run(too_late)

    assert bench.counted("calls") == 0
    assert bench.registry.get_sample_value("expired_total", {"where": "redis"}) == 1


async def _open(bench: Bench, dependency: Dependency) -> None:
    for _ in range(circuit_breaker.OPENS_AFTER):
        with pytest.raises(DependencyError):
            await dependency.call(bench.operation)


@pytest.mark.slow
@pytest.mark.parametrize("ends_well", [True, False])
def test_a_call_from_before_the_breaker_opened_says_nothing_about_the_probe_that_is_out(ends_well: bool) -> None:
    bench, may_end, probing = Bench(failing=3, error=TimeoutError()), asyncio.Event(), asyncio.Event()

    async def early() -> None:
        await may_end.wait()
        if not ends_well:
            raise TimeoutError

    async def probe() -> None:
        probing.set()
        await asyncio.Event().wait()

    async def end_while_probing(dependency: Dependency) -> None:
        calling = asyncio.create_task(dependency.call(early))
        await asyncio.sleep(0)
        bench.probe = probe
        await _open(bench, dependency)
        await probing.wait()
        may_end.set()
        await asyncio.gather(calling, return_exceptions=True)

    bench.run(end_while_probing)

    assert bench.told[-1] == ("redis", Phase.OPEN, Phase.HALF_OPEN)


@pytest.mark.slow
def test_a_probe_that_crashes_is_seen_and_another_one_follows() -> None:
    bench, seen, probes = Bench(failing=3, error=TimeoutError()), list[str](), list[int]()

    async def probe() -> None:
        await asyncio.sleep(0)
        probes.append(1)
        if len(probes) == 1:
            raise ValueError("a bug")

    async def open_then_wait(dependency: Dependency) -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, report: seen.append(report["message"]))
        bench.probe = probe
        await _open(bench, dependency)
        await asyncio.sleep(2 * circuit_breaker.pause_s(1.0) + 0.2)
        await bench.call(dependency)

    bench.run(open_then_wait)

    assert seen == ["redis: a probe crashed"]
    assert bench.told[-1] == ("redis", Phase.HALF_OPEN, Phase.CLOSED)


@pytest.mark.slow
def test_probing_is_not_the_errand_of_the_call_that_failed() -> None:
    bench = Bench(failing=3, error=TimeoutError())

    async def open_then_wait(dependency: Dependency) -> None:
        errands.begin(Errand(deadline_s=time.monotonic() + 0.1))
        for _ in range(3):
            with pytest.raises(DependencyError):
                await dependency.call(bench.operation)
        await asyncio.sleep(circuit_breaker.pause_s(1.0) + 0.2)

    bench.run(open_then_wait)

    assert bench.told[-1] == ("redis", Phase.HALF_OPEN, Phase.CLOSED)


@pytest.mark.slow
def test_planted_breaker_never_half_opens_closes_without_a_probe() -> None:
    bench = Bench(failing=9, error=TimeoutError(), defect="breaker_never_half_opens")

    async def open_then_wait(dependency: Dependency) -> None:
        for _ in range(3):
            with pytest.raises(DependencyError):
                await dependency.call(bench.operation)
        await asyncio.sleep(circuit_breaker.pause_s(1.0) + 0.2)

    bench.run(open_then_wait)

    assert bench.told == [("redis", Phase.CLOSED, Phase.OPEN), ("redis", Phase.OPEN, Phase.CLOSED)]
    assert bench.sample("circuit_breaker_probes_total") == 0


def test_planted_probes_in_step_wait_for_the_same_moment_of_the_clock() -> None:
    usual, planted = ApiParts().dependencies.pause_s, defects.for_api("probes_in_step", ApiParts()).dependencies.pause_s

    async def pauses() -> list[tuple[float, float]]:
        now_s = asyncio.get_running_loop().time
        return [(now_s(), planted(draw)) for draw in (0.0, 0.3, 0.9)]

    drawn = asyncio.run(pauses())

    assert {round((at_s + pause_s) / BEAT_S, 2) % 1 for at_s, pause_s in drawn} <= {0.0, 0.99}
    assert min(pause_s for _, pause_s in drawn) >= circuit_breaker.OPEN_FOR_S
    assert usual(0.0) == circuit_breaker.OPEN_FOR_S < usual(0.9)


def test_planted_retries_without_budget_try_four_times() -> None:
    bench = Bench(failing=9, error=TimeoutError(), defect="retries_without_budget")

    with pytest.raises(DependencyError):
        bench.run(bench.call)

    assert (bench.counted("calls"), bench.counted("attempts")) == (1, 4)
