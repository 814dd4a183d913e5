import asyncio
import random
from collections.abc import Awaitable, Callable

import pytest
from prometheus_client import CollectorRegistry

from reference_system import defects
from reference_system.data.dependency import Dependency, DependencyError, DependencyMetrics
from reference_system.services.parts import ApiParts


class Bench:
    """A dependency whose operation fails as often as told."""

    def __init__(self, *, failing: int, error: Exception, defect: str = "") -> None:
        self.registry = CollectorRegistry()
        self._failing = failing
        self._error = error
        self.dependency = Dependency(
            "redis",
            failures=(OSError,),
            probe=self.operation,
            metrics=DependencyMetrics(self.registry),
            policies=defects.for_api(defect, ApiParts()).dependencies,
            chance=random.Random(1),
        )

    async def operation(self) -> str:
        if self._failing > 0:
            self._failing -= 1
            raise self._error
        return "done"

    def counted(self, what: str) -> float | None:
        return self.registry.get_sample_value(f"dependency_{what}_total", {"dependency": "redis"})

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
        await asyncio.sleep(0.8)
        await bench.call(dependency)

    bench.run(open_then_wait)

    assert bench.counted("refused") == 0


def test_planted_retries_without_budget_try_four_times() -> None:
    bench = Bench(failing=9, error=TimeoutError(), defect="retries_without_budget")

    with pytest.raises(DependencyError):
        bench.run(bench.call)

    assert (bench.counted("calls"), bench.counted("attempts")) == (1, 4)
