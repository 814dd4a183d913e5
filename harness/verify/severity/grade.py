"""How bad it is, by the share of users that are affected: the bounds as data. No evidence is looked at here."""

from harness.experiment.expectations.severity import Severity

# The specification, section 7: of all users, more than this share is affected.
ABOVE: dict[Severity, float] = {Severity.SEV1: 0.50, Severity.SEV2: 0.10, Severity.SEV3: 0.0}
assert list(ABOVE.values()) == sorted(ABOVE.values(), reverse=True)

MEANING = {
    Severity.SEV1: "more than half of the users affected",
    Severity.SEV2: "major degradation",
    Severity.SEV3: "minor degradation",
    Severity.SEV4: "no user was affected, but something might have come of it",
    Severity.NONE: "no user was affected, and nothing was about to",
}
_WORST_FIRST = tuple(Severity)


def graded(share: float, *, at_risk: bool) -> Severity:
    """`share` of the users affected; `at_risk` decides where there are none."""
    for severity, above in ABOVE.items():
        if share > above:
            return severity
    return Severity.SEV4 if at_risk else Severity.NONE


def most_allowed(at_most: Severity) -> float:
    """The greatest share of users that may be affected where nothing worse is allowed."""
    worse = [above for severity, above in ABOVE.items() if is_worse(severity, at_most)]
    return min(worse, default=1.0)


def is_worse(severity: Severity, other: Severity) -> bool:
    return _WORST_FIRST.index(severity) < _WORST_FIRST.index(other)
