"""Calls to a dependency that can fail: circuit breaker, retry budget, and the metrics that show them.

Every call to Redis, Postgres and another region goes through one of these, unless nobody waits for its answer any more.
While the breaker is open callers are refused at once (and are expected to fall back); a task of ours probes until the
dependency is back, so no user waits for a probe.
"""

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable
from contextvars import Context
from dataclasses import dataclass
from typing import Any, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Summary

from reference_system.data import errands
from reference_system.policies import circuit_breaker, retry_budget

T = TypeVar("T")
BreakerPolicy = Callable[
    [circuit_breaker.State, circuit_breaker.Observation, float], tuple[circuit_breaker.State, bool]
]
RetryPolicy = Callable[[retry_budget.State, retry_budget.FailedAttempt, float], tuple[retry_budget.State, bool]]
Told = Callable[[str, circuit_breaker.Phase, circuit_breaker.Phase], None]  # dependency, from, to
STATES = {circuit_breaker.Phase.CLOSED: 0, circuit_breaker.Phase.HALF_OPEN: 1, circuit_breaker.Phase.OPEN: 2}


class DependencyError(Exception):
    """The dependency failed, or its breaker is open; `__cause__` has the failure."""


class RefusedCallError(DependencyError):
    """The dependency is well, and cannot do what this call asks for."""


class ExpiredError(DependencyError):
    """Nobody waits for the answer any more, so it was not asked for, or not waited for."""


def nobody(dependency: str, before: circuit_breaker.Phase, after: circuit_breaker.Phase) -> None:
    """Who is told of changes where nobody is."""
    del dependency, before, after


@dataclass(frozen=True, slots=True, kw_only=True)
class DependencyPolicies:
    """`pause_s`: how long an open breaker waits for its next probe, given a draw from [0, 1)."""

    breaker: BreakerPolicy = circuit_breaker.decide
    retry: RetryPolicy = retry_budget.decide
    pause_s: Callable[[float], float] = circuit_breaker.pause_s


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
        self.state = Gauge("circuit_breaker_state", "0 closed, 1 half-open, 2 open", labels, registry=registry)
        self.probes = Counter("circuit_breaker_probes_total", "Probes sent", labels, registry=registry)
        self.transitions = Counter(
            "circuit_breaker_transitions_total", "Changes of state", [*labels, "to"], registry=registry
        )
        self.budget = Gauge("retry_budget_saved", "Retries that may be made at once", labels, registry=registry)
        self.expired = Counter("expired_total", "Work that nobody waited for, dropped", ["where"], registry=registry)


class Dependency:
    """`await dependency.call(operation, argument)` awaits the operation, or raises DependencyError.

    `failures` say that it is not well, `refusals` that it is, and cannot do what this call asks for.
    """

    def __init__(
        self,
        name: str,
        *,
        failures: tuple[type[Exception], ...],
        refusals: tuple[type[Exception], ...] = (),
        probe: Callable[[], Awaitable[object]],
        metrics: DependencyMetrics,
        policies: DependencyPolicies,
        chance: random.Random,
        told: Told = nobody,
    ) -> None:
        self.name = name
        self._failures = failures
        self._refusals = refusals
        self._probe = probe
        self._policies = policies
        self._chance = chance
        self._told = told
        self._breaker = circuit_breaker.State()
        self._period = 0  # changes of the breaker so far
        self._budget = retry_budget.State()
        self._recovery: asyncio.Task[None] | None = None
        self._calls = metrics.calls.labels(name)
        self._attempts = metrics.attempts.labels(name)
        self._errors = metrics.errors.labels(name)
        self._refused = metrics.refused.labels(name)
        self._seconds = metrics.seconds.labels(name)
        self._probes = metrics.probes.labels(name)
        self._expired = metrics.expired.labels(name)
        self._transitions = {phase: metrics.transitions.labels(name, phase) for phase in circuit_breaker.Phase}
        metrics.state.labels(name).set_function(lambda: STATES[self._breaker.phase])
        metrics.budget.labels(name).set_function(lambda: self._budget.saved)

    async def call(self, operation: Callable[..., Awaitable[T]], *arguments: Any) -> T:
        if errands.current().left_s <= 0:
            self._expired.inc()
            raise ExpiredError(f"{self.name}: nobody waits for the answer any more")
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
        tried, period = 0, self._period
        while True:
            tried += 1
            self._attempts.inc()
            try:
                with self._seconds.time():
                    result = await operation(*arguments)
            except ExpiredError:
                self._expired.inc()
                raise
            except self._refusals as error:
                self._errors.inc()
                self._ended(circuit_breaker.Observation.SUCCESS, period)
                raise RefusedCallError(f"{self.name}: {error}") from error
            except self._failures as error:
                self._errors.inc()
                self._ended(circuit_breaker.Observation.FAILURE, period)
                if not self._may_retry(error, tried=tried):
                    raise DependencyError(f"{self.name}: {error or type(error).__name__}") from error
            else:
                self._ended(circuit_breaker.Observation.SUCCESS, period)
                return result

    def _ended(self, observation: circuit_breaker.Observation, period: int) -> None:
        """Of a call from before the breaker's last change nothing follows, least of all for the probe that is out."""
        if period == self._period:
            self._observe(observation)

    def _may_retry(self, error: Exception, *, tried: int) -> bool:
        closed = self._breaker.phase is circuit_breaker.Phase.CLOSED
        failed = retry_budget.FailedAttempt(
            tried=tried, timed_out=isinstance(error, TimeoutError), breaker_closed=closed
        )
        self._budget, allowed = self._policies.retry(self._budget, failed, _now_s())
        return allowed

    def _observe(self, observation: circuit_breaker.Observation) -> bool:
        before = self._breaker.phase
        self._breaker, allowed = self._policies.breaker(self._breaker, observation, _now_s())
        after = self._breaker.phase
        if after is not before:
            self._period += 1
            self._transitions[after].inc()
            self._told(self.name, before, after)
        if after is circuit_breaker.Phase.OPEN and self._recovery is None:
            # In a context of its own: probing is nobody's errand, least of all that of the call that failed.
            self._recovery = asyncio.create_task(self._recover(), context=Context())
        return allowed

    async def _recover(self) -> None:
        """Probe until the breaker is closed again; owned by this dependency, ends with it."""
        while self._breaker.phase is not circuit_breaker.Phase.CLOSED:
            await asyncio.sleep(self._policies.pause_s(self._chance.random()))
            if self._observe(circuit_breaker.Observation.PROBE):
                self._probes.inc()
                with contextlib.suppress(DependencyError):
                    await self._probed()
        self._recovery = None

    async def _probed(self) -> None:
        try:
            await self._attempt(self._probe)
        except DependencyError:
            raise  # counted, and the breaker is open again
        except Exception as error:  # or the breaker would be half-open for ever, and nobody would probe
            self._observe(circuit_breaker.Observation.FAILURE)
            report = {"message": f"{self.name}: a probe crashed", "exception": error}
            asyncio.get_running_loop().call_exception_handler(report)


def _now_s() -> float:
    return asyncio.get_running_loop().time()
