"""What the breakers of all replicas did about one fault that cut a dependency off: opened, stayed open, closed.

The worst replica decides. When a fault began and when it was over is known only to lie within its calls, which is the
error of these times.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.dependency_faults import cuts_off
from harness.experiment.expectations.breakers import BreakersCheck
from harness.record import rows
from harness.record.reader import Run
from harness.verify import figures, moments, windows
from harness.verify.breakers.history import CLOSED, OPEN, Breaker, calls_made
from harness.verify.figures import at
from harness.verify.moments import Moment, lapse
from harness.verify.verdict import Evidence, Figure, Outcome
from harness.verify.windows import FaultWindow

# With fewer calls a breaker has no occasion to open. Three failures in a row is what the field's libraries begin at.
FEWEST_CALLS = 3
CLOCKS_S = 0.1  # by which a log's clock, the wall's, may have drifted from that of the calls since the run began


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """One fault, and what matters of it to these breakers: until the next one of the kind, or the end of the run."""

    fault: FaultWindow
    until_s: float
    breakers: tuple[Breaker, ...]


def episodes_of(run: Run, dependency: str, breakers: Sequence[Breaker]) -> list[Episode]:
    services = run.plan.target.services
    found: list[Episode] = []
    for planned in sorted(run.plan.faults, key=lambda each: each.inject_s, reverse=True):
        cut = [
            each for each in breakers if cuts_off(planned.fault, services[each.service], dependency, run.plan.target)
        ]
        for window in windows.part_windows(run, [planned]) if cut else ():
            later = [other.fault.inject_s for other in found if set(other.breakers) & set(cut)]
            until_s = min([run.plan.duration_s, *later])
            found.append(Episode(fault=window, until_s=until_s, breakers=tuple(cut)))
    return found[::-1]


def figures_of(run: Run, check: BreakersCheck, dependency: str, episode: Episode) -> Iterator[Figure]:
    what = f"{dependency} in {episode.fault.fault}"
    yield figures.deciding([_opened(run, check, f"{what}: opened after", episode, each) for each in episode.breakers])
    opened = [each for each in episode.breakers if _opening_s(episode, each) is not None]
    yield _held(f"{what}: closed while it lasted", episode, opened)
    if opened:
        yield figures.deciding([_closed(run, check, f"{what}: closed again after", episode, each) for each in opened])
    else:
        accept = f"at most {check.closes_within}"
        yield figures.unknown(f"{what}: closed again after", unit="s", accept=accept, reason="none had opened")


def evidence_of(episode: Episode) -> Iterator[Evidence]:
    """When the first one opened and when the last one was closed."""
    opened = [at_s for each in episode.breakers if (at_s := _opening_s(episode, each)) is not None]
    if opened:
        dependency, where = episode.breakers[0].dependency, f"of {len(episode.breakers)} replicas"
        sentence = f"The first breaker for {dependency} {where} opens."
        yield Evidence(at_s=min(opened), until_s=max(opened), sentence=sentence, source="logs")


def _opening_s(episode: Episode, breaker: Breaker) -> float | None:
    return breaker.first_to(OPEN, episode.fault.inject_s, episode.until_s)


def _opened(run: Run, check: BreakersCheck, name: str, episode: Episode, breaker: Breaker) -> Figure:
    fault, accept = episode.fault, f"at most {check.opens_within}"
    if why := _why_unknown(run, episode, breaker):
        return figures.unknown(name, unit="s", accept=accept, reason=why)
    if breaker.state_at(fault.inject_s) != CLOSED:
        return figures.unknown(name, unit="s", accept=accept, reason=f"{breaker.service} had not closed it before")
    opened_s = _opening_s(episode, breaker)
    end_s = episode.until_s if fault.reverting_s is None else fault.reverting_s
    if opened_s is None:
        calls = calls_made(run, breaker, fault.in_effect_s, end_s)
        if calls < FEWEST_CALLS:
            return figures.unknown(
                name, unit="s", accept=accept, reason=f"{breaker.service} surely made {calls:.0f} calls"
            )
        why = f"that of {breaker.service} never did"
        return moments.never_within(
            name, float(check.opens_within), watched_s=end_s - fault.in_effect_s, samples=int(calls), why=why
        )
    began = Moment(
        at_s=fault.inject_s, earliest_s=fault.inject_s, latest_s=max(fault.inject_s, fault.in_effect_s), source="events"
    )
    took = lapse(began, Moment.exactly(opened_s, "logs"))
    return moments.timed(name, took, float(check.opens_within), samples=len(episode.breakers))


def _held(name: str, episode: Episode, opened: Sequence[Breaker]) -> Figure:
    """Nothing can have succeeded, so nothing can have closed one."""
    fault = episode.fault
    end_s = episode.until_s if fault.reverting_s is None else fault.reverting_s
    closings = sorted(
        (float(at_s), each.service)
        for each in opened
        for at_s in each.times_to(CLOSED)
        if fault.in_effect_s + CLOCKS_S < at_s < end_s - CLOCKS_S
    )
    first = f"that of {closings[0][1]} at {at(closings[0][0])}" if closings else ""
    return figures.never(name, len(closings), len(opened), reason=first)


def _closed(run: Run, check: BreakersCheck, name: str, episode: Episode, breaker: Breaker) -> Figure:
    fault, accept = episode.fault, f"at most {check.closes_within}"
    if fault.revert_s is None or fault.reverting_s is None or not fault.confirmed:
        return figures.unknown(name, unit="s", accept=accept, reason="nobody knows when the fault was over")
    if why := _why_unknown(run, episode, breaker):
        return figures.unknown(name, unit="s", accept=accept, reason=why)
    if breaker.state_at(episode.until_s) != CLOSED:
        watched_s = episode.until_s - fault.revert_s
        why = f"that of {breaker.service} was not closed {watched_s:.1f} s later"
        return moments.never_within(name, float(check.closes_within), watched_s=watched_s, samples=1, why=why)
    closings = breaker.times_to(CLOSED)
    closed = Moment.exactly(float(closings[closings < episode.until_s].max()), "logs")
    over = Moment(at_s=fault.reverting_s, earliest_s=fault.reverting_s, latest_s=fault.revert_s, source="events")
    return moments.timed(name, lapse(over, closed), float(check.closes_within), samples=len(episode.breakers))


def _why_unknown(run: Run, episode: Episode, breaker: Breaker) -> str:
    """A process that ended takes its breaker with it, and one that is frozen opens none."""
    if not breaker.is_told:
        return f"the log of {breaker.service} says nothing of it"
    start_s, end_s = episode.fault.inject_s, episode.until_s
    exits_s = [
        windows.run_time_s(run, event.at_ns)
        for event in windows.events_of(run, rows.ServiceExited)
        if event.service == breaker.service
    ]
    struck = any(
        attack.start_s < end_s and start_s < attack.end_s for attack in windows.attacks_on(run, breaker.service)
    )
    if struck or any(start_s <= at_s < end_s for at_s in exits_s):
        return f"{breaker.service} was struck or ended itself meanwhile"
    return ""


def doubt(dependency: str, reason: str) -> Figure:
    """Nothing is known of a dependency that was asked for."""
    return figures.stated(
        f"{dependency}: breakers that opened", None, unit="", samples=0, accept="some",
        outcome=Outcome.INCONCLUSIVE, reason=reason,
    )  # fmt: skip
