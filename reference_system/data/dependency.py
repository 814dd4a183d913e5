"""Calls to a dependency that can fail: circuit breaker, retry budget, and the counters that show them.

Every call to Redis and Postgres goes through one of these. While the breaker is open callers are refused at once (and
are expected to fall back); a task of ours probes until the dependency is back, so no user waits for a probe.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from prometheus_client import CollectorRegistry, Counter, Summary

from reference_system.policies import circuit_breaker, retry_budget

T = TypeVar("T")
BreakerPolicy = Callable[
    [circuit_breaker.State, circuit_breaker.Observation, float], tuple[circuit_breaker.State, bool]
]
RetryPolicy = Callable[[retry_budget.State, retry_budget.FailedAttempt, float], tuple[retry_budget.State, bool]]

PROBE_JITTER = 0.2  # share of the breaker's open time, so that replicas do not probe in step


class DependencyError(Exception):
    """The dependency failed, or its breaker is open; `__cause__` has the failure."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DependencyPolicies:
    breaker: BreakerPolicy = circuit_breaker.decide
    retry: RetryPolicy = retry_budget.decide


class DependencyMetrics:
    """A call that the breaker refuses is neither a call nor an attempt. Probes are both."""

    def __init__(self, registry: CollectorRegistry) -> None:
        labels = ["dependency"]
        self.calls = Counter("dependency_calls_total", "Calls let through", labels, registry=registry)
        self.attempts = Counter("dependency_attempts_total", "Attempts, retries included", labels, registry=registry)
        self.errors = Counter("dependency_errors_total", "Failed attempts", labels, registry=registry)
        self.refused = Counter("dependency_refused_total", "Calls refused by the breaker", labels, registry=registry)
        self.seconds = Summary(
            "dependency_seconds", "How long an attempt took, failed or not", labels, registry=registry
        )


class Dependency:
    """`await dependency.call(operation, argument)` awaits the operation, or raises DependencyError."""

    def __init__(
        self,
        name: str,
        *,
        failures: tuple[type[Exception], ...],
        probe: Callable[[], Awaitable[object]],
        metrics: DependencyMetrics,
        policies: DependencyPolicies,
        chance: random.Random,
    ) -> None:
        self.name = name
        self._failures = failures
        self._probe = probe
        self._policies = policies
        self._chance = chance
        self._breaker = circuit_breaker.State()
        self._budget = retry_budget.State()
        self._recovery: asyncio.Task[None] | None = None
        self._calls = metrics.calls.labels(name)
        self._attempts = metrics.attempts.labels(name)
        self._errors = metrics.errors.labels(name)
        self._refused = metrics.refused.labels(name)
        self._seconds = metrics.seconds.labels(name)

    async def call(self, operation: Callable[..., Awaitable[T]], *arguments: Any) -> T:
        if not self._observe(circuit_breaker.Observation.CALL):
            self._refused.inc()
            raise DependencyError(f"{self.name}: the circuit breaker is open")
        return await self._attempt(operation, *arguments)

    async def close(self) -> None:
        if self._recovery is not None:
            self._recovery.cancel()
            await asyncio.gather(self._recovery, return_exceptions=True)

    async def _attempt(self, operation: Callable[..., Awaitable[T]], *arguments: Any) -> T:
        self._calls.inc()
        self._budget = retry_budget.earn(self._budget)
        tried = 0
        while True:
            tried += 1
            self._attempts.inc()
            try:
                with self._seconds.time():
                    result = await operation(*arguments)
            except self._failures as error:
                self._errors.inc()
                self._observe(circuit_breaker.Observation.FAILURE)
                if not self._may_retry(error, tried=tried):
                    raise DependencyError(f"{self.name}: {error or type(error).__name__}") from error
            else:
                self._observe(circuit_breaker.Observation.SUCCESS)
                return result

    def _may_retry(self, error: Exception, *, tried: int) -> bool:
        closed = self._breaker.phase is circuit_breaker.Phase.CLOSED
        failed = retry_budget.FailedAttempt(
            tried=tried, timed_out=isinstance(error, TimeoutError), breaker_closed=closed
        )
        self._budget, allowed = self._policies.retry(self._budget, failed, _now_s())
        return allowed

    def _observe(self, observation: circuit_breaker.Observation) -> bool:
        self._breaker, allowed = self._policies.breaker(self._breaker, observation, _now_s())
        if self._breaker.phase is circuit_breaker.Phase.OPEN and self._recovery is None:
            self._recovery = asyncio.create_task(self._recover())
        return allowed

    async def _recover(self) -> None:
        """Probe until the breaker is closed again; owned by this dependency, ends with it."""
        while self._breaker.phase is not circuit_breaker.Phase.CLOSED:
            await asyncio.sleep(circuit_breaker.OPEN_FOR_S * (1 + PROBE_JITTER * self._chance.random()))
            if self._observe(circuit_breaker.Observation.PROBE):
                try:
                    await self._attempt(self._probe)
                except DependencyError:
                    continue
        self._recovery = None


def _now_s() -> float:
    return asyncio.get_running_loop().time()
