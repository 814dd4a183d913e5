"""Whether the runbook finds what was planted: its symptom shows and leads to the cause, and no other symptom shows.

A symptom that nobody can see, and a question that nobody can answer, leave the verdict open.
"""

from harness.experiment.expectations.diagnosis import DiagnosisCheck
from harness.record.reader import Run
from harness.verify import figures, windows
from harness.verify.diagnosis.diagnose import STEP_S, Episode, Finding, diagnose
from harness.verify.diagnosis.signals import evidence_of
from harness.verify.figures import at
from harness.verify.verdict import Evidence, Figure, Outcome, Verdict

MOST_TOLD = 5
NOT_SEEN = "no service shows, all the time, what it would be seen by"


def check_diagnosis(run: Run, check: DiagnosisCheck) -> Verdict:
    name = f"diagnosis: {f'{check.symptom} by {check.cause}' if check.symptom else 'no symptom'}"
    if run.plan.target.runbook is None:
        nothing = figures.unknown("symptoms", unit="", accept="a runbook", reason="the target has no runbook")
        return figures.verdict_of("diagnosis", name, [nothing], passed="")
    findings = diagnose(evidence_of(run), run.plan.target)
    mine = [finding for finding in findings if finding.symptom == check.symptom]
    found = [_shown(check.symptom, mine), _led(check, mine)] if check.symptom else []
    found.append(_others(run, check, findings))
    return figures.verdict_of("diagnosis", name, found, _evidence(findings), passed=_passed(check, mine))


def _shown(symptom: str, mine: list[Finding]) -> Figure:
    name, episodes = f"times that {symptom} showed", sum(len(finding.episodes) for finding in mine)
    if not episodes and not (mine and all(finding.known for finding in mine)):
        return figures.unknown(name, unit="", accept="at least 1", reason=NOT_SEEN)
    outcome = Outcome.PASS if episodes else Outcome.FAIL
    why = "" if episodes else "it never showed"
    return figures.stated(
        name, float(episodes), unit="", samples=len(mine), accept="at least 1", outcome=outcome, reason=why
    )


def _led(check: DiagnosisCheck, mine: list[Finding]) -> Figure:
    """Elsewhere than to the cause: surely so, or possibly."""
    name = f"times that it led elsewhere than to {check.cause}"
    told = [(finding.region, episode) for finding in mine for episode in finding.episodes]
    wrong = [(region, episode) for region, episode in told if check.cause not in episode.causes]
    if wrong or not told:
        first = f"{wrong[0][0]} {at(wrong[0][1].since_s)}: {_causes(wrong[0][1])}" if wrong else ""
        return figures.never(name, len(wrong), len(told), reason=first)
    undecided = [(region, episode) for region, episode in told if episode.cause is None]
    if undecided:
        region, episode = undecided[0]
        reason = f"{region} {at(episode.since_s)}: {_causes(episode)}; not known: {', '.join(episode.not_known)}"
        return figures.unknown(name, unit="", accept="0", reason=reason)
    return figures.never(name, 0, len(told))


def _causes(episode: Episode) -> str:
    return " or ".join(episode.causes)


def _others(run: Run, check: DiagnosisCheck, findings: tuple[Finding, ...]) -> Figure:
    """Symptoms that were not named, and the named one before there was a reason for it."""
    name = "other symptoms"
    began_s = windows.first_disturbance_s(run)
    rest = [
        finding for finding in findings if finding.symptom != check.symptom and finding.symptom not in check.may_show
    ]
    shown = [(finding, episode) for finding in rest for episode in finding.episodes]
    shown += [
        (finding, episode)
        for finding in findings
        if finding.symptom == check.symptom
        for episode in finding.episodes
        if episode.since_s < began_s - STEP_S
    ]
    unknown = sorted({finding.symptom for finding in rest if not finding.known})
    if not shown and unknown:
        reason = f"{NOT_SEEN}: {', '.join(unknown)}"
        return figures.unknown(name, unit="", accept="0", reason=reason)
    first = f"{shown[0][0].symptom} in {shown[0][0].region} {at(shown[0][1].since_s)}" if shown else ""
    return figures.never(name, len(shown), max(1, len(rest)), reason=first)


def _evidence(findings: tuple[Finding, ...]) -> list[Evidence]:
    told = [(finding, episode) for finding in findings for episode in finding.episodes]
    told.sort(key=lambda each: each[1].since_s)
    return [
        Evidence(
            at_s=episode.since_s,
            until_s=episode.until_s,
            sentence=f"{finding.symptom} in {finding.region}: {_causes(episode)}.",
            source="metrics",
        )
        for finding, episode in told[:MOST_TOLD]
    ]


def _passed(check: DiagnosisCheck, mine: list[Finding]) -> str:
    if not check.symptom:
        return "No symptom showed."
    since = ", ".join(
        f"{finding.region} {at(episode.since_s)}" for finding in mine for episode in finding.episodes[:MOST_TOLD]
    )
    allowed = f", unless it was {' or '.join(check.may_show)}" if check.may_show else ""
    return f"{check.symptom} showed ({since}), the runbook led to {check.cause}, and no other symptom showed{allowed}."
