"""Did the fault bite, and is it gone? Asks through the attacked data path and compares doses, wanted and delivered.

A control API that says 200 proves nothing; what callers feel does. Each kind of fault has an expectation: what it
measures (its dose), when that shows the fault, and when it shows that the fault is gone. Between the two lies a gap on
purpose: a reading in it proves neither. Only this module knows tolerances; each stands beside its reason. Everything
blocks, bounded by the timeouts given; `injector.py` calls it from a thread.
"""

import math
from dataclasses import dataclass
from statistics import median
from typing import Protocol

from harness.errors import FaultError
from harness.faults import journal, probes
from harness.faults.probes import Answer

ASKS_BEFORE = 5
ANSWER_WITHIN_S = 1.0
SCHEDULING_S = 0.05  # timers and a busy two-core machine add up to this; they never make an answer early
EARLY_S = 0.002  # Toxiproxy counts whole milliseconds from the chunk's arrival, and the baseline itself varies
NOISE_S = 0.015  # an answer that is late by less shows nothing
READING_S = 0.5  # what one reading may cost: readings are due every second
RARE = 0.0005  # each tail of the counts that we still believe
MISSED = 0.01  # chance that a reset share which is still there shows on none of the connections asked


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """Where and how to ask; `name` is the link's or the service's."""

    name: str
    protocol: journal.Protocol
    host: str
    port: int
    path: str

    def ask(self, timeout_s: float) -> Answer:
        return probes.ask(self.protocol, self.host, self.port, path=self.path, timeout_s=timeout_s)

    def probe(self, within_s: float) -> journal.Probe:
        """The same question for the guard."""
        return journal.Probe(protocol=self.protocol, host=self.host, port=self.port, path=self.path, within_s=within_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Before:
    """The undisturbed path: shortest round trip, and bytes a second where the fault is about those."""

    round_trip_s: float
    bytes_per_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One look at the path. `bites` and `gone` are both false where it shows neither."""

    answer: Answer
    dose: float | None
    bites: bool
    gone: bool
    detail: str


class Expectation(Protocol):
    """What a fault does to a path, how much of it was asked for, and how to see it."""

    @property
    def wanted_dose(self) -> float: ...

    @property
    def dose_unit(self) -> str: ...

    def before(self, path: Path) -> Before:
        """Measure the undisturbed path; FaultError where it does not answer."""
        ...

    def read(self, path: Path, before: Before) -> Reading: ...

    def gone_within_s(self, before: Before) -> float:
        """The longest round trip that still shows the fault gone."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class AddedLatency:
    """Answers are late by `latency_s` ± `jitter_s`: the median round trip, minus the undisturbed one; without jitter
    the shortest, because all that disturbs such a measurement adds to it.

    Believed from a tenth below (the jitter's lower end, clocks) to half above (scheduling only adds); gone below half.
    """

    latency_s: float
    jitter_s: float
    dose_unit: str = "s"

    @property
    def wanted_dose(self) -> float:
        return self.latency_s

    def before(self, path: Path) -> Before:
        return undisturbed(path)

    def read(self, path: Path, before: Before) -> Reading:
        asks = max(1, min(ASKS_BEFORE, int(READING_S / self.latency_s)))
        timeout_s = before.round_trip_s + self.latency_s + self.jitter_s + ANSWER_WITHIN_S
        answers = [path.ask(timeout_s) for _ in range(asks)]
        failed = next((answer for answer in answers if not answer.answered), None)
        if failed is not None:
            return Reading(answer=failed, dose=None, bites=False, gone=False, detail=failed.detail)
        typical = median if self.jitter_s > 0 else min
        round_trip_s = typical([answer.round_trip_s or 0.0 for answer in answers])
        added_s = max(0.0, round_trip_s - before.round_trip_s)
        low_s = 0.9 * self.latency_s - self.jitter_s - EARLY_S
        high_s = 1.5 * self.latency_s + self.jitter_s + SCHEDULING_S
        return Reading(
            answer=Answer(signature="answered", round_trip_s=round_trip_s),
            dose=added_s,
            bites=max(low_s, EARLY_S) <= added_s <= high_s,
            gone=round_trip_s <= self.gone_within_s(before),
            detail=f"{typical.__name__} of {asks}",
        )

    def gone_within_s(self, before: Before) -> float:
        return before.round_trip_s + max(self.latency_s / 2, NOISE_S)


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitedThroughput:
    """A connection carries at most `bytes_per_s`: a payload's time minus the smallest question's.

    Believed from half the rate (a busy machine only slows) to a fifth above (the toxic passes pieces of 100 ms); gone
    from half above. The undisturbed path must carry twice the rate, or the limit could not be seen at all.
    """

    bytes_per_s: float
    dose_unit: str = "B/s"

    @property
    def wanted_dose(self) -> float:
        return self.bytes_per_s

    def before(self, path: Path) -> Before:
        quiet = undisturbed(path)
        _, bytes_per_s = self._measure(path, quiet.round_trip_s)
        return Before(round_trip_s=quiet.round_trip_s, bytes_per_s=bytes_per_s)

    def read(self, path: Path, before: Before) -> Reading:
        answer, dose = self._measure(path, before.round_trip_s)
        if dose is None:
            return Reading(answer=answer, dose=None, bites=False, gone=False, detail=answer.detail)
        if before.bytes_per_s is None or before.bytes_per_s < 2 * self.bytes_per_s:
            detail = f"cannot be seen: undisturbed, the canary reaches {before.bytes_per_s or 0:.0f} B/s only"
            return Reading(answer=answer, dose=dose, bites=False, gone=True, detail=detail)
        share = dose / self.bytes_per_s
        return Reading(answer=answer, dose=dose, bites=0.5 <= share <= 1.2, gone=share >= 1.5, detail=answer.detail)

    def gone_within_s(self, before: Before) -> float:
        return before.round_trip_s + ANSWER_WITHIN_S

    def _measure(self, path: Path, quiet_s: float) -> tuple[Answer, float | None]:
        asked = probes.bulk_question(
            path.protocol, path.host, path=path.path, size=int(min(self.bytes_per_s * READING_S, 4e6))
        )
        small = path.ask(ANSWER_WITHIN_S + quiet_s)
        if asked is None or not small.answered:
            return small, None
        question, moved = asked
        timeout_s = 4 * moved / self.bytes_per_s + ANSWER_WITHIN_S
        answer = probes.exchange(path.host, path.port, question, timeout_s=timeout_s)
        if not answer.answered or answer.round_trip_s is None:
            return answer, None
        took_s = max(1e-6, answer.round_trip_s - (small.round_trip_s or 0.0))
        moved_in = Answer(signature="answered", round_trip_s=answer.round_trip_s, detail=f"{moved} B in {took_s:.4f}s")
        return moved_in, moved / took_s


@dataclass(slots=True, kw_only=True)
class ResetShare:
    """`share` of new connections are reset before they answer, counted over all readings so far.

    Believed while the count is within the central 99.9 % of the binomial distribution (Toxiproxy draws per connection)
    and at least one was reset; gone when so many in a row answer that a miss would have less than 1 % chance.
    """

    share: float
    after_s: float
    dose_unit: str = "share of connections"
    asked: int = 0
    hit: int = 0
    answered_in_a_row: int = 0

    @property
    def wanted_dose(self) -> float:
        return self.share

    def before(self, path: Path) -> Before:
        return undisturbed(path)

    def read(self, path: Path, before: Before) -> Reading:
        per_connection_s = before.round_trip_s + self.after_s + 0.001
        asks = max(1, min(self._needed(), int(READING_S / per_connection_s)))
        answers = [path.ask(self.after_s + ANSWER_WITHIN_S) for _ in range(asks)]
        broken = [answer for answer in answers if answer.signature in ("reset", "closed")]
        self.asked += len(answers)
        self.hit += len(broken)
        for answer in answers:
            self.answered_in_a_row = self.answered_in_a_row + 1 if answer.answered else 0
        return Reading(
            answer=broken[0] if broken else answers[-1],
            dose=self.hit / self.asked,
            bites=self.hit > 0 and is_plausible(self.hit, self.asked, self.share),
            gone=self.answered_in_a_row > 0 and (1 - self.share) ** self.answered_in_a_row <= MISSED,
            detail=f"{self.hit} of {self.asked} connections broken so far, {len(broken)} of {asks} in this reading",
        )

    def gone_within_s(self, before: Before) -> float:
        return before.round_trip_s + ANSWER_WITHIN_S

    def _needed(self) -> int:
        if self.share >= 1:
            return 3
        return min(200, math.ceil(math.log(MISSED) / math.log1p(-self.share)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """Connections open and nothing comes back (blackhole, pause), for five undisturbed round trips at least."""

    wanted_dose: float = 1.0
    dose_unit: str = "share unanswered"

    def before(self, path: Path) -> Before:
        return undisturbed(path)

    def read(self, path: Path, before: Before) -> Reading:
        answer = path.ask(min(2.0, max(READING_S, 5 * before.round_trip_s)))
        return Reading(
            answer=answer,
            dose=0.0 if answer.answered else 1.0,
            bites=answer.signature == "silent",
            gone=answer.answered,
            detail=answer.detail,
        )

    def gone_within_s(self, before: Before) -> float:
        return before.round_trip_s + ANSWER_WITHIN_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Connections are refused (down, kill, restart), or accepted and closed at once where a published port stands
    before the path."""

    wanted_dose: float = 1.0
    dose_unit: str = "share refused"

    def before(self, path: Path) -> Before:
        return undisturbed(path)

    def read(self, path: Path, before: Before) -> Reading:
        answer = path.ask(ANSWER_WITHIN_S + before.round_trip_s)
        bites = answer.signature in ("refused", "closed", "reset")
        return Reading(answer=answer, dose=float(bites), bites=bites, gone=answer.answered, detail=answer.detail)

    def gone_within_s(self, before: Before) -> float:
        return before.round_trip_s + ANSWER_WITHIN_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """Nothing comes back, in whatever way (network loss, crash): refused, closed, reset, silent or unreachable."""

    wanted_dose: float = 1.0
    dose_unit: str = "share lost"

    def before(self, path: Path) -> Before:
        return undisturbed(path)

    def read(self, path: Path, before: Before) -> Reading:
        answer = path.ask(max(READING_S, 5 * before.round_trip_s))
        is_lost = not answer.answered and answer.signature != "wrong"
        return Reading(answer=answer, dose=float(is_lost), bites=is_lost, gone=answer.answered, detail=answer.detail)

    def gone_within_s(self, before: Before) -> float:
        return before.round_trip_s + ANSWER_WITHIN_S


def undisturbed(path: Path) -> Before:
    """The shortest of a few round trips: all that disturbs one adds to it. FaultError where there is no answer."""
    answers = [path.ask(ANSWER_WITHIN_S) for _ in range(ASKS_BEFORE)]
    failed = next((answer for answer in answers if not answer.answered), None)
    if failed is not None:
        raise FaultError(
            f"{path.name} ({path.host}:{path.port}) does not answer {path.protocol} before any fault: "
            f"{failed.signature}, {failed.detail}. A fault there would prove nothing."
        )
    return Before(round_trip_s=min(answer.round_trip_s or 0.0 for answer in answers))


def is_plausible(hits: int, asked: int, share: float) -> bool:
    """Whether so many hits are within the central 99.9 % of Binomial(asked, share)."""
    if share >= 1:
        return hits == asked
    chances = [_binomial(count, asked, share) for count in range(asked + 1)]
    return sum(chances[: hits + 1]) >= RARE and sum(chances[hits:]) >= RARE


def _binomial(hits: int, asked: int, share: float) -> float:
    ways = math.lgamma(asked + 1) - math.lgamma(hits + 1) - math.lgamma(asked - hits + 1)
    return math.exp(ways + hits * math.log(share) + (asked - hits) * math.log1p(-share))
