"""What is forwarded arrives once, within its deadline, and comes back as it is: against gateways that misbehave."""

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

import pytest
from prometheus_client import CollectorRegistry

from reference_system.data.dependency import DependencyMetrics, DependencyPolicies
from reference_system.defects import for_api
from reference_system.policies.regions import Region
from reference_system.services.answers import NOT_ANSWERED, UNREACHABLE
from reference_system.services.forwarding import CONNECTIONS, Forwarder
from reference_system.services.parts import ApiParts
from tests.loopback import loopback
from tests.reference_system.services.calls import a_call

HOST = loopback(61)
WEST = Region.US_WEST
BODY = b'{"text":"hello"}'
HEADERS = {
    "Authorization": "Bearer me",
    "Idempotency-Key": "key",
    "Content-Type": "application/json",
    "Connection": "keep-alive",
    "X-Forwarded-For": "192.0.2.1",
    "X-Healthy-Regions": "us-east",
    "X-Read-After": "us-east:1.000000",
    "Cookie": "mine",
}
CREATED = (
    b"HTTP/1.1 201 Created\r\nServer: nginx\r\nConnection: keep-alive\r\nContent-Type: application/json\r\n"
    b"X-Region: us-west\r\nX-Write-Token: us-west:1.000000\r\nContent-Length: 10\r\n\r\n" + b'{"id":"x"}'
)
BAD_GATEWAY = b"HTTP/1.1 502 Bad Gateway\r\nServer: nginx\r\nContent-Length: 0\r\n\r\n"
SHED = b"HTTP/1.1 503 No\r\nX-Region: us-west\r\nX-Shed: overload\r\nContent-Length: 2\r\n\r\n{}"
WELL = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"

Use = Callable[[Forwarder, "Gateway"], Awaitable[None]]


class Gateway:
    """Answers all with `answer`; with nothing, and open, where that is None; with a closed connection where empty."""

    def __init__(self, answer: bytes | None) -> None:
        self.answer = answer
        self.requests: list[bytes] = []
        self.probes = 0
        self.connections = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError), contextlib.closing(writer):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                if b"/region/health" in head:
                    self.probes += 1
                    writer.write(WELL)
                    continue
                length = next((int(line[15:]) for line in head.lower().split(b"\r\n") if b"content-length" in line), 0)
                self.requests.append(head + await reader.readexactly(length))
                if self.answer is None:
                    await reader.read()
                elif not self.answer:
                    return
                else:
                    writer.write(self.answer)


@contextlib.asynccontextmanager
async def forwarding(gateway: Gateway, *, defect: str = "", within_s: float | None = 0.1) -> AsyncIterator[Forwarder]:
    server = await asyncio.start_server(gateway.serve, HOST, 0)
    registry = CollectorRegistry()
    how = for_api(defect, ApiParts()).forwarding
    forwarder = Forwarder(
        region=Region.US_EAST,
        peers={WEST: f"{HOST}:{server.sockets[0].getsockname()[1]}"},
        how=replace(how, read_within_s=within_s, write_within_s=within_s),
        policies=DependencyPolicies(),
        registry=registry,
        metrics=DependencyMetrics(registry),
        chance=random.Random(1),
    )
    try:
        yield forwarder
    finally:
        await forwarder.close()
        server.close()


def test_a_write_arrives_with_what_it_needs_and_its_answer_is_handed_on() -> None:
    async def use() -> None:
        gateway = Gateway(CREATED)
        async with forwarding(gateway) as forwarder:
            answer = await forwarder.write(WEST, a_call("POST", "/tweets/create?a=b%20c", HEADERS, BODY))

        (request,) = gateway.requests
        head, _, body = request.partition(b"\r\n\r\n")
        lines = head.decode().lower().split("\r\n")
        assert lines[0] == "post /tweets/create?a=b%20c http/1.1"
        assert {"authorization: bearer me", "idempotency-key: key", "content-type: application/json"} <= set(lines)
        assert {"x-forwarded-region: us-east", "x-forwarded-for: 192.0.2.1", "content-length: 16"} <= set(lines)
        assert "x-read-after: us-east:1.000000" in lines
        assert not {"cookie", "x-healthy-regions"} & {line.partition(":")[0] for line in lines}
        assert body == BODY
        assert (answer.status, answer.passed_on) == (201, b'{"id":"x"}')
        assert dict(answer.headers) == {
            b"content-type": b"application/json",
            b"x-region": b"us-west",
            b"x-write-token": b"us-west:1.000000",
        }

    asyncio.run(use())


def test_what_clients_say_in_other_letters_than_asciis_arrives_as_it_came() -> None:
    async def use() -> None:
        gateway = Gateway(CREATED)
        async with forwarding(gateway) as forwarder:
            answer = await forwarder.write(WEST, a_call("POST", "/tweets/create", {"Idempotency-Key": "é"}, BODY))

        assert answer.status == 201
        assert "idempotency-key: é" in gateway.requests[0].decode("latin-1").lower().split("\r\n")

    asyncio.run(use())


def test_connections_are_kept() -> None:
    async def use() -> None:
        gateway = Gateway(CREATED)
        async with forwarding(gateway) as forwarder:
            for _ in range(5):
                await forwarder.write(WEST, a_call("POST", "/tweets/create", HEADERS, BODY))

        assert (len(gateway.requests), gateway.connections) == (5, 1)

    asyncio.run(use())


