"""Once faults are over, the regions agree within a deadline; if they do not, this names the links that are stuck.

A link from A to B is known by A's heartbeat as B holds it: its age there says up to when B has applied what A wrote. A
link is *stuck* if by the deadline no heartbeat that A wrote after the heal has come to B, *moving* if one has, and
*unknown* if it was not sampled between the heal and the deadline.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from harness.verify.consistency.convergence import Convergence, converged_after_s


@dataclass(frozen=True, slots=True, kw_only=True)
class HeartbeatSample:
    """The age of the source's heartbeat as the target holds it; infinite if none ever came."""

    at_s: float
    source: str
    target: str
    age_s: float


class LinkState(StrEnum):
    MOVING = "moving"
    STUCK = "stuck"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """At the deadline. `applied_s` counts from the heal: up to when the target had what the source wrote."""

    source: str
    target: str
    state: LinkState
    age_s: float | None
    applied_s: float | None


class Progress(StrEnum):
    IN_TIME = "in time"
    TOO_LATE = "too late"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Liveness:
    """`links` is the whole matrix, unknown ones first, then the least advanced."""

    progress: Progress
    after_s: float | None
    why: str
    links: tuple[Link, ...]

    @property
    def stuck(self) -> tuple[Link, ...]:
        return tuple(link for link in self.links if link.state is LinkState.STUCK)


def liveness(
    found: Sequence[Convergence],
    heartbeats: Iterable[HeartbeatSample],
    *,
    regions: Sequence[str],
    heal_s: float,
    deadline_s: float,
) -> Liveness:
    """`deadline_s` counts from the heal."""
    after_s = converged_after_s(found)
    links = _links(heartbeats, regions, heal_s, heal_s + deadline_s)
    progress, why = _progress(found, after_s, deadline_s)
    return Liveness(progress=progress, after_s=after_s, why=why, links=links)


def _progress(found: Sequence[Convergence], after_s: float | None, deadline_s: float) -> tuple[Progress, str]:
    if after_s is not None and after_s <= deadline_s:
        return Progress.IN_TIME, ""
    late = [each.table for each in found if each.last_difference is not None and each.differed_s >= deadline_s]
    if late:
        return Progress.TOO_LATE, f"regions still differed in {', '.join(late)}"
    if not found:
        return Progress.UNKNOWN, "no table was sampled"
    unsampled = sorted({region for each in found for region in each.unsampled})
    if unsampled:
        return Progress.UNKNOWN, f"not sampled after the heal: {', '.join(unsampled)}"
    unsure = [each.table for each in found if each.after_s is None or each.after_s > deadline_s]
    return Progress.UNKNOWN, f"no samples at the deadline tell whether the regions agreed in {', '.join(unsure)}"


def _links(
    heartbeats: Iterable[HeartbeatSample], regions: Sequence[str], heal_s: float, until_s: float
) -> tuple[Link, ...]:
    last: dict[tuple[str, str], HeartbeatSample] = {}
    for sample in sorted(heartbeats, key=lambda each: each.at_s):
        if heal_s <= sample.at_s <= until_s:
            last[sample.source, sample.target] = sample
    links = [_link(last.get((a, b)), a, b, heal_s) for a in regions for b in regions if a != b]
    return tuple(sorted(links, key=lambda link: float("-inf") if link.applied_s is None else link.applied_s))


def _link(sample: HeartbeatSample | None, source: str, target: str, heal_s: float) -> Link:
    if sample is None:
        return Link(source=source, target=target, state=LinkState.UNKNOWN, age_s=None, applied_s=None)
    applied_s = sample.at_s - sample.age_s - heal_s
    state = LinkState.MOVING if applied_s >= 0 else LinkState.STUCK
    return Link(source=source, target=target, state=state, age_s=sample.age_s, applied_s=applied_s)
