"""The result of a search: `knee.json`, the highest arrival rate at which an expectation holds and the lowest at which
it does not.

Made from the verdicts of ordinary runs, each recorded and judged alone; the runs stay what they are and can be judged
again. Rates per region and per replica are equal shares of the whole: the load is spread evenly, or the figure is that
of an average one.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec

from harness.errors import ExperimentError
from harness.search.bisection import Ending, Search, Standing, Trial, standing
from harness.units import PerSecond, Ratio, Seconds, dec_hook, enc_hook
from harness.verify.verdict import Outcome

FORMAT_VERSION = 1
JudgedBy = Literal["slo", "recovery"]


class _Strict(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass


class Point(_Strict, frozen=True, kw_only=True):
    """One run of the search: the rate asked for, how it was judged and why, and what was measured in the phase.

    `offered_per_s` and `goodput_per_s` are requests scheduled, and answered as asked in time, a second; the p99 is over
    `timed` requests, answered as asked or given up without an answer, and None where it is not estimable or where more
    than 1 % of them were never answered. Results of older searches do not tell how many were timed.
    """

    rate: PerSecond
    outcome: Outcome
    sentence: str
    run: str
    offered_per_s: float | None
    goodput_per_s: float | None
    latency_p99_s: float | None
    timed: int | None = None

    @property
    def trial(self) -> Trial:
        return Trial(rate=float(self.rate), outcome=self.outcome)


class Subject(_Strict, frozen=True, kw_only=True):
    """What was searched for, and of what: the same for every point."""

    experiment: str
    title: str
    target: str
    runtime: str
    defect: str | None
    regions: int
    replicas: int
    phase: str
    judged_by: JudgedBy
    objectives: tuple[str, ...]
    p99_limit: Seconds | None
    capacity: PerSecond | None = None


class Knee(_Strict, frozen=True, kw_only=True):
    """What a search has come to, with all that it rests on. Rates per region and replica are those of the highest that
    held; `share_of_capacity` is that one ÷ the capacity that was given, such as hidden capacity ÷ capacity."""

    kind: Literal["knee"] = "knee"
    format_version: int = FORMAT_VERSION
    subject: Subject
    search: Search
    ending: Ending
    sentence: str
    highest_pass: PerSecond | None
    lowest_fail: PerSecond | None
    per_region: PerSecond | None
    per_replica: PerSecond | None
    share_of_capacity: Ratio | None
    points: tuple[Point, ...]


def knee_of(subject: Subject, search: Search, points: Sequence[Point]) -> Knee:
    """The result of the points so far, whether or not the search was finished."""
    now = standing([point.trial for point in points])
    ending = now.ending(search)
    highest = now.highest_pass if ending is Ending.FOUND else None
    return Knee(
        subject=subject,
        search=search,
        ending=ending,
        sentence=_sentence(now, ending, search, len(points)),
        highest_pass=_rate(now.highest_pass),
        lowest_fail=_rate(now.lowest_fail),
        per_region=_rate(highest, subject.regions),
        per_replica=_rate(highest, subject.replicas),
        share_of_capacity=Ratio(highest / subject.capacity) if highest is not None and subject.capacity else None,
        points=tuple(points),
    )


def knee_json(knee: Knee) -> bytes:
    return msgspec.json.format(msgspec.json.encode(knee, enc_hook=enc_hook)) + b"\n"


def read_knee(path: Path) -> Knee:
    """A `knee.json`; ExperimentError says what the file is instead."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ExperimentError(f"{path}: cannot be read: {error.strerror or error}.") from error
    try:
        head = msgspec.json.decode(content, type=_Head)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ExperimentError(f"{path}: is no result of `gameday knee` ({error}).") from error
    if head.kind != "knee":
        raise ExperimentError(f"{path}: is no result of `gameday knee`. That writes a file knee.json.")
    if head.format_version != FORMAT_VERSION:
        raise ExperimentError(
            f"{path}: has format version {head.format_version}, this version of the tool reads {FORMAT_VERSION}."
        )
    try:
        return msgspec.json.decode(content, type=Knee, dec_hook=dec_hook)
    except msgspec.MsgspecError as error:
        raise ExperimentError(f"{path}: is damaged: {error}.") from error


class _Head(msgspec.Struct, frozen=True):
    kind: str = ""
    format_version: int = 0


def _rate(rate: float | None, among: int = 1) -> PerSecond | None:
    return None if rate is None or among < 1 else PerSecond(rate / among)


def _sentence(now: Standing, ending: Ending, search: Search, runs: int) -> str:
    made = f"{runs} {'run' if runs == 1 else 'runs'}"
    match ending:
        case Ending.FOUND:
            low, high = now.highest_pass or 0.0, now.lowest_fail or 0.0
            said = f"Holds up to {_rate(low)}, no longer at {_rate(high)} ({made})."
            if high - low > search.resolution * high:
                said += " What lies between is not known."
            if now.wavering:
                said += f" At {_listed(now.wavering)} it held once and once not."
            return said if now.confirmed else f"{said} A second run has not confirmed both."
        case Ending.ABOVE:
            return f"Still holds at {search.high}, the highest rate of the search ({made})."
        case Ending.BELOW:
            return f"Does not hold even at {search.low}, the lowest rate of the search ({made})."
        case Ending.NOT_MONOTONE:
            where = f"holds at {_listed(now.too_high)} and not at {_rate(now.lowest_fail)}"
            return f"More load cannot be easier, so nothing is known: {where} ({made})."
        case Ending.UNDECIDED:
            where = f" at {_listed(now.undecided)}" if now.undecided else ""
            return f"The runs do not decide{where} ({made})."


def _listed(rates: Sequence[float]) -> str:
    return ", ".join(str(PerSecond(rate)) for rate in rates)
