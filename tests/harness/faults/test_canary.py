"""What a canary takes for a fault, for its absence, and for neither."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from harness.errors import FaultError
from harness.faults import canary, probes
from harness.faults.canary import Before, Path
from tests.loopback import loopback

LOOPBACK = loopback(14)
Peer = Callable[[socket.socket], None]


@contextmanager
def listening(serve: Peer) -> Iterator[Path]:
    """A Redis as far as PING goes: each connection is given to `serve`."""
    with socket.create_server((LOOPBACK, 0)) as server:

        def accept() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    serve(connection)

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield Path(name="a->b", protocol="redis", host=LOOPBACK, port=server.getsockname()[1], path="/")
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


def pong(connection: socket.socket) -> None:
    connection.recv(100)
    connection.sendall(b"+PONG\r\n")


def loading(connection: socket.socket) -> None:
    connection.recv(100)
    connection.sendall(b"-LOADING the dataset\r\n")


def rst(connection: socket.socket) -> None:
    connection.recv(100)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def fin(connection: socket.socket) -> None:
    connection.recv(100)


@pytest.mark.parametrize(
    ("serve", "signature"), [(pong, "answered"), (loading, "wrong"), (rst, "reset"), (fin, "closed")]
)
def test_an_answer_is_told_from_everything_else(serve: Peer, signature: str) -> None:
    with listening(serve) as path:
        assert path.ask(1.0).signature == signature


def test_nobody_listening_is_refused() -> None:
    assert probes.ask("redis", LOOPBACK, 9).signature == "refused"


def test_an_open_port_that_says_nothing_is_silent() -> None:
    with socket.create_server((LOOPBACK, 0)) as server:
        answer = probes.ask("redis", LOOPBACK, server.getsockname()[1], timeout_s=0.05)

    assert (answer.signature, answer.connected, answer.answered) == ("silent", True, False)


@pytest.mark.parametrize("serve", [loading, rst, fin])
def test_a_path_that_does_not_answer_before_cannot_prove_anything(serve: Peer) -> None:
    with listening(serve) as path, pytest.raises(FaultError, match="would prove nothing"):
        canary.undisturbed(path)


@pytest.mark.parametrize("protocol", ["redis", "http", "postgres"])
def test_a_bulk_question_stays_within_what_the_protocol_takes(protocol: str) -> None:
    for size in (100, 5_000, 10_000_000):
        asked = probes.bulk_question(protocol, LOOPBACK, size=size)
        assert asked is not None
        question, moved = asked

        assert moved <= max(32, size)
        assert protocol != "postgres" or len(question.data) <= 10_000
        assert protocol != "http" or all(len(line) < 8_192 for line in question.data.split(b"\r\n"))


@pytest.mark.parametrize(
    ("hits", "asked", "share", "is_plausible"),
    [
        (0, 0, 0.5, True),
        (10, 10, 1.0, True),
        (9, 10, 1.0, False),
        (0, 20, 0.5, False),
        (20, 20, 0.5, False),
        (10, 20, 0.5, True),
        (4, 20, 0.2, True),
        (20, 1000, 0.2, False),
        (200, 1000, 0.2, True),
        (0, 10, 0.05, True),
    ],
)
def test_a_share_is_believed_within_what_chance_allows(hits: int, asked: int, share: float, is_plausible: bool) -> None:
    assert canary.is_plausible(hits, asked, share) is is_plausible


BEFORE = Before(round_trip_s=0.0)


def answering_after(*round_trips_s: float | None) -> Path:
    """A path that answers without a network, as late as asked; None is silence."""
    left = list(round_trips_s)

    class Scripted(Path):
        def ask(self, timeout_s: float) -> probes.Answer:
            round_trip_s = left.pop(0)
            if round_trip_s is None:
                return probes.Answer(signature="silent", detail="no answer")
            return probes.Answer(signature="answered", round_trip_s=round_trip_s)

    return Scripted(name="a->b", protocol="redis", host=LOOPBACK, port=1, path="/")


@pytest.mark.parametrize(
    ("round_trip_s", "bites", "gone"),
    [
        (0.000, False, True),
        (0.150, False, True),
        (0.200, False, False),  # between the two: proves neither
        (0.300, True, False),
        (0.310, True, False),
        (0.600, False, False),  # twice as much is not what was asked for
        (None, False, False),
    ],
)
def test_latency_is_believed_near_its_dose_and_gone_below_half(
    round_trip_s: float | None, bites: bool, gone: bool
) -> None:
    expectation = canary.AddedLatency(latency_s=0.3, jitter_s=0.0)

    reading = expectation.read(answering_after(round_trip_s), BEFORE)

    assert (reading.bites, reading.gone) == (bites, gone)


def test_jitter_widens_what_is_believed() -> None:
    with_jitter = canary.AddedLatency(latency_s=0.3, jitter_s=0.1)

    assert with_jitter.read(answering_after(0.21), BEFORE).bites


def test_added_latency_is_counted_from_the_undisturbed_path() -> None:
    reading = canary.AddedLatency(latency_s=0.3, jitter_s=0.0).read(answering_after(0.4), Before(round_trip_s=0.1))

    assert reading.dose == pytest.approx(0.3)


def test_a_few_resets_are_not_all_and_a_few_answers_are_not_none() -> None:
    with listening(rst) as path:
        all_of_them = canary.ResetShare(share=1.0, after_s=0.0).read(path, BEFORE)
        half_of_them = canary.ResetShare(share=0.5, after_s=0.0).read(path, BEFORE)
        few_of_them = canary.ResetShare(share=0.05, after_s=0.0).read(path, BEFORE)
    with listening(pong) as path:
        none_of_them = canary.ResetShare(share=0.05, after_s=0.0).read(path, BEFORE)

    assert all_of_them.bites
    assert half_of_them.bites is canary.is_plausible(7, 7, 0.5)
    assert not few_of_them.bites
    assert (none_of_them.bites, none_of_them.gone) == (False, True)


def test_answers_before_a_reset_do_not_count_as_gone() -> None:
    expectation = canary.ResetShare(share=0.5, after_s=0.0)
    with listening(pong) as path:
        assert expectation.read(path, BEFORE).gone
    with listening(rst) as path:
        assert not expectation.read(path, BEFORE).gone


@pytest.mark.parametrize(
    ("serve", "is_refusal"), [(pong, False), (fin, True), (rst, True)], ids=["answers", "closes", "resets"]
)
def test_refusal_is_anything_but_an_answer_or_silence(serve: Peer, is_refusal: bool) -> None:
    with listening(serve) as path:
        reading = canary.Refusal().read(path, BEFORE)

    assert (reading.bites, reading.gone) == (is_refusal, not is_refusal)


@pytest.mark.slow
def test_silence_is_neither_an_answer_nor_a_refusal() -> None:
    with socket.create_server((LOOPBACK, 0)) as server:
        path = Path(name="a->b", protocol="redis", host=LOOPBACK, port=server.getsockname()[1], path="/")
        silent = canary.Silence().read(path, BEFORE)
    refused = canary.Silence().read(path, BEFORE)

    assert (silent.bites, silent.gone) == (True, False)
    assert (refused.bites, refused.gone) == (False, False)
