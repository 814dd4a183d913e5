"""Once faults are over, the regions agree within a deadline; if they do not, this names the links that are stuck.

A link from A to B is known by A's heartbeat as B holds it: its age there says up to when B has applied what A wrote. A
link is *moving* if by the deadline a heartbeat that A wrote after the heal has come to B. It is *stuck* if a sample at
the deadline or after it shows that none had; otherwise *unknown*, as when nobody looked at the deadline any more.
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
    """By the last sample that says anything of the deadline; all that is known where the state is unknown.

    `applied_s` counts from the heal: up to when the target had what the source wrote.
    """

    source: str
    target: str
    state: LinkState
    age_s: float | None
    applied_s: float | None


class Progress(StrEnum):
    IN_TIME = "in time"
    TOO_LATE = "too late"
    UNKNOWN = "unknown"


def progress_of(found: Sequence[Convergence], deadline_s: float) -> tuple[Progress, float | None, str]:
    """Whether all tables had converged in time, when the last one had, and if they had not, what is known of it."""
    after_s = converged_after_s(found)
    if after_s is not None and after_s <= deadline_s:
        return Progress.IN_TIME, after_s, ""
    late = [each.table for each in found if each.last_difference is not None and each.differed_s >= deadline_s]
    if late:
        return Progress.TOO_LATE, after_s, f"regions still differed in {', '.join(late)}"
    if not found:
        return Progress.UNKNOWN, after_s, "no table was sampled"
    unsampled = sorted({region for each in found for region in each.unsampled})
    if unsampled:
        return Progress.UNKNOWN, after_s, f"not sampled after the heal: {', '.join(unsampled)}"
    unsure = ", ".join(each.table for each in found if each.after_s is None or each.after_s > deadline_s)
    return Progress.UNKNOWN, after_s, f"no samples at the deadline tell whether the regions agreed in {unsure}"


def links_of(
    heartbeats: Iterable[HeartbeatSample], *, regions: Sequence[str], heal_s: float, deadline_s: float
) -> tuple[Link, ...]:
    """The whole matrix, unknown ones first, then the least advanced."""
    of_link: dict[tuple[str, str], list[HeartbeatSample]] = {}
    for sample in sorted(heartbeats, key=lambda each: each.at_s):
        if sample.at_s >= heal_s:
            of_link.setdefault((sample.source, sample.target), []).append(sample)
    ends = [(a, b) for a in regions for b in regions if a != b]
    links = [_link(of_link.get(end, []), *end, heal_s=heal_s, until_s=heal_s + deadline_s) for end in ends]
    return tuple(sorted(links, key=_advance))


def _advance(link: Link) -> tuple[bool, float]:
    return link.state is not LinkState.UNKNOWN, float("-inf") if link.applied_s is None else link.applied_s


def _link(samples: Sequence[HeartbeatSample], source: str, target: str, *, heal_s: float, until_s: float) -> Link:
    in_time = [sample for sample in samples if sample.at_s <= until_s]
    late = [sample for sample in samples if sample.at_s >= until_s and sample.at_s - sample.age_s < heal_s]
    if any(sample.at_s - sample.age_s >= heal_s for sample in in_time):
        state, last = LinkState.MOVING, in_time[-1]
    elif late:
        state, last = LinkState.STUCK, late[0]
    elif in_time:
        state, last = LinkState.UNKNOWN, in_time[-1]
    else:
        return Link(source=source, target=target, state=LinkState.UNKNOWN, age_s=None, applied_s=None)
    applied_s = last.at_s - last.age_s - heal_s
    return Link(source=source, target=target, state=state, age_s=last.age_s, applied_s=applied_s)
