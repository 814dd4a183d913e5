"""The two stores of a region behind their breakers, as everything in `data` uses them."""

import random
from typing import Any

from prometheus_client import CollectorRegistry, Counter

from reference_system.data.background import Background
from reference_system.data.dependency import Dependency, DependencyError, DependencyMetrics, DependencyPolicies
from reference_system.data.postgres import FAILURES, Postgres, Record
from reference_system.data.redis_client import RedisClient
from reference_system.data.resp import Command, RedisReplyError, Reply


class Backends:
    def __init__(
        self,
        *,
        redis: RedisClient,
        postgres: Postgres,
        registry: CollectorRegistry,
        policies: DependencyPolicies,
        seed: int,
    ) -> None:
        metrics = self.dependency_metrics = DependencyMetrics(registry)
        chance = random.Random(seed)
        self._redis_client = redis
        self._postgres_client = postgres
        self._redis = Dependency(
            "redis",
            failures=(OSError, RedisReplyError),
            probe=lambda: redis.run(("PING",)),
            metrics=metrics,
            policies=policies,
            chance=chance,
        )
        self._postgres = Dependency(
            "postgres",
            failures=FAILURES,
            probe=lambda: postgres.run("ping"),
            metrics=metrics,
            policies=policies,
            chance=chance,
        )
        self.background = Background()
        self.cache_requests = Counter("cache_requests_total", "Cache look-ups", ["layer", "result"], registry=registry)
        self.cache_invalidations = Counter(
            "cache_invalidations_total",
            "Changes that caches had to forget something for",
            ["kind"],
            registry=registry,
        )

    async def redis(self, *commands: Command) -> list[Reply]:
        """One round trip. Raises DependencyError."""
        return await self._redis.call(self._redis_client.run, *commands)

    async def postgres(self, statement: str, *arguments: Any) -> list[Record]:
        """One round trip. Raises DependencyError."""
        return await self._postgres.call(self._postgres_client.run, statement, *arguments)

    async def close(self) -> None:
        await self.background.close()
        await self._redis.close()
        await self._postgres.close()
        self._redis_client.close()
        await self._postgres_client.close()


__all__ = ["Backends", "DependencyError"]
