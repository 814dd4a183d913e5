"""Hands a request to another region, through its gateway, and its answer back as it is.

Each goes out once and within a deadline: ours, or what is left of the user's. A region that has failed three times in a
row is not asked until it says that it is well; nobody waits for that. Which requests go where is `placing`'s business.
"""

import asyncio
import random
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

from prometheus_client import CollectorRegistry, Counter

from reference_system.data.dependency import (
    Dependency,
    DependencyError,
    DependencyMetrics,
    DependencyPolicies,
    ExpiredError,
    RetryPolicy,
    Told,
    nobody,
)
from reference_system.policies import retry_budget
from reference_system.policies.regions import Region
from reference_system.services import deadlines, region_health
from reference_system.services.answers import FIRST_SERVER_ERROR, NOT_ANSWERED, UNREACHABLE, Answer, refusal
from reference_system.services.light_httpx import httpx
from reference_system.services.operations import Call
from reference_system.services.requests import READ_AFTER, raw_body

FORWARDED_FOR = "x-forwarded-region"  # the region that forwards, for its user
REGION = "x-region"  # on every answer of a replica, on none of a gateway's own
CONNECT_WITHIN_S = 0.5
CONNECTIONS = 64  # to a region
KEPT_ALIVE_S = 30.0  # shorter than the gateway's 75 s: a write must not meet a connection that is being closed
# All that a request needs in the other region. Not what is about this region's connection or its edge.
REQUEST_HEADERS = ("authorization", "content-type", "idempotency-key", READ_AFTER, "x-forwarded-for")
ANSWER_HEADERS = ("content-type", "retry-after", "age", "cache-control")  # and every x-


def never(
    state: retry_budget.State, failed: retry_budget.FailedAttempt, now_s: float
) -> tuple[retry_budget.State, bool]:
    """A write whose fate is unknown may have been done, and a read can be answered here."""
    del failed, now_s
    return state, False


@dataclass(frozen=True, slots=True, kw_only=True)
class Forwarding:
    """How requests are forwarded. None: without a deadline."""

    read_within_s: float | None = 1.0
    write_within_s: float | None = 2.0
    retry: RetryPolicy = never


class NobodyAnsweredError(Exception):
    """The region's gateway had no replica that answered."""


NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
FAILURES = (httpx.HTTPError, TimeoutError, NobodyAnsweredError)


class Forwarder:
    """`peers`: where each other region's gateway is seen from here, as `host:port`."""

    def __init__(
        self,
        *,
        region: Region,
        peers: Mapping[Region, str],
        how: Forwarding,
        policies: DependencyPolicies,
        registry: CollectorRegistry,
        metrics: DependencyMetrics,
        chance: random.Random,
        told: Told = nobody,
    ) -> None:
        self._region = region
        self._how = how
        self._peers = {
            peer: _Peer(
                peer, address, policies=replace(policies, retry=how.retry), metrics=metrics, chance=chance, told=told
            )
            for peer, address in peers.items()
        }
        self._forwarded = Counter(
            "forwarded_total", "Requests for another region", ["region", "kind", "result"], registry=registry
        )

    async def read(self, region: Region, call: Call) -> Answer | None:
        """None if that region does not answer, or only that it cannot."""
        try:
            answer = await self._send(region, call, self._how.read_within_s)
        except DependencyError:
            answer = None
        if answer is not None and answer.status >= FIRST_SERVER_ERROR:
            answer = None
        self._forwarded.labels(region, "read", "failed" if answer is None else "ok").inc()
        return answer

    async def write(self, region: Region, call: Call) -> Answer:
        try:
            answer = await self._send(region, call, self._how.write_within_s)
        except ExpiredError:
            self._forwarded.labels(region, "write", "unknown").inc()
            return NOT_ANSWERED
        except DependencyError as error:
            # Without a cause it was the breaker that refused.
            sent = error.__cause__ is not None and not isinstance(error.__cause__, NEVER_SENT)
            self._forwarded.labels(region, "write", "unknown" if sent else "unreachable").inc()
            return NOT_ANSWERED if sent else UNREACHABLE
        self._forwarded.labels(region, "write", "ok").inc()
        return answer

    async def close(self) -> None:
        await asyncio.gather(*(peer.close() for peer in self._peers.values()))

    async def _send(self, region: Region, call: Call, within_s: float | None) -> Answer:
        scope, headers = call.connection.scope, call.connection.headers
        path = scope["raw_path"].decode("latin-1")
        if scope["query_string"]:
            path = f"{path}?{scope['query_string'].decode('latin-1')}"
        carried = {name: headers[name] for name in REQUEST_HEADERS if name in headers}
        carried[FORWARDED_FOR] = self._region
        body = await raw_body(call)
        patience = _Patience(within_s=within_s, deadline_s=call.deadline_s)
        return _handed_on(await self._peers[region].send(scope["method"], path, carried, body, patience))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Patience:
    """How long a region is waited for by us (None: for ever), and when the user has gone (monotonic)."""

    within_s: float | None
    deadline_s: float

    def left_s(self) -> float:
        return self.deadline_s - time.monotonic()


