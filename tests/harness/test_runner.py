"""How a run is stopped; whole runs are conducted in tests/e2e."""

from harness import clock
from harness.record import rows
from harness.runner import Stop


def test_a_stop_is_dated_when_it_was_asked_for_and_its_first_reason_counts() -> None:
    stop, before_ns = Stop(), clock.now_ns()

    stop.ask("stop_condition", "error_ratio was above 90%")
    after_ns = clock.now_ns()
    stop.ask("error", "a shard did not drain")
    event = stop.event()

    assert isinstance(event, rows.RunStopped)
    assert before_ns <= event.at_ns <= after_ns
    assert (event.by, event.reason) == ("stop_condition", "error_ratio was above 90%")


def test_a_run_that_nobody_stopped_has_no_such_event() -> None:
    assert Stop().event() is None
