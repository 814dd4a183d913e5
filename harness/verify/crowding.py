"""Whether something else used the machine so much that the system may have been slow for no reason of its own.

What it kept in spite of that, it kept; what it broke may be the other's doing, so that is taken back. Not taken back is
what no wait for a CPU brings about: it makes a system late, and loses nothing. A system that keeps its own machine so
busy that it waits for itself is slow by its own doing.
"""

from dataclasses import dataclass
from itertools import pairwise

from harness.record import rows
from harness.record.reader import Run
from harness.verify import figures, windows
from harness.verify.figures import at
from harness.verify.verdict import Figure

WAITED = "longest wait of a service for a CPU"
OTHERS = "most that others used of this machine's CPUs"
# Seen on two cores, on a quick and on a slow machine. By itself a run waited for up to 63 % beside others' 13 %. Beside
# others' 37 % to 80 % runs were judged rightly with waits of up to 37 %, but for one with 35 %, and wrongly from 52 %.
MAX_WAITED = 0.3
MAX_OTHERS = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowding:
    """What validity reports, a sentence where a service waited long, else empty, and whether it was for others."""

    figures: tuple[Figure, ...] = ()
    sentence: str = ""
    spoils: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Span:
    since_s: float
    until_s: float
    waited: float
    service: str
    others: float

    @property
    def spoils(self) -> bool:
        return self.waited > MAX_WAITED and self.others > MAX_OTHERS


def crowding_of(run: Run) -> Crowding:
    """Nothing, where the record does not tell: another kernel, another system, a record of an older version."""
    spans = _spans(run)
    if not spans:
        return Crowding()
    longest, most = max(spans, key=lambda span: span.waited), max(spans, key=lambda span: span.others)
    spoilt = [span for span in spans if span.spoils]
    worst = max(spoilt, key=lambda span: span.waited) if spoilt else longest
    return Crowding(
        figures=(
            figures.reported(WAITED, longest.waited, unit="ratio", samples=len(spans)),
            figures.reported(OTHERS, most.others, unit="ratio", samples=len(spans)),
        ),
        sentence=_sentence(worst) if worst.waited > MAX_WAITED else "",
        spoils=bool(spoilt),
    )


def crowded_s(run: Run) -> float:
    """For how long in all: nothing was held up for longer than that."""
    return sum(span.until_s - span.since_s for span in _spans(run) if span.spoils)


def _sentence(span: _Span) -> str:
    waited, others = figures.say(span.waited, "ratio"), figures.say(span.others, "ratio")
    what = f"from {at(span.since_s)} on {span.service} waited for a CPU {waited} of the time"
    if span.others > MAX_OTHERS:
        return f"Something else used this machine: {what}, while others than the system and the harness used {others}."
    return f"This machine is small for this run: {what}, and hardly for others than the system and the harness."


def _spans(run: Run) -> list[_Span]:
    """The times between two events, of those that are in the run; a service that is itself attacked waits for that."""
    seen = [event for event in windows.events_of(run, rows.MachinePressure) if event.others_ratio is not None]
    attacks = {service: windows.attacks_on(run, service) for service in run.plan.target.services}
    spans = []
    for before, event in pairwise(seen):
        since_s, until_s = windows.run_time_s(run, before.at_ns), windows.run_time_s(run, event.at_ns)
        waits = [
            (waited, service)
            for service, waited in event.services_waiting.items()
            if not any(attack.start_s < until_s and since_s < attack.end_s for attack in attacks.get(service, ()))
        ]
        if since_s >= 0 and waits and event.others_ratio is not None:
            waited, service = max(waits)
            spans.append(
                _Span(since_s=since_s, until_s=until_s, waited=waited, service=service, others=event.others_ratio)
            )
    return spans
