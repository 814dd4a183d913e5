"""Whether a limit on the memory bites: only where it is full, or the service is down for want of it."""

import pytest

from harness.faults.canary import Before
from harness.faults.container_path import ContainerPath
from harness.faults.memory_canary import LimitedMemory
from harness.faults.probes import Answer
from harness.target.container_target import MemoryUsage

HALF = LimitedMemory(share=0.5)
ALLOWED = 1000
ANSWERED, REFUSED = Answer(signature="answered", round_trip_s=0.001), Answer(signature="refused")


class Target:
    """A service's account: None while it does not run."""

    def __init__(self, usage: MemoryUsage | None) -> None:
        self._usage = usage

    def memory_usage(self, service: str) -> MemoryUsage | None:
        assert service == "api"
        return self._usage


def usage(used: int, limit: int) -> MemoryUsage:
    return MemoryUsage(used_bytes=used, limit_bytes=limit, allowed_bytes=ALLOWED)


# Shown: the dose, whether it bites, whether it is gone.
@pytest.mark.parametrize(
    ("usage", "answer", "shown"),
    [
        (usage(490, 500), ANSWERED, (0.49, True, False)),  # would use more if it could
        (usage(300, 500), ANSWERED, (0.3, False, False)),  # needs less than the limit, which is there all the same
        (usage(490, 500), REFUSED, (0.49, True, False)),  # is about to be ended
        (None, REFUSED, (None, True, False)),  # has been ended
        (None, ANSWERED, (None, False, False)),  # has just come back
        (usage(300, 1000), ANSWERED, (0.3, False, True)),
        (usage(990, 1000), ANSWERED, (0.99, False, True)),  # no limit of ours
        (usage(300, 1000), REFUSED, (0.3, False, False)),  # the limit is gone, and the service not yet back
    ],
)
def test_a_limit_bites_where_the_service_would_need_more(
    usage: MemoryUsage | None,
    answer: Answer,
    shown: tuple[float | None, bool, bool],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ContainerPath, "ask", lambda self, timeout_s: answer)
    path = ContainerPath(
        name="api",
        protocol="http",
        host="127.0.0.1",
        port=1,
        path="/",
        target=Target(usage),  # type: ignore[arg-type]  # only its memory is asked
    )

    reading = HALF.read(path, Before(round_trip_s=0.001))

    assert (reading.dose, reading.bites, reading.gone) == shown
