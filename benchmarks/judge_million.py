"""How long one million requests take to judge; the aim is ten seconds together with drawing, on two cores.

Run from the checkout: `python -m benchmarks.judge_million [requests]`. The run is synthetic (300 s, with overload and a
fault), so that only the judge is measured.
"""

import sys
import time

import msgspec

from harness.experiment.expectations.degradation import DegradationCheck
from harness.experiment.expectations.recovery import RecoveryCheck
from harness.experiment.expectations.retries import RetriesCheck
from harness.experiment.expectations.shedding import SheddingCheck
from harness.experiment.expectations.slo import SloCheck
from harness.record.reader import Run
from harness.target.target import TargetSpec
from harness.units import PerSecond, Ratio, Seconds
from harness.verify import judge
from harness.verify.verdict import Verdicts
from tests.harness.a_run import a_run
from tests.harness.simulation import the_target

LENGTH_S = 300.0
CHECKS = (
    SloCheck(p50=Seconds(0.06), p99=Seconds(0.15), error_ratio=Ratio(0.001), goodput_ratio=Ratio(0.99)),
    SloCheck(phase="disturbed", priority=1, p99=Seconds(1.0), error_ratio=Ratio(0.01)),
    DegradationCheck(reaches="CRITICAL"),
    SheddingCheck(),
    RecoveryCheck(rto=Seconds(30.0)),
    RetriesCheck(),
)


def a_large_run(requests: int) -> Run:
    """A run of that many requests, a third of them above the target rate."""
    base_per_s = requests / (LENGTH_S + 60.0)
    return (
        a_run()
        .with_target(_target(base_per_s))
        .with_phases(warm_up=10.0, baseline=90.0, disturbed=140.0, recovery=60.0)
        .with_rate(base_per_s)
        .with_overload(from_s=150.0, to_s=210.0, per_s=2 * base_per_s)
        .with_fault(at_s=110.0, lasts_s=20.0)
        .with_inputs(from_s=112.0, to_s=130.0, latency_p99_ms=1200.0)
        .expecting(*CHECKS)
        .built()
    )


def _target(base_per_s: float) -> TargetSpec:
    """The reference system, of a size at which the base rate is 0.8x of what it promises to take."""
    target = the_target()
    promise = target.promises.shedding
    assert promise is not None
    larger = msgspec.structs.replace(promise, target_rate_per_replica=PerSecond(base_per_s / 2 / 0.8))
    return msgspec.structs.replace(target, promises=msgspec.structs.replace(target.promises, shedding=larger))


def timed_judgement(run: Run) -> tuple[Verdicts, float]:
    """The verdicts and how many seconds they took."""
    started_s = time.perf_counter()
    verdicts = judge.judge(run)
    return verdicts, time.perf_counter() - started_s


def main() -> None:
    run = a_large_run(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
    verdicts, took_s = timed_judgement(run)
    print(f"{len(run.requests):,} requests judged in {took_s:.2f} s: {verdicts.outcome}")
    for verdict in verdicts.verdicts:
        print(f"  {verdict.outcome:12} {verdict.sentence}")


if __name__ == "__main__":
    main()
