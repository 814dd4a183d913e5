"""Offered load as a file writes it: who comes, how many a second, and how that changes."""

from enum import StrEnum

from harness.experiment.strict import Strict
from harness.units import PerSecond, Seconds


class Arrivals(StrEnum):
    """How scheduled requests are spaced: evenly, or with exponential gaps as independent users would."""

    CONSTANT = "constant"
    POISSON = "poisson"


class Step(Strict, frozen=True, kw_only=True, tag_field="shape", tag="step"):
    """From `at` on, the rate is `to`."""

    at: Seconds
    to: PerSecond


class Ramp(Strict, frozen=True, kw_only=True, tag_field="shape", tag="ramp"):
    """From `at`, the rate moves in a straight line to `to` within `over`, and stays."""

    at: Seconds
    to: PerSecond
    over: Seconds


class Spike(Strict, frozen=True, kw_only=True, tag_field="shape", tag="spike"):
    """The rate is `to` for `lasts`, then again what it was before."""

    at: Seconds
    to: PerSecond
    lasts: Seconds


RateChange = Step | Ramp | Spike


class Load(Strict, frozen=True, kw_only=True):
    """Offered load: who comes (the profile), how many a second (`rate`, then `changes`), and from which seed."""

    profile: str
    rate: PerSecond
    changes: tuple[RateChange, ...] = ()
    arrivals: Arrivals = Arrivals.POISSON
    seed: int = 1
    shards: int = 1
    deadline: Seconds = Seconds(8.0)
    in_flight_limit: int = 800
