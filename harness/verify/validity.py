"""Whether the run itself may be believed, before anything is said about the system.

Two kinds of doubt. *Evidence*: the generator was late, requests are missing, scrapes or files have holes, a fault was
not shown to bite or to be gone; then nothing can be concluded from the run, in either direction. *Steady state*: the
system was not healthy before it was disturbed, or a part of it died by itself; then it cannot pass, but what it broke
it broke.

And one about the machine (`crowding.py`): where something else used it, what the system broke may not be its own doing,
as far as a want of CPU explains it.
"""

from dataclasses import dataclass

from harness.record.reader import Run
from harness.verify import evidence_validity, fault_validity, figures, steady_state
from harness.verify.crowding import crowding_of
from harness.verify.verdict import Evidence, Figure, Outcome, Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Validity:
    """The verdict on the run, and the two questions that other verdicts depend on."""

    verdict: Verdict
    evidence_holds: bool
    was_steady: bool
    crowded: str = ""  # by what, in a sentence


def check_validity(run: Run) -> Validity:
    evidence_figures = [*evidence_validity.figures_of(run), *fault_validity.figures_of(run)]
    steady_figures = steady_state.figures_of(run)
    crowding = crowding_of(run)
    found = [*evidence_figures, *steady_figures, *crowding.figures]
    moments: list[Evidence] = [*fault_validity.moments_of(run), *steady_state.moments_of(run)]
    verdict = figures.verdict_of(
        "validity", "validity of the run", found, moments, passed=_passed(found, crowding.sentence)
    )
    return Validity(
        verdict=verdict,
        evidence_holds=all(figure.outcome is Outcome.PASS for figure in evidence_figures),
        was_steady=all(figure.outcome is Outcome.PASS for figure in steady_figures),
        crowded=crowding.sentence if crowding.spoils else "",
    )


def _passed(found: list[Figure], crowded: str) -> str:
    late = next(figure for figure in found if figure.name == evidence_validity.LAG)
    lag = "" if late.value is None else f" The generator was late by {figures.say(late.value, 's')} (p99)."
    conditions = sum(figure.accept != figures.REPORTED for figure in found)
    return f"All {conditions} conditions of a valid run hold.{lag} {crowded}".rstrip()
