"""The control API's adapter against a server that misbehaves in every way we know of."""

from collections.abc import Iterator

import pytest
from toxiproxy.api import APIConsumer

from harness.faults.toxiproxy import (
    NotThereError,
    Toxic,
    ToxiproxyError,
    ToxiproxyServer,
    UnknownOutcomeError,
    UnreachableError,
)
from tests.harness.faults.fake_toxiproxy import LOOPBACK, FakeToxiproxy, serving

NAME = "here.api->here.redis"
SLOW = Toxic(name="run-latency-1", type="latency", stream="downstream", attributes={"latency": 100, "jitter": 0})
SLOWER = Toxic(name="run-latency-1", type="latency", stream="downstream", attributes={"latency": 200, "jitter": 0})


@pytest.fixture
def fake() -> Iterator[FakeToxiproxy]:
    with serving(FakeToxiproxy(NAME)) as running:
        yield running


@pytest.fixture
def server(fake: FakeToxiproxy) -> ToxiproxyServer:
    return ToxiproxyServer(fake.url, read_timeout_s=0.15)


def test_a_toxic_is_there_as_asked_and_stays_one_when_asked_again(server: ToxiproxyServer, fake: FakeToxiproxy) -> None:
    server.ensure_toxic(NAME, SLOW)
    server.ensure_toxic(NAME, SLOW)

    assert server.proxy(NAME).toxics == (SLOW,)
    assert sum(call.startswith("POST") for call in fake.calls) == 1


def test_a_toxic_of_another_strength_is_updated_by_patch(server: ToxiproxyServer, fake: FakeToxiproxy) -> None:
    server.ensure_toxic(NAME, SLOW)
    server.ensure_toxic(NAME, SLOWER)

    assert server.proxy(NAME).toxics == (SLOWER,)
    assert any(call.startswith("PATCH") for call in fake.calls)


def test_a_toxic_that_reads_back_without_its_strength_is_an_error(server: ToxiproxyServer, fake: FakeToxiproxy) -> None:
    fake.forgets_attributes = True

    with pytest.raises(ToxiproxyError, match="reads back"):
        server.ensure_toxic(NAME, SLOW)


def test_what_is_absent_already_may_be_removed_again(server: ToxiproxyServer) -> None:
    server.ensure_toxic(NAME, SLOW)
    server.ensure_absent(NAME, SLOW.name)
    server.ensure_absent(NAME, SLOW.name)
    server.ensure_absent("no such proxy", SLOW.name)

    assert server.proxy(NAME).toxics == ()


def test_two_servers_are_two_servers(server: ToxiproxyServer) -> None:
    with serving(FakeToxiproxy("other")) as other:
        assert set(ToxiproxyServer(other.url).proxies()) == {"other"}
        assert set(server.proxies()) == {NAME}
    assert (APIConsumer.host, APIConsumer.port) == ("127.0.0.1", 8474)


def test_names_are_quoted(server: ToxiproxyServer, fake: FakeToxiproxy) -> None:
    server.proxy(NAME)

    assert fake.calls == ["GET /proxies/here.api-%3Ehere.redis"]


@pytest.mark.parametrize("acts_anyway", [True, False])
def test_an_empty_503_is_an_unknown_outcome_and_is_settled_by_looking(
    server: ToxiproxyServer, fake: FakeToxiproxy, acts_anyway: bool
) -> None:
    fake.answers, fake.acts_anyway = [(503, b"")], acts_anyway

    server.ensure_toxic(NAME, SLOW)

    assert server.proxy(NAME).toxics == (SLOW,)


def test_a_delete_that_times_out_but_happens_late_is_settled_by_looking(
    server: ToxiproxyServer, fake: FakeToxiproxy
) -> None:
    server.ensure_toxic(NAME, SLOW)
    fake.answers, fake.acts_anyway = [(503, b"")], True

    server.ensure_absent(NAME, SLOW.name)

    assert server.proxy(NAME).toxics == ()


