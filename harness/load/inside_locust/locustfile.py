"""The file that Locust runs: one user, who is the dispatcher of a shard.

Locust gives the process, its signals and its clean end; arrivals, requests and records are ours, because its own loop
waits for answers and its own statistics round. Needs the spec's path in the environment (`messages.SPEC_VARIABLE`).
"""

import os
import signal
from pathlib import Path
from typing import Any

import gevent
import msgspec
from locust import User, events, task

from harness.load.inside_locust.light_arrow import load_arrow
from harness.load.inside_locust.shard import Shard
from harness.load.messages import SPEC_VARIABLE, ShardSpec


def set_up(environment: Any, **_: Any) -> None:
    """Before any user: the shard, and our own answer to Ctrl-C.

    Subtle: Python's would raise KeyboardInterrupt in whichever greenlet runs, and cost a row.
    """
    load_arrow()
    spec = msgspec.json.decode(Path(os.environ[SPEC_VARIABLE]).read_bytes(), type=ShardSpec)
    environment.shard = Shard(spec)
    gevent.signal_handler(signal.SIGINT, environment.shard.stop, "SIGINT")


def tear_down(environment: Any, **_: Any) -> None:
    """On SIGTERM Locust calls this before it ends the users: first comes our own clean end."""
    if not environment.shard.finished.is_set():
        environment.shard.stop("SIGTERM")
        environment.shard.finished.wait()


events.init.add_listener(set_up)  # type: ignore[no-untyped-call] # locust annotates by halves
events.quitting.add_listener(tear_down)  # type: ignore[no-untyped-call] # the same


class Dispatcher(User):
    """The only user there is."""

    fixed_count = 1

    @task
    def offer(self) -> None:
        self.environment.process_exit_code = 0 if self.environment.shard.run() else 1
        self.environment.runner.quit()
