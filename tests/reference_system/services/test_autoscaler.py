"""The autoscaler of a region, sync by sync, with what its processes say made up."""

import json
from dataclasses import replace

import pytest
from prometheus_client import CollectorRegistry

from reference_system.policies.autoscaling.timeline_api import IN_SMALL
from reference_system.services.autoscaler import START_UP_S, Autoscaler, Scaling
from reference_system.services.exchange import Observations
from reference_system.services.log import Log


class Bench:
    """Two processes that share the load evenly, and as many pods as they are told to have."""

    def __init__(self, how: Scaling | None = None) -> None:
        self.registry = CollectorRegistry()
        how = Scaling() if how is None else how
        self.autoscaler = Autoscaler(how, processes=2, window_s=5.0, registry=self.registry, log=Log("controller"))
        self.now_s = 100.0

    def sync(self, load_per_s: float, *, times: int = 1, dead: tuple[int, ...] = ()) -> None:
        for _ in range(times):
            answers = [None if process in dead else self._observed(load_per_s / 2, process) for process in (0, 1)]
            self.autoscaler.sync(answers, self.now_s)
            self.now_s += 1.0

    def _observed(self, load_per_s: float, process: int) -> Observations:
        slots = self.autoscaler.slots(process) or 3
        return Observations(
            latencies_ms=[30.0] * 100,
            ok=100,
            error=0,
            shed=0,
            disabled=0,
            cpu_ratio=min(1.0, load_per_s * 0.02 / slots),
            offered_per_s=load_per_s,
            slots=slots,
        )

    def shown(self, name: str, **labels: str) -> float:
        value = self.registry.get_sample_value(f"autoscaler_{name}", labels)
        assert value is not None
        return value

    @property
    def slots(self) -> tuple[int | None, int | None]:
        return self.autoscaler.slots(0), self.autoscaler.slots(1)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_it_begins_with_the_pods_that_there_are(bench: Bench) -> None:
    bench.sync(60.0)

    assert bench.slots == (3, 3)
    assert (bench.shown("current_replicas"), bench.shown("ready_replicas")) == (6, 6)
    assert bench.shown("metric", metric="requests_per_second") == 10.0
    assert bench.shown("metric", metric="cpu_utilization") == 20.0
    assert bench.shown("metric", metric="response_time_p99_ms") == 30.0


def test_a_process_that_does_not_answer_at_first_has_as_many_as_the_other(bench: Bench) -> None:
    bench.sync(150.0, dead=(0, 1))
    before = bench.slots

    bench.sync(150.0, dead=(1,))

    assert (before, bench.slots) == ((None, None), (3, 3))
    assert bench.shown("desired_replicas") == 6


def test_more_load_needs_more_pods_which_serve_once_they_have_started(bench: Bench) -> None:
    """180/s are 30/s a pod, and 25/s are the target: 6 x 1.2 pods."""
    bench.sync(60.0)
    bench.sync(180.0, times=5)  # within the four seconds in which it would have wanted fewer before

    assert bench.shown("desired_replicas") == 8
    assert bench.shown("ready_replicas") == 6
    bench.sync(180.0, times=int(START_UP_S) + 1)
    assert bench.shown("ready_replicas") == 8
    assert bench.slots == (4, 4)


def test_it_grows_by_two_pods_or_half_in_four_seconds_and_not_faster(bench: Bench) -> None:
    bench.sync(60.0)
    bench.sync(600.0, times=5)

    assert bench.shown("desired_replicas") == 9


def test_it_shrinks_only_after_twenty_quiet_seconds_and_slowly(bench: Bench) -> None:
    bench.sync(250.0, times=30)
    assert bench.shown("desired_replicas") == 10
    bench.sync(60.0, times=19)
    assert bench.shown("desired_replicas") == 10

    bench.sync(60.0, times=4)

    assert bench.shown("desired_replicas") == 9
    bench.sync(60.0, times=120)
    assert bench.shown("desired_replicas") == 5


def test_pods_of_a_process_that_does_not_answer_are_missing_and_do_not_shrink_it(bench: Bench) -> None:
    bench.sync(150.0, times=3)
    bench.sync(150.0, times=60, dead=(1,))

    assert bench.shown("missing_pods", metric="cpu_utilization") == 3
    assert bench.shown("counted_pods", metric="cpu_utilization") == 3
    assert bench.shown("desired_replicas") == 6


def test_each_sync_is_counted_and_each_change_logged(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    bench.sync(180.0, times=8)

    (line,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert bench.shown("syncs_total") == 8
    assert (line["event"], line["from"], line["to"]) == ("scaled", 6, 8)


def test_how_it_decides_is_a_part_that_can_be_replaced() -> None:
    at_most_six = Bench(Scaling(spec=replace(IN_SMALL, max_replicas=6)))
    at_most_six.sync(600.0, times=20)

    assert at_most_six.shown("desired_replicas") == 6
