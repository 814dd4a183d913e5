"""Did a limit on a service's memory bite? Asked of the kernel's own accounts, as the engine passes them on.

A service that uses less than the limit has not felt it. One that needs more is ended by the kernel, again and again.
"""

from dataclasses import dataclass

from harness.faults import canary
from harness.faults.canary import Before, Path, Reading
from harness.faults.container_path import ContainerPath

FULL = 0.9  # of the limit, with what the kernel keeps for the service: it makes room before the last of it is taken


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitedMemory:
    """The service gets at most `share` of the memory it was allowed, and has needed more.

    Believed while the kernel's limit is nearer to the one asked for than to all of it and is full, or while the service
    is down for want of it; gone when the limit is nearer to all of it again, and the service answers.
    """

    share: float
    dose_unit: str = "share of its memory"

    @property
    def wanted_dose(self) -> float:
        return self.share

    def before(self, path: Path) -> Before:
        return canary.undisturbed(path)

    def read(self, path: Path, before: Before) -> Reading:
        assert isinstance(path, ContainerPath)
        answer = path.ask(canary.ANSWER_WITHIN_S + before.round_trip_s)
        now = path.target.memory_usage(path.name)
        if now is None:
            lost = not answer.answered
            return Reading(answer=answer, dose=None, bites=lost, gone=False, detail="the service has ended")
        is_limited = now.limit_bytes < (1 + self.share) / 2 * now.allowed_bytes
        return Reading(
            answer=answer,
            dose=now.used_bytes / now.allowed_bytes,
            bites=is_limited and now.used_bytes >= FULL * now.limit_bytes,
            gone=answer.answered and not is_limited,
            detail=f"{now.used_bytes / now.limit_bytes:.0%} of the limit used",
        )

    def gone_within_s(self, before: Before) -> float:
        return before.round_trip_s + canary.ANSWER_WITHIN_S
