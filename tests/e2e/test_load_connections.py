"""Connections to a real server: kept alive however many descriptors are open, and never used when they have died."""

import os
import resource
from collections.abc import Iterator

import pytest

from harness.load.inside_locust.connections import EntryPool, exchange
from tests.harness.load.offering import HOST, small_server

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

REQUEST = b"GET / HTTP/1.1\r\nHost: small\r\n\r\n"


@pytest.fixture
def many_open_files() -> Iterator[int]:
    """More than select(2) can look at."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(4096, hard), hard))
    opened = [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]
    yield len(opened)
    for one in opened:
        os.close(one)
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def pool_of(url: str) -> EntryPool:
    return EntryPool(HOST, int(url.rpartition(":")[2]), deadline_s=5)


def local_port_of_the_idle_connection(pool: EntryPool) -> int:
    sock = pool.get_socket()
    port = int(sock.getsockname()[1])
    pool.return_socket(sock)
    return port


def test_above_1024_descriptors_connections_are_still_kept_alive(many_open_files: int) -> None:
    with small_server("ok-to-all") as url:
        pool = pool_of(url)
        exchange(pool, "GET", REQUEST)
        first = local_port_of_the_idle_connection(pool)
        for _ in range(3):
            assert exchange(pool, "GET", REQUEST)[0] == 200

        assert local_port_of_the_idle_connection(pool) == first
        pool.close()


def test_a_connection_that_died_while_idle_is_replaced_not_used() -> None:
    with small_server("ok-to-all") as url:
        pool = pool_of(url)
        exchange(pool, "GET", REQUEST)
        sock = pool.get_socket()
        sock.shutdown(2)  # as if the server had closed it: an end is waiting to be read
        pool.return_socket(sock)

        assert exchange(pool, "GET", REQUEST)[0] == 200
        pool.close()
