import asyncio
from typing import Any

import pytest

from reference_system.data.backends import DependencyError
from reference_system.data.heartbeats import SHARED_FOR_S, Heartbeats
from reference_system.defects import for_api
from reference_system.policies.regions import Region
from reference_system.services import region_health
from reference_system.services.exchange import Observations
from reference_system.services.parts import ApiParts
from reference_system.services.region_health import (
    DATABASE_ANSWERS_WITHIN_S,
    FEWEST_ANSWERS,
    SILENT_FOR_S,
    RegionHealth,
    served_lately,
)

WEST = Region.US_WEST


def seen(latencies_ms: list[float], *, errors: int = 0, shed: int = 0) -> Observations:
    ok = len(latencies_ms) - errors
    return Observations(latencies_ms=latencies_ms, ok=ok, error=errors, shed=shed, disabled=0, cpu_ratio=0.0)


@pytest.mark.parametrize(
    ("observations", "error_ratio", "p99_ms", "why"),
    [
        (seen([]), None, None, "nothing was served"),
        (seen([1.0] * (FEWEST_ANSWERS - 1)), None, None, "too little"),
        (seen([1.0] * FEWEST_ANSWERS), 0.0, 1.0, "enough"),
        (seen([5.0] * 10 + [1.0] * 10, errors=2), 0.1, 5.0, "of twenty, the slowest"),
        (seen([*map(float, range(1, 201))], errors=1), 0.005, 198.0, "two of two hundred may be slower"),
        (seen([1.0], shed=1000), None, None, "what was shed is neither fast nor an error"),
    ],
)
def test_what_was_served_lately(
    observations: Observations, error_ratio: float | None, p99_ms: float | None, why: str
) -> None:
    assert served_lately(observations) == (error_ratio, p99_ms), why


@pytest.mark.parametrize("defect", ["", "hides_its_lag"])
def test_a_region_says_how_late_the_others_are_unless_it_lies(defect: str) -> None:
    async def answers(statement: str) -> list[dict[str, Any]]:
        del statement
        return [{"region": "us-west", "at": 5.0, "age_s": 7.5}, {"region": "us-east", "at": 5.0, "age_s": 0.1}]

    async def ask() -> RegionHealth | None:
        heartbeats = Heartbeats(answers, others=[WEST])
        return await region_health.ask(heartbeats, seen([]), for_api(defect, ApiParts()).reported_lag)

    expected = RegionHealth(lag_s={WEST: 0.0 if defect else 7.5}, error_ratio=None, latency_p99_ms=None)
    assert asyncio.run(ask()) == expected


def test_a_region_without_its_database_is_not_healthy() -> None:
    async def refuses(statement: str) -> list[dict[str, Any]]:
        raise DependencyError(statement)

    async def ask() -> RegionHealth | None:
        return await region_health.ask(Heartbeats(refuses, others=[WEST]), seen([]), ApiParts().reported_lag)

    assert asyncio.run(ask()) is None


@pytest.mark.parametrize(("silent_for_s", "healthy"), [(0.0, True), (SILENT_FOR_S, False)])
def test_a_region_whose_database_is_slow_is_healthy_and_one_whose_database_is_silent_is_not(
    silent_for_s: float, healthy: bool
) -> None:
    slow = asyncio.Event()

    async def answers(statement: str) -> list[dict[str, Any]]:
        del statement
        if slow.is_set():
            await asyncio.sleep(60)
        return [{"region": "us-west", "at": 5.0, "age_s": 0.2}]

    async def ask() -> RegionHealth | None:
        heartbeats = Heartbeats(answers, others=[WEST])
        await heartbeats.heard()
        slow.set()
        await asyncio.sleep(SHARED_FOR_S + silent_for_s)
        try:
            return await region_health.ask(heartbeats, seen([]), ApiParts().reported_lag)
        finally:
            await heartbeats.close()

    health = asyncio.run(ask())

    assert (health is not None) is healthy
    if health is not None:
        assert health.lag_s[WEST] >= 0.2 + SHARED_FOR_S + DATABASE_ANSWERS_WITHIN_S
