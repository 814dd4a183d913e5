import contextlib
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from benchmarks.request_cost import Side, bounded, capacity_per_s, refuse_different_answers, row
from harness.target.running_state import ServiceState, TargetState
from tests.loopback import loopback


def state_of(*environments: dict[str, str]) -> TargetState:
    services = {
        f"service-{number}": ServiceState(
            command=(), environment=environment, stop_signal=15, stop_grace_s=1.0, level=0
        )
        for number, environment in enumerate(environments)
    }
    return TargetState(spec_path="", folder="", loopback="", data="", defect=None, services=services)


@contextlib.contextmanager
def serving(*posts: str) -> Iterator[Side]:
    """A chain that answers everything with these posts."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = json.dumps({"posts": posts}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer((loopback(63), 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield Side(f"http://{loopback(63)}:{server.server_port}", "/", ("", 0), {})
        finally:
            server.shutdown()
            thread.join()


def test_the_knee_is_what_the_slots_of_all_replicas_can_do() -> None:
    replica = {"SLOTS": "3", "SERVICE_TIME_MS": "20"}

    assert capacity_per_s(state_of(replica, replica, {"PORT": "1"})) == 300.0


def test_chains_that_give_the_same_posts_are_compared() -> None:
    with serving("a", "b") as ours, serving("a", "b") as bare:
        refuse_different_answers((ours, bare), {1: "token"})


@pytest.mark.parametrize(
    "posts", [("b", "a"), ("a",), ()], ids=["in another order", "one is missing", "nothing is answered"]
)
def test_chains_that_do_different_jobs_are_not_compared(posts: tuple[str, ...]) -> None:
    with serving("a", "b") as ours, serving(*posts) as bare, pytest.raises(SystemExit, match="same posts"):
        refuse_different_answers((ours, bare), {1: "token"})


def test_chains_that_both_answer_nothing_are_not_compared() -> None:
    with serving() as ours, serving() as bare, pytest.raises(SystemExit, match="no posts"):
        refuse_different_answers((ours, bare), {1: "token"})


def test_what_takes_too_long_is_ended() -> None:
    with pytest.raises(TimeoutError), bounded(0.02):
        time.sleep(10)


def test_a_part_that_one_side_alone_has_leaves_the_other_columns_empty() -> None:
    assert row("controller", [[1.0], [3.0], [2.0]]) == "| controller | 2 (1–3) |  |  |"


def test_each_side_has_a_column_with_its_spread_over_the_rounds() -> None:
    assert row("api", [[1.0, 4.0, 7.0], [3.0, 4.0, 5.0]]) == "| api | 2 (1–3) | 4 (4–4) | 6 (5–7) |"
