"""One experiment file, whole."""

from enum import StrEnum

from msgspec import field

from harness.experiment.expectations.check import Check
from harness.experiment.faults import WrittenFault
from harness.experiment.load import Load
from harness.experiment.phases import Phases
from harness.experiment.stop_conditions import StopCondition
from harness.experiment.strict import Strict

Variable = str | int | float | bool


class Suite(StrEnum):
    """When an experiment is run: before each change is merged, before each release, each night (which runs all)."""

    SMOKE = "smoke"
    GATE = "gate"
    NIGHTLY = "nightly"


class Experiment(Strict, frozen=True, kw_only=True):
    """One falsifiable sentence, how it is tried, and what has to hold.

    `variables` may be used as `${name}` anywhere below; `short` overrides some of them for a shorter run
    (`gameday run --short`), `--set name=value` any of them. `gameday suite` runs all experiments of a suite, in short;
    `nightly` has every experiment, named or not. `planted` is the target's defect that it is started
    with: so a cause is planted that no fault brings about, and what is expected is that it is found.
    """

    title: str
    hypothesis: str
    suites: tuple[Suite, ...] = ()
    target: str
    planted: str | None = None
    load: Load
    phases: Phases
    faults: tuple[WrittenFault, ...] = ()
    stop_when: tuple[StopCondition, ...] = ()
    expect: tuple[Check, ...]
    variables: dict[str, Variable] = field(default_factory=dict)
    short: dict[str, Variable] = field(default_factory=dict)