def test_a_server_error_that_stays_is_raised(server: ToxiproxyServer, fake: FakeToxiproxy) -> None:
    fake.answers = [(500, b'{"error":"no"}')] * 5

    with pytest.raises(UnknownOutcomeError, match="500"):
        server.ensure_toxic(NAME, SLOW)


def test_a_frozen_server_is_an_unknown_outcome_within_the_timeout(server: ToxiproxyServer, fake: FakeToxiproxy) -> None:
    fake.is_frozen = True

    with pytest.raises(UnknownOutcomeError, match="no answer"):
        server.proxies()


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (403, b"", ToxiproxyError),
        (400, b'{"error":"bad toxic type"}', ToxiproxyError),
        (200, b"this is no JSON", UnknownOutcomeError),
        (200, b"[]", ToxiproxyError),
    ],
)
def test_what_the_library_takes_for_success_is_an_error(
    server: ToxiproxyServer, fake: FakeToxiproxy, status: int, body: bytes, error: type[ToxiproxyError]
) -> None:
    fake.answers = [(status, body)] * 5

    with pytest.raises(error):
        server.ensure_toxic(NAME, SLOW)


def test_a_server_that_has_ended_is_unreachable() -> None:
    with pytest.raises(UnreachableError):
        ToxiproxyServer(f"http://{LOOPBACK}:9").proxies()


def test_a_missing_proxy_is_created_and_an_existing_one_keeps_its_toxics(server: ToxiproxyServer) -> None:
    server.ensure_toxic(NAME, SLOW)
    server.ensure_proxy(NAME, listen="ignored", upstream="ignored", enabled=False)
    server.ensure_proxy("new", listen=f"{LOOPBACK}:3", upstream=f"{LOOPBACK}:4", enabled=True)

    known = server.proxy(NAME)
    assert (known.enabled, known.listen, known.toxics) == (False, "127.0.0.14:1", (SLOW,))
    assert server.proxy("new").listen == f"{LOOPBACK}:3"


def test_a_proxy_that_does_not_exist_is_not_there(server: ToxiproxyServer) -> None:
    with pytest.raises(NotThereError):
        server.set_enabled("no such proxy", False)


def test_the_global_reset_is_never_called(server: ToxiproxyServer, fake: FakeToxiproxy) -> None:
    server.ensure_toxic(NAME, SLOW)
    server.ensure_absent(NAME, SLOW.name)
    server.set_enabled(NAME, False)

    assert not any("reset" in call or "populate" in call for call in fake.calls)


def _toxic(kind: str, toxicity: float = 1.0, **attributes: int) -> Toxic:
    return Toxic(name="t", type=kind, stream="upstream", attributes=attributes, toxicity=toxicity)


@pytest.mark.parametrize(
    ("toxic", "problem"),
    [
        (_toxic("latency", latency=100, jitter=100), None),
        (_toxic("latency", latency=100, jitter=101), "jitter"),
        (_toxic("latency", latency=-1, jitter=0), "latency"),
        (_toxic("latency", latancy=100, jitter=0), "latancy"),
        (_toxic("bandwidth", rate=1), None),
        (_toxic("bandwidth", rate=0), "rate"),
        (_toxic("bandwidth", rate=-1), "rate"),
        (_toxic("timeout", timeout=0), None),
        (_toxic("slicer", average_size=10, size_variation=9, delay=0), None),
        (_toxic("slicer", average_size=10, size_variation=10, delay=0), "size_variation"),
        (_toxic("slicer", average_size=0, size_variation=0, delay=0), "average_size"),
        (_toxic("reset_peer", 0.0, timeout=0), "toxicity"),
        (_toxic("reset_peer", 0.5, timeout=0), None),
        (_toxic("teleport"), "teleport"),
    ],
)
def test_values_that_end_the_server_or_do_nothing_are_never_sent(
    server: ToxiproxyServer, fake: FakeToxiproxy, toxic: Toxic, problem: str | None
) -> None:
    if problem is None:
        assert toxic.problems() == []
        return
    with pytest.raises(ToxiproxyError, match=problem):
        server.ensure_toxic(NAME, toxic)

    assert fake.calls == []
