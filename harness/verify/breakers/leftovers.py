"""What is left over of a fault: database connections that nobody gave back, work that nobody waited for.

Both are told by the target's own metrics, but not by those in which it would say that something is wrong: a connection
is leaked that is in use while no request is at work, and what was worked on for longer than the load waits is in the
histogram of durations, whatever was counted as dropped.
"""

import numpy as np

from harness.experiment.expectations.breakers import BreakersCheck
from harness.record.reader import Run
from harness.record.rows import ErrorClass
from harness.verify import figures, windows
from harness.verify.breakers.history import risen
from harness.verify.figures import at, say
from harness.verify.verdict import Evidence, Figure, Outcome, worst

WATCHED_S = 20.0  # before the end of the run: what is leaked stays so
MIN_IDLE = 5  # scrapes: the service's own statements hold a connection now and then
# Beyond the load's deadline: on its way, and until a busy process notices.
LATE_S = 0.25
COARSEST = 1.5  # times the deadline: what ends before a bucket's bound is not seen to be late


def leaked(run: Run, check: BreakersCheck, evidence: list[Evidence]) -> Figure:
    """The fewest connections in use at the end, at scrapes that found no request at work; the worst replica decides."""
    name = "connections in use without a request"
    found = [_leaked_by(run, check, name, service) for service in windows.services_with_role(run, "api")]
    outcome = worst([figure.outcome for figure in found])
    figure = max((each for each in found if each.outcome is outcome), key=lambda each: each.value or 0.0, default=None)
    if figure is None:
        return figures.unknown(name, unit="", accept=f"at most {check.leaked}", reason="there is no replica")
    if outcome is Outcome.FAIL:
        since_s = run.plan.duration_s - WATCHED_S
        sentence = f"{figure.value:.0f} {figure.reason} from here on."
        evidence.append(Evidence(at_s=since_s, until_s=run.plan.duration_s, sentence=sentence, source="metrics"))
    return figure


def _leaked_by(run: Run, check: BreakersCheck, name: str, service: str) -> Figure:
    names, accept = run.plan.target.metrics, f"at most {check.leaked}"
    over_s, _ = windows.faults_over_s(run)
    from_s = max((over_s or 0.0) + windows.SETTLING_S, run.plan.duration_s - WATCHED_S)
    at_work = windows.series(run, service, names.at_work).set_index("at_s")["value"]
    in_use = windows.series(run, service, names.pool_in_use).set_index("at_s")["value"].reindex(at_work.index)
    idle = in_use[(at_work == 0) & (at_work.index >= from_s)].dropna()
    if len(idle) < MIN_IDLE:
        why = f"{service} was scraped {len(idle)} times without a request at work"
        return figures.unknown(name, unit="", accept=accept, reason=why)
    return figures.bounded(
        name, float(idle.min()), check.leaked, unit="", samples=len(idle), reason=f"of {service} are never given back"
    )


def late(run: Run, most: float) -> Figure:
    """Requests that took replicas longer than anybody waited, as a share of those that users gave up."""
    deadline_s = float(run.plan.load.deadline)
    name = f"worked on for more than {say(deadline_s, 's')}"
    accept = f"at most {say(most, 'ratio')} of those given up"
    given_up = int(windows.is_word(run.requests["error"], ErrorClass.DEADLINE).sum())
    if not given_up:
        return figures.unknown(name, unit="ratio", accept=accept, reason="nobody gave up waiting")
    counted = [_late_at(run, service, deadline_s) for service in windows.services_with_role(run, "api")]
    known = [each for each in counted if each is not None]
    if not known or len(known) < len(counted):
        who = "not every replica shows" if known else "no replica shows"
        why = f"{who} how many took longer than {say(deadline_s + LATE_S, 's')}"
        return figures.unknown(name, unit="ratio", accept=accept, reason=why)
    beyond = sum(known)
    share = beyond / given_up
    reason = f"{beyond:.0f} requests, while users gave up {given_up}, the first at {at(_first_given_up_s(run))}"
    outcome = Outcome.FAIL if share > most else Outcome.PASS
    return figures.stated(
        name, share, unit="ratio", samples=given_up, accept=accept, outcome=outcome,
        reason=reason if outcome is Outcome.FAIL else "",
    )  # fmt: skip


def _late_at(run: Run, service: str, deadline_s: float) -> float | None:
    """By the smallest bucket that holds all that was in time; None where there is none near the deadline."""
    frame = windows.series(run, service, run.plan.target.metrics.request_durations)
    bounds = {str(labels): float(windows.label(str(labels), "le") or "nan") for labels in frame["labels"].unique()}
    finite = [bound for bound in bounds.values() if deadline_s + LATE_S <= bound <= COARSEST * (deadline_s + LATE_S)]
    if not finite:
        return None
    rises = {
        bound: sum(
            risen(frame.loc[frame["labels"] == labels, "value"]) for labels, its in bounds.items() if its == bound
        )
        for bound in (min(finite), np.inf)
    }
    return rises[np.inf] - rises[min(finite)]


def _first_given_up_s(run: Run) -> float:
    gone = run.requests.loc[windows.is_word(run.requests["error"], ErrorClass.DEADLINE), "finished_s"]
    return float(gone.min())
