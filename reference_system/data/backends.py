"""The two stores of a region behind their breakers, and the gate to the database's pool, as all of `data` uses them."""

import random
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge

from reference_system.data.background import Background
from reference_system.data.connection_gate import ConnectionGate, Refuses
from reference_system.data.dependency import (
    Dependency,
    DependencyError,
    DependencyMetrics,
    DependencyPolicies,
    Told,
    nobody,
)
from reference_system.data.postgres import FAILURES, TIMEOUT_S, Postgres, Record, UnfitError
from reference_system.data.redis_client import RedisClient
from reference_system.data.resp import Command, RedisRefusedError, RedisReplyError, Reply
from reference_system.policies import pool_shedding


class Backends:
    """`seed`: one that no other process has, or all would probe in step."""

    def __init__(
        self,
        *,
        redis: RedisClient,
        postgres: Postgres,
        registry: CollectorRegistry,
        policies: DependencyPolicies,
        seed: str,
        refuses: Refuses = pool_shedding.refuses,
        gate: type[ConnectionGate] = ConnectionGate,
        told: Told = nobody,
    ) -> None:
        metrics = self.dependency_metrics = DependencyMetrics(registry)
        chance = random.Random(seed)
        self._redis_client = redis
        self._postgres_client = postgres
        self._redis = Dependency(
            "redis",
            refusals=(RedisRefusedError,),
            failures=(OSError, RedisReplyError),
            probe=lambda: redis.run(("PING",)),
            metrics=metrics,
            policies=policies,
            chance=chance,
            told=told,
        )
        self._postgres = Dependency(
            "postgres",
            refusals=(UnfitError,),
            failures=FAILURES,
            probe=lambda: postgres.run("ping"),
            metrics=metrics,
            policies=policies,
            chance=chance,
            told=told,
        )
        self._gate = gate(
            postgres.connections,
            longest_wait_s=TIMEOUT_S,
            refuses=refuses,
            expired=metrics.expired,
            registry=registry,
        )
        size = Gauge("postgres_pool_size", "Connections that there may be", registry=registry)
        size.set(postgres.connections)
        in_use = Gauge("postgres_pool_in_use", "Connections lent and not given back", registry=registry)
        in_use.set_function(lambda: max(self._gate.inside, postgres.in_use))
        self.background = Background()
        self.cache_requests = Counter("cache_requests_total", "Cache look-ups", ["layer", "result"], registry=registry)
        self.builds = Counter("cache_builds_total", "Made from Postgres, by what", ["kind"], registry=registry)
        self.cache_invalidations = Counter(
            "cache_invalidations_total",
            "Changes that caches had to forget something for",
            ["kind"],
            registry=registry,
        )

    @property
    def pool_busy_ratio(self) -> float:
        """Of Postgres' connections; a place that was not given back is as good as one: nobody gets either any more."""
        return max(self._gate.inside / self._postgres_client.connections, self._postgres_client.busy_ratio)

    async def redis(self, *commands: Command) -> list[Reply]:
        """One round trip. Raises DependencyError."""
        return await self._redis.call(self._redis_client.run, *commands)

    async def redis_replies(self, *commands: Command) -> list[Reply]:
        """As `redis`; refusals of single commands are among the replies."""
        return await self._redis.call(self._redis_client.replies, *commands)

    async def postgres(self, statement: str, *arguments: Any) -> list[Record]:
        """One round trip, once a connection is free. Raises DependencyError; after PoolBusyError and RefusedCallError
        nothing was done."""
        async with self._gate:
            return await self._postgres.call(self._postgres_client.run, statement, *arguments)

    async def close(self) -> None:
        await self.background.close()
        await self._redis.close()
        await self._postgres.close()
        self._redis_client.close()
        await self._postgres_client.close()


__all__ = ["Backends", "DependencyError"]
