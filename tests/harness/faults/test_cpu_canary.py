"""Whether a limit on the CPU bites: only where the kernel has held the service back, and kept it within the limit."""

import pytest

from harness import clock
from harness.faults.canary import Before
from harness.faults.container_path import ContainerPath
from harness.faults.cpu_canary import LimitedCpu
from harness.faults.probes import Answer
from harness.target.container_target import CpuUsage

HALF = LimitedCpu(share=0.5)
ALLOWED = 2.0  # CPUs


class Target:
    """Uses a part of its CPU, and is held back in some of the kernel's ten periods a second."""

    def __init__(self, used: float, throttled: float) -> None:
        self.used = used
        self.throttled = throttled
        self.now_s = 100.0

    def cpu_usage(self, service: str) -> CpuUsage:
        assert service == "api"
        return CpuUsage(
            at_s=self.now_s,
            cpu_s=self.now_s * self.used * ALLOWED,
            periods=round(self.now_s * 1000),
            throttled_periods=round(self.now_s * 1000 * self.throttled),
            allowed_cpus=ALLOWED,
        )


@pytest.mark.parametrize(
    ("used", "throttled", "bites", "gone"),
    [
        (0.5, 0.9, True, False),  # wants more than it gets
        (0.3, 0.2, True, False),  # in bursts
        (0.3, 0.0, False, True),  # would not have used it anyway: the limit has done nothing
        (0.3, 0.05, True, True),  # for a moment: neither can be excluded
        (0.9, 0.9, False, True),  # uses more than the limit allows, so the limit is not there
    ],
)
def test_a_limit_bites_where_it_holds_the_service_back(
    used: float, throttled: float, bites: bool, gone: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = Target(used, throttled)
    monkeypatch.setattr(ContainerPath, "ask", lambda self, timeout_s: Answer(signature="answered", round_trip_s=0.001))

    def sleep(seconds: float) -> None:
        target.now_s += seconds

    monkeypatch.setattr(clock, "sleep", sleep)
    path = ContainerPath(name="api", protocol="http", host="127.0.0.1", port=1, path="/", target=target)  # type: ignore[arg-type]  # only its CPU is asked

    reading = HALF.read(path, Before(round_trip_s=0.001))

    assert (reading.bites, reading.gone) == (bites, gone)
    assert reading.dose == pytest.approx(used, rel=0.01)
