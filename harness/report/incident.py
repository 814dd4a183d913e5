"""How bad it was, in words for the top of the page: severity, scope, and what to do in the first five minutes.

The grade is `verify.severity`'s. What to do is the specification's, section 7; what of it the record points to comes
first, and nothing more is concluded: whoever is on call knows of deploys and of the outside.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from harness.experiment.expectations.severity import Severity
from harness.record.reader import Run
from harness.report import wording
from harness.verify.severity.affected import Came
from harness.verify.severity.assessment import Assessment, Scope, assess
from harness.verify.severity.grade import MEANING
from harness.verify.windows import Window, phase_window

PAGED = (Severity.SEV1, Severity.SEV2)
FIRST = "Page the incident commander, open the channel, and update the status page within 10 minutes."
IS_SPIKE_ABOVE = 1.5  # times what was offered in the baseline
MOST_OPERATIONS = 3
MOST_RISKS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """`sentence` has scope and figures. `first` and `mitigations` are for SEV1 and SEV2, else empty; what the record
    points to comes first."""

    severity: Severity
    sentence: str
    first: str = ""
    mitigations: tuple[str, ...] = ()


def incident_of(run: Run) -> Incident | None:
    """None where nobody came."""
    found = assess(run)
    if found is None:
        return None
    sentence = f"{found.severity if found.severity is not Severity.NONE else 'No incident'}: {_sentence(found)}"
    if found.severity not in PAGED or found.scope is None:
        return Incident(severity=found.severity, sentence=sentence)
    mitigations = tuple(_mitigations(found.came, found.scope, phase_window(run.plan, "baseline"), found.worst))
    return Incident(severity=found.severity, sentence=sentence, first=FIRST, mitigations=mitigations)


def _sentence(found: Assessment) -> str:
    meaning = MEANING[found.severity]
    if found.scope is None:
        risks = [risk.sentence + _when(risk.at_s) for risk in found.risks[:MOST_RISKS]]
        return f"{meaning}{': ' if risks else ''}{'; '.join(risks)}." + _unknown(found)
    low, high = wording.ratio(found.interval.low), wording.ratio(found.interval.high)
    worst = (
        f"at worst, {wording.span(found.worst.start_s, found.worst.end_s)}, {wording.ratio(found.share)} of the "
        f"{wording.plural(found.users, 'user')} who came were affected ({low} to {high}{_range(found)})"
    )
    return f"{meaning}; {worst}. {_scope(found.scope)}"


def _range(found: Assessment) -> str:
    """Where the error bar reaches into another severity."""
    if found.surely == found.at_worst:
        return ""
    return f", so {found.surely} to {found.at_worst}"


def _scope(scope: Scope) -> str:
    until = "to the end of the run" if scope.goes_on else f"until {wording.moment(scope.end_s)}"
    told = [f"Since {wording.moment(scope.start_s)}, {until}"]
    if len(scope.regions) > 1:
        each = ", ".join(
            f"{region} {wording.count(hurt)} of {wording.count(users)}"
            for region, (hurt, users) in scope.regions.items()
        )
        told.append(f"{f'only {scope.only_region}' if scope.only_region else 'several regions'} ({each})")
    told.append(", ".join(wording.plural(many, way) for way, many in scope.ways.items()))
    operations = [f"{name.replace('_', ' ')} {wording.count(many)}" for name, many in scope.operations.items()]
    rest = len(operations) - MOST_OPERATIONS
    told.append(", ".join(operations[:MOST_OPERATIONS]) + (f" and {rest} more operations" if rest > 0 else ""))
    return "; ".join(told) + "."


def _when(at_s: float | None) -> str:
    return "" if at_s is None else f" at {wording.moment(at_s)}"


def _unknown(found: Assessment) -> str:
    return "" if found.risks_known else " No controller was heard, so alerts and levels are not known."


def _mitigations(came: Came, scope: Scope, baseline: Window | None, worst: Window) -> Iterator[str]:
    """Mitigate first, understand later."""
    rise = _rise(came, baseline, worst)
    rest = ["If something was deployed shortly before, roll it back."]
    if rise is not None and rise >= IS_SPIKE_ABOVE:
        yield f"The load was {wording.number(rise, 2)} times the baseline's: shed harder."
    else:
        rest.append("If the load has risen, shed harder.")
    if scope.only_region:
        yield f"It is one region: send the users of {scope.only_region} to its stand-in."
    else:
        rest.append("If it is one region, send its users to its stand-in.")
    yield from rest
    yield "If it is the database, fail over to the replica."


def _rise(came: Came, baseline: Window | None, worst: Window) -> float | None:
    """What was offered in the worst window against the baseline, as rates."""
    rates = []
    for window in (baseline, worst):
        if window is None or window.length_s <= 0:
            return None
        place = came.between(window.start_s, window.end_s)
        rates.append((place.stop - place.start) / window.length_s)
    return rates[1] / rates[0] if rates[0] else None
