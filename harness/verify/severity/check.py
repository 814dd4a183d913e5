"""Whether an incident stayed as small as was promised: the share of users affected in the worst ten seconds.

The worst window is the one that surely has the greatest share. A pass needs its interval inside the bound; a fail needs
a window beyond it by more than chance can do in so many windows (Bonferroni, which asks for more than it has to as
windows overlap). Who is affected is `affected.py`'s to say.
"""

import numpy as np

from harness.experiment.expectations.severity import Severity, SeverityCheck
from harness.record.reader import Run
from harness.verify import figures, statistics
from harness.verify.figures import at, say
from harness.verify.severity.assessment import Assessment, assess
from harness.verify.severity.grade import MEANING, most_allowed
from harness.verify.verdict import Evidence, Figure, Outcome, Verdict

SHARE = "users affected in the worst ten seconds"
MOST_RISKS = 3  # that are told


def check_severity(run: Run, check: SeverityCheck) -> Verdict:
    name = f"severity: at most {check.at_most}"
    found = assess(run, late_s=check.late)
    if found is None:
        nothing = figures.unknown(SHARE, unit="ratio", accept="some came", reason="no user came after the warm-up")
        return figures.verdict_of("severity", name, [nothing], passed="")
    allowed = most_allowed(check.at_most)
    decided = [_share(found, allowed, figures.alpha_of(run.plan)) if allowed > 0 else _nobody(found)]
    if check.at_most is Severity.NONE:
        decided.append(_no_risk(found))
    return figures.verdict_of("severity", name, decided, _evidence(found), passed=_passed(found))


def _share(found: Assessment, allowed: float, alpha: float) -> Figure:
    shares = found.shares
    surprise = statistics.p_as_many(shares.affected, shares.users, allowed)
    rejected = bool(surprise.min() < alpha / len(shares))
    outcome = statistics.decide(found.interval, low=None, high=allowed, rejected=rejected)
    why = (
        "outside, but not by more than chance can do"
        if found.share > allowed
        else "the error bar reaches over the limit"
    )
    elsewhere = np.flatnonzero(shares.share > allowed)
    if outcome is Outcome.PASS and len(elsewhere):  # so few came then that these are not the worst for sure
        place = elsewhere[0]
        many = f"{shares.affected[place]:.0f} of {shares.users[place]:.0f} users"
        outcome, why = Outcome.INCONCLUSIVE, f"from {at(float(shares.start_s[place]))} on {many} were affected"
    return Figure(
        name=SHARE,
        unit="ratio",
        value=found.share,
        interval=found.interval,
        samples=found.users,
        accept=f"at most {say(allowed, 'ratio')}",
        outcome=outcome,
        reason=why if outcome is Outcome.INCONCLUSIVE else "",
    )


def _nobody(found: Assessment) -> Figure:
    """That nobody at all is affected is no hypothesis about a share: one user breaks it."""
    came = found.came
    return figures.never("users affected", len(np.unique(came.user[came.hurt])), len(np.unique(came.user)))


def _no_risk(found: Assessment) -> Figure:
    name = "signs of trouble"
    if not found.risks and not found.risks_known:
        return figures.unknown(name, unit="", accept="0", reason="no controller showed its level or its alerts")
    first = found.risks[0].sentence if found.risks else ""
    return figures.never(name, len(found.risks), 1, reason=first)


def _evidence(found: Assessment) -> list[Evidence]:
    said = []
    if found.affected:
        sentence = f"Of {found.users:,} users who came in these seconds {found.affected:,} were affected."
        said.append(Evidence(at_s=found.worst.start_s, until_s=found.worst.end_s, sentence=sentence, source="requests"))
    for risk in found.risks[:MOST_RISKS]:
        if risk.at_s is not None:
            said.append(Evidence(at_s=risk.at_s, sentence=f"{risk.sentence}.", source="metrics"))
    return said


def _passed(found: Assessment) -> str:
    meaning = f"{found.severity}, {MEANING[found.severity]}"
    if not found.affected:
        return f"{meaning}."
    worst = f"from {at(found.worst.start_s)} to {at(found.worst.end_s)}, {found.affected:,} of {found.users:,} users"
    return f"{meaning}: at worst, {worst} were affected ({say(found.share, 'ratio')})."
