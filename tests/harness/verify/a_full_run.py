"""A run that gives every check something to judge, and passes all of them."""

from harness.experiment.expectations.degradation import DegradationCheck
from harness.experiment.expectations.recovery import RecoveryCheck
from harness.experiment.expectations.retries import RetriesCheck
from harness.experiment.expectations.shedding import SheddingCheck
from harness.experiment.expectations.slo import SloCheck
from harness.units import Ratio, Seconds
from harness.verify.verdict import Figure, Outcome, Verdict, Verdicts
from tests.harness.a_run import RunBuilder, a_run

CHECKS = (
    SloCheck(p50=Seconds(0.06), p99=Seconds(0.15), error_ratio=Ratio(0.01), goodput_ratio=Ratio(0.99)),
    DegradationCheck(reaches="CRITICAL", visits=("ADVISORY", "WARNING")),
    SheddingCheck(tolerance=Ratio(0.07)),
    RecoveryCheck(rto=Seconds(8.0)),
    RetriesCheck(),
)
FAULT_S = (30.0, 40.0)
LEVEL_S = (31.0, 56.0)  # CRITICAL from the first evaluation after 31 s to 43 s, then a level less each five seconds
OVERLOAD_S = (58.0, 70.0)
END_S = 90.0


def a_full_run() -> RunBuilder:
    return (
        a_run()
        .with_phases(warm_up=5.0, baseline=20.0, disturbed=45.0, recovery=20.0)
        .with_fault(at_s=FAULT_S[0], lasts_s=FAULT_S[1] - FAULT_S[0])
        .with_inputs(from_s=31.0, to_s=35.0, latency_p99_ms=300.0)
        .with_inputs(from_s=35.0, to_s=39.0, latency_p99_ms=1200.0)
        .with_overload(from_s=OVERLOAD_S[0], to_s=OVERLOAD_S[1], per_s=400.0)
        .expecting(*CHECKS)
    )


def outcomes(verdicts: Verdicts) -> dict[str, str]:
    return {verdict.check: verdict.outcome.value for verdict in verdicts.verdicts}


def figure(verdict: Verdict, name: str) -> Figure:
    """The figure whose name begins so."""
    return next(figure for figure in verdict.figures if figure.name.startswith(name))


def guilty(verdict: Verdict) -> list[str]:
    """Names of the figures that did not pass."""
    return [figure.name for figure in verdict.figures if figure.outcome is not Outcome.PASS]