@pytest.mark.parametrize(
    ("answer", "why"),
    [(None, "silence"), (b"", "a connection that is closed"), (BAD_GATEWAY, "a gateway without replicas")],
)
def test_a_write_that_is_not_answered_goes_out_once_and_its_fate_is_unknown(answer: bytes | None, why: str) -> None:
    async def use() -> None:
        gateway = Gateway(answer)
        async with forwarding(gateway) as forwarder:
            began_s = time.monotonic()
            got = await forwarder.write(WEST, a_call("POST", "/tweets/create", HEADERS, BODY))

            assert got == NOT_ANSWERED, why
            assert time.monotonic() - began_s < 0.2
            assert await forwarder.read(WEST, a_call("GET", "/timeline/home")) is None, why
        assert len(gateway.requests) == 2

    asyncio.run(use())


def test_a_write_that_cannot_be_sent_was_certainly_not_done() -> None:
    async def use() -> None:
        registry = CollectorRegistry()
        forwarder = Forwarder(
            region=Region.US_EAST,
            peers={WEST: f"{HOST}:9"},
            how=ApiParts().forwarding,
            policies=DependencyPolicies(),
            registry=registry,
            metrics=DependencyMetrics(registry),
            chance=random.Random(1),
        )
        assert await forwarder.write(WEST, a_call("POST", "/tweets/create", HEADERS, BODY)) == UNREACHABLE
        await forwarder.close()

    asyncio.run(use())


def test_a_request_that_a_gateway_itself_refuses_says_nothing_about_its_region() -> None:
    async def use() -> None:
        gateway = Gateway(b"HTTP/1.1 400 Bad Request\r\nServer: nginx\r\nContent-Length: 0\r\n\r\n")
        async with forwarding(gateway) as forwarder:
            answers = [await forwarder.write(WEST, a_call("POST", "/tweets/create", HEADERS)) for _ in range(10)]

        assert {(answer.status, answer.passed_on) for answer in answers} == {(400, None)}
        assert len(gateway.requests) == 10, "it is not left alone"

    asyncio.run(use())


def test_what_another_region_shed_counts_as_shed_and_a_read_is_answered_here_instead() -> None:
    async def use() -> None:
        async with forwarding(Gateway(SHED)) as forwarder:
            written = await forwarder.write(WEST, a_call("POST", "/tweets/create", HEADERS, BODY))

            assert (written.status, written.outcome) == (503, "shed")
            assert await forwarder.read(WEST, a_call("GET", "/timeline/home")) is None

    asyncio.run(use())


@pytest.mark.slow
def test_a_region_that_fails_again_and_again_is_left_alone_until_it_is_well() -> None:
    async def use() -> None:
        gateway = Gateway(b"")
        async with forwarding(gateway) as forwarder:
            for _ in range(10):
                await forwarder.read(WEST, a_call("GET", "/timeline/home"))
            assert len(gateway.requests) == 3
            assert await forwarder.write(WEST, a_call("POST", "/tweets/create", HEADERS, BODY)) == UNREACHABLE
            gateway.answer = CREATED
            answer = UNREACHABLE
            async with asyncio.timeout(5):
                while answer == UNREACHABLE:
                    await asyncio.sleep(0.02)
                    answer = await forwarder.write(WEST, a_call("POST", "/tweets/create", HEADERS, BODY))

            assert (answer.status, gateway.probes) == (201, 1)

    asyncio.run(use())


def test_the_other_region_is_told_how_long_somebody_waits_and_waited_for_no_longer() -> None:
    async def use() -> None:
        gateway = Gateway(None)
        call = a_call("POST", "/tweets/create", HEADERS, BODY)
        async with forwarding(gateway, within_s=9.0) as forwarder:
            for _ in range(4):
                hurried = replace(call, deadline_s=time.monotonic() + 0.05)
                assert await forwarder.write(WEST, hurried) == NOT_ANSWERED
            gateway.answer = CREATED
            assert (await forwarder.write(WEST, call)).status == 201, "users in a hurry do not open the breaker"

        said = [
            int(line[11:]) for head in gateway.requests for line in head.lower().split(b"\r\n") if b"x-deadline" in line
        ]
        assert len(said) == 5
        assert max(said[:4]) <= 50
        assert 8000 < said[4] <= 9000

    asyncio.run(use())


@pytest.mark.slow
def test_users_in_a_hurry_leave_no_connections_behind_however_many_they_are() -> None:
    async def use() -> None:
        gateway = Gateway(None)
        call = a_call("POST", "/tweets/create", HEADERS, BODY)
        async with forwarding(gateway, within_s=9.0) as forwarder:
            for _ in range(3):  # each time some were lost
                ends_s = [time.monotonic() + 0.3 + n / 2000 for n in range(3 * CONNECTIONS)]
                await asyncio.gather(*(forwarder.write(WEST, replace(call, deadline_s=end_s)) for end_s in ends_s))
            gateway.answer = CREATED
            later = await forwarder.write(WEST, call)

        assert later.status == 201

    asyncio.run(use())


def test_planted_forwards_twice() -> None:
    async def use() -> None:
        gateway = Gateway(b"")
        async with forwarding(gateway, defect="forwards_twice") as forwarder:
            await forwarder.write(WEST, a_call("POST", "/tweets/x/like", HEADERS))

        assert len(gateway.requests) == 2

    asyncio.run(use())


def test_planted_forwards_without_deadline() -> None:
    how = for_api("forwards_without_deadline", ApiParts()).forwarding

    assert (how.read_within_s, how.write_within_s) == (None, None)
