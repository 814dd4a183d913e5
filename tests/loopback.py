"""Addresses for the servers of the tests: nobody else's on this machine, and never those of another worker."""

import os

_worker = os.environ.get("PYTEST_XDIST_WORKER", "").removeprefix("gw")


def loopback(number: int) -> str:
    """The address of one part of the tests, by a number of its own."""
    return f"127.0.{int(_worker) + 1 if _worker else 0}.{number}"
