"""A target's runbook: symptoms, and the questions that lead from each to its cause. Types only.

Written in `target.yaml`, because the harness does not know what a target measures. Signals are named measurements of
one region's services; a step asks whether one is beyond its bounds, and each answer names the next step or a cause.
"""

from enum import StrEnum

from msgspec import field

from harness.target.strict import Strict
from harness.units import Seconds


class Take(StrEnum):
    """Which value of a gauge's samples, over services and time; `sum` is the mean over time of that of all
    services; one that has gone has nothing from then on."""

    MAX = "max"
    MEAN = "mean"
    MIN = "min"
    SUM = "sum"


class _OfMetric(Strict, frozen=True, kw_only=True, tag_field="kind"):
    """`where` are labels that a sample has to carry, `role` that of the services whose samples count."""

    metric: str
    where: dict[str, str] = field(default_factory=dict)
    role: str | None = None
    unit: str = ""


class GaugeSignal(_OfMetric, frozen=True, kw_only=True, tag="gauge"):
    take: Take = Take.MAX


class RateSignal(_OfMetric, frozen=True, kw_only=True, tag="rate"):
    """By how much a counter rises in a second, over all services together."""


class QuotientSignal(Strict, frozen=True, kw_only=True, tag_field="kind", tag="quotient"):
    """One signal ÷ another one, both by name; one that is a quotient itself is written above. Where the divisor is not
    above `by_above` it says nothing."""

    of: str
    by: str
    by_above: float = 0.0
    unit: str = ""


Signal = GaugeSignal | RateSignal | QuotientSignal


class _Bounded(Strict, frozen=True, kw_only=True):
    """A signal and its bounds, all of which have to be passed. `rises_to` and `falls_to` are times its baseline."""

    signal: str
    above: float | None = None
    below: float | None = None
    rises_to: float | None = None
    falls_to: float | None = None


class Step(_Bounded, frozen=True, kw_only=True):
    """Is the signal beyond its bounds? `then` and `otherwise` each name a step or a cause."""

    question: str
    then: str
    otherwise: str


class Cause(Strict, frozen=True, kw_only=True):
    sentence: str
    mitigations: tuple[str, ...]


class Symptom(_Bounded, frozen=True, kw_only=True):
    """Shown while its signal has been beyond its bounds for `lasts` or longer. It is asked about from `first` on."""

    title: str
    lasts: Seconds
    first: str
    steps: dict[str, Step]
    causes: dict[str, Cause]


class Runbook(Strict, frozen=True, kw_only=True):
    """`lead`: how long before a symptom shows its cause may have begun."""

    lead: Seconds
    signals: dict[str, Signal]
    symptoms: dict[str, Symptom]
