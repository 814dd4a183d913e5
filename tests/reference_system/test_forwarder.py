"""The link of the tests that can be cut: what it does to bytes is what the tests believe it does."""

import socket
import threading
import time

from tests.loopback import loopback
from tests.reference_system.forwarder import Forwarder, Mode

HOST = loopback(85)


def test_a_link_that_freezes_and_goes_on_has_lost_nothing() -> None:
    sent, received, ended = 0, 0, threading.Event()
    with socket.create_server((HOST, 0)) as server:
        link = Forwarder((HOST, 0), server.getsockname())
        with socket.create_connection((HOST, link.port)) as caller, server.accept()[0] as called:

            def send() -> None:
                nonlocal sent
                while not ended.is_set():
                    caller.sendall(b"0123456789")
                    sent += 10
                caller.shutdown(socket.SHUT_WR)

            def receive() -> None:
                nonlocal received
                while chunk := called.recv(65536):
                    received += len(chunk)

            both = [threading.Thread(target=send), threading.Thread(target=receive)]
            for one in both:
                one.start()
            for _ in range(50):  # the moment matters in which a thread is caught
                link.cut(Mode.FREEZES)
                time.sleep(0.001)
                link.heal()
                time.sleep(0.002)
            ended.set()
            for one in both:
                one.join()
        link.close()

    assert sent > 0
    assert received == sent