class _Peer:
    """One region: its connections and its breaker."""

    def __init__(
        self,
        region: Region,
        address: str,
        *,
        policies: DependencyPolicies,
        metrics: DependencyMetrics,
        chance: random.Random,
        told: Told,
    ) -> None:
        self._client = httpx.AsyncClient(
            base_url=f"http://{address}",
            timeout=httpx.Timeout(None, connect=CONNECT_WITHIN_S),  # the deadline is ours
            # Subtle: httpx loses the place of who is cancelled in its queue for a connection, so there is none.
            limits=httpx.Limits(
                max_connections=None, max_keepalive_connections=CONNECTIONS, keepalive_expiry=KEPT_ALIVE_S
            ),
            verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),  # never used; the default one reads all certificates
            trust_env=False,
            headers={"accept-encoding": "identity"},
        )
        self._places = asyncio.Semaphore(CONNECTIONS)
        self._dependency = Dependency(
            f"{region}.gateway",
            failures=FAILURES,
            probe=self._probe,
            metrics=metrics,
            policies=policies,
            chance=chance,
            told=told,
        )

    async def send(
        self, method: str, path: str, headers: dict[str, str], body: bytes, patience: _Patience
    ) -> httpx.Response:
        """Raises DependencyError."""
        return await self._dependency.call(self._send, method, path, headers, body, patience)

    async def close(self) -> None:
        await self._dependency.close()
        await self._client.aclose()

    async def _send(
        self, method: str, path: str, headers: dict[str, str], body: bytes, patience: _Patience
    ) -> httpx.Response:
        within_s, left_s = patience.within_s, patience.left_s()
        if within_s is not None:
            headers = {**headers, deadlines.HEADER: deadlines.written(min(within_s, left_s))}
        try:
            async with asyncio.timeout(None if within_s is None else min(within_s, left_s)):
                response = await self._request(method, path, headers, body)
        except TimeoutError as error:
            if within_s is not None and left_s < within_s:  # a user in a hurry says nothing about the region
                raise ExpiredError("the user has gone") from error
            raise
        if response.status_code >= FIRST_SERVER_ERROR and REGION not in response.headers:
            raise NobodyAnsweredError(f"status {response.status_code}")
        return response

    async def _request(self, method: str, path: str, headers: dict[str, str], body: bytes) -> httpx.Response:
        try:
            async with asyncio.timeout(CONNECT_WITHIN_S):
                await self._places.acquire()
        except TimeoutError as error:
            raise httpx.PoolTimeout("every connection to the region is in use") from error
        try:
            as_they_came = httpx.Headers(headers, encoding="latin-1")
            return await self._client.request(method, path, headers=as_they_came, content=body)
        finally:
            self._places.release()

    async def _probe(self) -> None:
        async with asyncio.timeout(region_health.ANSWERED_WITHIN_S):
            response = await self._client.get(region_health.PATH)
        if response.status_code != httpx.codes.OK:
            raise NobodyAnsweredError(f"status {response.status_code}")


def _handed_on(response: httpx.Response) -> Answer:
    if REGION not in response.headers:
        # The gateway itself did not like the request. That is the client's fault: it must not count as the region's, or
        # a few odd requests would have it left alone.
        return refusal(response.status_code, "the other region's gateway refuses this request")
    headers = tuple(
        (name.lower().encode(), value.encode())
        for name, value in response.headers.items()
        if name.lower() in ANSWER_HEADERS or name.lower().startswith("x-")
    )
    return Answer(
        status=response.status_code,
        headers=headers,
        passed_on=response.content,
        shed=response.headers.get("x-shed"),
        disabled=response.headers.get("x-disabled-feature"),
        decided_elsewhere=True,
    )
