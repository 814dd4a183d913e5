"""Did a limit on a service's CPU bite? Asked of the kernel's own accounts, as the engine passes them on.

A probe through the data path cannot tell a throttled service from a busy one. The kernel counts the periods in which a
container wanted more CPU than it was allowed, and a limit that is never reached has done nothing.
"""

from dataclasses import dataclass

from harness import clock
from harness.faults import canary
from harness.faults.canary import Before, Path, Reading
from harness.faults.container_path import ContainerPath
from harness.target.container_target import CpuUsage

READING_S = 0.5  # several of the kernel's periods of 100 ms
OVERSHOOT = 1.25  # a quota counts per period, and a period that begins just before a reading belongs half to it
RARELY = 0.1  # share of throttled periods that says no more than that the service was busy for a moment


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitedCpu:
    """The service gets at most `share` of the CPU it was allowed, and has wanted more.

    Believed while some periods were throttled and the CPU used stays within a quarter of the limit; gone when no more
    than a tenth of the periods is throttled, or when it uses more than the limit.
    """

    share: float
    dose_unit: str = "share of its CPU"

    @property
    def wanted_dose(self) -> float:
        return self.share

    def before(self, path: Path) -> Before:
        return canary.undisturbed(path)

    def read(self, path: Path, before: Before) -> Reading:
        assert isinstance(path, ContainerPath)
        answer = path.ask(canary.ANSWER_WITHIN_S + before.round_trip_s)
        began = path.target.cpu_usage(path.name)
        clock.sleep(READING_S)
        now = path.target.cpu_usage(path.name)
        used = (now.cpu_s - began.cpu_s) / (now.at_s - began.at_s) / began.allowed_cpus
        throttled = _throttled(began, now)
        return Reading(
            answer=answer,
            dose=used,
            bites=throttled > 0 and used <= OVERSHOOT * self.share,
            gone=answer.answered and (throttled <= RARELY or used > OVERSHOOT * self.share),
            detail=f"{throttled:.0%} of the periods throttled",
        )

    def gone_within_s(self, before: Before) -> float:
        return before.round_trip_s + canary.ANSWER_WITHIN_S


def _throttled(began: CpuUsage, now: CpuUsage) -> float:
    periods = now.periods - began.periods
    return (now.throttled_periods - began.throttled_periods) / periods if periods else 0.0
