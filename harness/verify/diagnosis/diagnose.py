"""From samples to causes: which symptoms show in which region, and where each one's questions lead.

Where a question cannot be answered both ways are followed, so that what is left is named; a cause is found only where
all ways end at the same one. Pure: whoever has scraped a running target gets the same answers as from a record.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from harness.target.runbook import Runbook, Step, Symptom
from harness.target.target import TargetSpec
from harness.verify.diagnosis.bounds import Answer, Seen, beyond, in_words
from harness.verify.diagnosis.signals import Evidence, Signals, services_of
from harness.verify.windows import Window

LOOK_S = 2.0  # a symptom is looked for in stretches of this length, at least three scrapes each
STEP_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """A question, what was seen, in which unit, against which bound, and the answer. `surely`: no question before it
    was left open."""

    step: str
    question: str
    signal: str
    unit: str
    seen: Seen
    bound: str
    answer: Answer
    surely: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """A time in which a symptom showed without a break, known to `STEP_S`; `causes` are all that it may come of."""

    since_s: float
    until_s: float
    steps: tuple[Looked, ...]
    causes: tuple[str, ...]

    @property
    def cause(self) -> str | None:
        """None where it is undecided."""
        return self.causes[0] if len(self.causes) == 1 else None

    @property
    def not_known(self) -> tuple[str, ...]:
        """The signals that would have to be seen to decide."""
        return tuple(sorted({looked.signal for looked in self.steps if looked.answer is Answer.UNKNOWN}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What there is to say of one symptom in one region. `known` is False where it may have shown without being seen:
    what it goes by was not shown at all, or not for as long as it takes to be one."""

    symptom: str
    region: str
    known: bool
    episodes: tuple[Episode, ...]


class _Look:
    """One region's signals beside what they usually are."""

    def __init__(self, evidence: Evidence, target: TargetSpec, runbook: Runbook, region: str) -> None:
        services = services_of(target, region)
        self.runbook = runbook
        self.stretch = evidence.stretch
        self._signals = Signals(evidence.samples, runbook, services)
        self._usual = None
        if evidence.usual is not None:
            samples, self._usual_stretch = evidence.usual
            self._usual = self._signals if samples is evidence.samples else Signals(samples, runbook, services)

    def at(self, signal: str, window: Window) -> Seen:
        usual = None if self._usual is None else self._usual.value(signal, self._usual_stretch)
        return Seen(value=self._signals.value(signal, window), usual=usual)


def diagnose(evidence: Evidence, target: TargetSpec) -> tuple[Finding, ...]:
    """Every symptom of the target's runbook in every region, in the order of the target file."""
    assert target.runbook is not None
    return tuple(
        _finding(_Look(evidence, target, target.runbook, region), region, name, symptom)
        for region in target.regions
        for name, symptom in target.runbook.symptoms.items()
    )


def _finding(look: _Look, region: str, name: str, symptom: Symptom) -> Finding:
    starts = np.arange(look.stretch.start_s, look.stretch.end_s - LOOK_S + 1e-9, STEP_S)
    windows = [Window(name=name, start_s=start_s, end_s=start_s + LOOK_S) for start_s in map(float, starts)]
    answers = [beyond(symptom, look.at(symptom.signal, window)) for window in windows]
    shown = [
        Window(name=name, start_s=windows[first].end_s - STEP_S, end_s=windows[last].end_s)
        for first, last in _rows([answer is Answer.YES for answer in answers], lasts_s=symptom.lasts)
    ]
    unseen = any(
        Answer.UNKNOWN in answers[first : last + 1]
        for first, last in _rows([answer is not Answer.NO for answer in answers], lasts_s=symptom.lasts)
    )
    episodes = tuple(_episode(look, symptom, window) for window in shown)
    return Finding(symptom=name, region=region, known=bool(windows) and not unseen, episodes=episodes)


def _rows(holds: list[bool], *, lasts_s: float) -> Iterator[tuple[int, int]]:
    """First and last place of each unbroken row of windows in which it holds, if that lasts so long."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], np.array(holds, dtype=np.int8), [0]))))
    for first, end in edges.reshape(-1, 2):
        if (end - first) * STEP_S >= lasts_s:
            yield int(first), int(end) - 1


def _episode(look: _Look, symptom: Symptom, shown: Window) -> Episode:
    asked = Window(name=shown.name, start_s=shown.start_s - look.runbook.lead, end_s=shown.end_s)
    steps: list[Looked] = []
    causes = _follow(look, symptom, symptom.first, asked, steps, surely=True)
    return Episode(since_s=shown.start_s, until_s=shown.end_s, steps=tuple(steps), causes=tuple(dict.fromkeys(causes)))


def _follow(
    look: _Look, symptom: Symptom, place: str, window: Window, steps: list[Looked], *, surely: bool
) -> list[str]:
    """The causes that a step may lead to; what was asked on the way is added to `steps`, each question once."""
    step = symptom.steps.get(place)
    if step is None:
        return [place]
    looked = _looked(look, place, step, window, surely=surely)
    if all(known.step != place for known in steps):
        steps.append(looked)
    match looked.answer:
        case Answer.YES:
            ways = [step.then]
        case Answer.NO:
            ways = [step.otherwise]
        case Answer.UNKNOWN:
            ways = [step.then, step.otherwise]
    surely = surely and len(ways) == 1
    return [cause for way in ways for cause in _follow(look, symptom, way, window, steps, surely=surely)]


def _looked(look: _Look, place: str, step: Step, window: Window, *, surely: bool) -> Looked:
    seen, unit = look.at(step.signal, window), look.runbook.signals[step.signal].unit
    return Looked(
        step=place,
        question=step.question,
        signal=step.signal,
        unit=unit,
        seen=seen,
        bound=in_words(step, unit),
        answer=beyond(step, seen),
        surely=surely,
    )
