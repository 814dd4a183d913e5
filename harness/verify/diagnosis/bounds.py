"""Whether a signal is beyond its bounds: yes, no, or nobody knows."""

from dataclasses import dataclass
from enum import StrEnum

from harness.target.runbook import Step, Symptom
from harness.verify.figures import say


class Answer(StrEnum):
    YES = "yes"
    NO = "no"
    UNKNOWN = "not known"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A signal's value, and what it usually is; None where nobody knows."""

    value: float | None
    usual: float | None


def beyond(bounds: Step | Symptom, seen: Seen) -> Answer:
    """Yes where all bounds are passed, no where one surely is not."""
    answers = _answers(bounds, seen)
    if Answer.NO in answers:
        return Answer.NO
    return Answer.UNKNOWN if Answer.UNKNOWN in answers else Answer.YES


def _answers(bounds: Step | Symptom, seen: Seen) -> list[Answer]:
    value, usual = seen.value, seen.usual
    answers = []
    if bounds.above is not None:
        answers.append(_answer(None if value is None else value > bounds.above))
    if bounds.below is not None:
        answers.append(_answer(None if value is None else value < bounds.below))
    if bounds.rises_to is not None:
        answers.append(_answer(None if value is None or usual is None else value > bounds.rises_to * usual))
    if bounds.falls_to is not None:
        answers.append(_answer(None if value is None or usual is None else value < bounds.falls_to * usual))
    return answers


def _answer(holds: bool | None) -> Answer:
    return Answer.UNKNOWN if holds is None else Answer.YES if holds else Answer.NO


def in_words(bounds: Step | Symptom, unit: str) -> str:
    """`above 200 ms and more than 2 times the usual`."""
    said = []
    if bounds.above is not None:
        said.append(f"above {say(bounds.above, unit)}")
    if bounds.below is not None:
        said.append(f"below {say(bounds.below, unit)}")
    if bounds.rises_to is not None:
        said.append(f"more than {bounds.rises_to:g} times the usual")
    if bounds.falls_to is not None:
        said.append(f"less than {bounds.falls_to:g} times the usual")
    return " and ".join(said)
