"""In which region a request is answered: here, or in the region that may write or has what the user must see.

Trusted is what only the edge and the other regions say, since nobody else reaches a gateway and the edge passes none
of it on from a client: `X-Healthy-Regions` and `X-Writing-Regions` (the edge's), `X-Forwarded-Region` (a region's).
Whoever says the last one all the same is answered here: with reads that may be old, and with writes no further than the
table allows, which is at home or in the stand-in.

`X-Read-After` is the client's and not trusted. All that it can do is send a read of its sender's through another
region, which sheds by itself.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping, Set
from dataclasses import dataclass, replace
from typing import Protocol

from prometheus_client import CollectorRegistry, Counter

from reference_system.data.caught_up import Proofs
from reference_system.policies import data_placement
from reference_system.policies.data_placement import Datum, Freshness, Reading
from reference_system.policies.regions import Region
from reference_system.policies.write_token import WriteToken
from reference_system.services.answers import NO_REGION, Answer
from reference_system.services.forwarding import FORWARDED_FOR
from reference_system.services.operations import SHOW_OWN_WRITES, WRITES, Call
from reference_system.services.requests import RefusedError, read_after
from reference_system.services.tokens import Tokens

HEALTHY, WRITING = "x-healthy-regions", "x-writing-regions"
NOBODY: Set[Region] = frozenset()

Here = Callable[[Call], Awaitable[Answer]]


class WriteRegion(Protocol):
    def __call__(
        self, datum: Datum, *, home: Region, current: Region, writing: Set[Region], healthy: Set[Region]
    ) -> Region | None: ...


class ReadRegion(Protocol):
    def __call__(
        self,
        *,
        current: Region,
        tokens: Collection[WriteToken],
        heartbeats_us: Mapping[Region, int],
        healthy: Set[Region],
    ) -> Reading: ...


class OtherRegions(Protocol):
    async def read(self, region: Region, call: Call) -> Answer | None:
        """None: it does not answer."""
        ...

    async def write(self, region: Region, call: Call) -> Answer: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Decisions:
    write_region: WriteRegion = data_placement.write_region
    read_region: ReadRegion = data_placement.read_region


class Placing:
    """Of a region that has peers; a single one answers everything itself."""

    def __init__(
        self,
        *,
        region: Region,
        regions: Set[Region],
        tokens: Tokens,
        proofs: Callable[[Collection[WriteToken]], Awaitable[Proofs]],
        others: OtherRegions,
        decisions: Decisions,
        registry: CollectorRegistry,
    ) -> None:
        self._region = region
        self._regions = regions
        self._tokens = tokens
        self._proofs_for = proofs
        self._others = others
        self._decisions = decisions
        self._reads = Counter(
            "reads_after_total", "Reads with a token, by what they may rely on", ["freshness"], registry=registry
        )
        self._malformed = Counter("malformed_tokens_total", "Tokens that say nothing", registry=registry)

    async def answer(self, call: Call, here: Here) -> Answer:
        datum = WRITES.get(call.operation)
        try:
            if datum is not None:
                return await self._write(call, datum, here)
            if call.operation in SHOW_OWN_WRITES and (tokens := self._tokens_of(call)):
                return await self._read(call, tokens, here)
        except RefusedError as refused:
            return refused.answer
        return await here(call)

    async def _write(self, call: Call, datum: Datum, here: Here) -> Answer:
        bearer = self._tokens.bearer(call.connection.headers.get("authorization"))
        home = self._region if bearer is None else bearer.home  # who signs up is at home here
        writing, healthy = self._said(call, WRITING), self._said(call, HEALTHY)
        if self._is_forwarded(call):
            writing = healthy = {self._region}  # never a third region, and never on from here
        region = self._decisions.write_region(datum, home=home, current=self._region, writing=writing, healthy=healthy)
        if region is None:
            return NO_REGION
        if region is self._region:
            return await here(call)
        return await self._others.write(region, call)

    async def _read(self, call: Call, tokens: Collection[WriteToken], here: Here) -> Answer:
        healthy = NOBODY if self._is_forwarded(call) else self._said(call, HEALTHY)  # never on from here
        proofs = await self._proofs(tokens)
        reading = self._read_region(tokens, proofs, healthy)
        waited = False
        if reading.region is not self._region:
            answer = await self._others.read(reading.region, call)
            if answer is not None:
                self._reads.labels("forwarded").inc()
                return answer
            waited = True
            reading = self._read_region(tokens, proofs, NOBODY)
        self._reads.labels(reading.freshness).inc()
        past_caches = reading.freshness is Freshness.PROVEN and not proofs.of_caches
        answer = replace(await here(replace(call, past_caches=past_caches)), decided_elsewhere=waited)
        return answer.also(b"x-stale", "token") if reading.freshness is Freshness.STALE else answer

    def _read_region(self, tokens: Collection[WriteToken], proofs: Proofs, healthy: Set[Region]) -> Reading:
        return self._decisions.read_region(
            current=self._region, tokens=tokens, heartbeats_us=proofs.at_us, healthy=healthy
        )

    async def _proofs(self, tokens: Collection[WriteToken]) -> Proofs:
        elsewhere = [token for token in tokens if token.region is not self._region]
        return await self._proofs_for(elsewhere) if elsewhere else Proofs(at_us={})

    def _tokens_of(self, call: Call) -> Collection[WriteToken]:
        parsed = read_after(call)
        if parsed.malformed:
            self._malformed.inc()
        return parsed.tokens

    def _said(self, call: Call, header: str) -> Set[Region]:
        """The regions in the edge's header; all where there is none."""
        said = call.connection.headers.get(header)
        if said is None:
            return self._regions
        names = set(map(str.strip, said.split(",")))
        return {region for region in self._regions if region in names}

    def _is_forwarded(self, call: Call) -> bool:
        """A WebSocket stays where it is, as if it had come from another region."""
        return call.connection.scope["type"] != "http" or FORWARDED_FOR in call.connection.headers
