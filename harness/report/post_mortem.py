"""The beginnings of a post-mortem, as Markdown: what the record knows filled in, and room for what only people know.

What the specification asks of one (section 7): blameless, within 48 hours, action items with an owner and a date, the
runbook brought up to date. What verdicts say and what the runbook finds is repeated here, and nothing is concluded.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from harness.clock import NS_PER_S
from harness.record.reader import Run
from harness.report import headline, wording
from harness.report.markdown import code, plain
from harness.report.story import Happening
from harness.report.summary import Summary
from harness.target.runbook import Runbook
from harness.verify import windows
from harness.verify.diagnosis.diagnose import Episode, Finding
from harness.verify.failover.cohorts import regions_asked
from harness.verify.failover.routes import routes_of
from harness.verify.routing import where_sent
from harness.verify.severity.assessment import assess
from harness.verify.verdict import Outcome, Verdict

DUE_WITHIN = timedelta(hours=48)
MOST_LINES = 60  # of the timeline
TO_BE_WRITTEN = "_To be written._"
_QUESTIONS = (
    "What made it possible? Ask on until the answer is something that can be changed.",
    "What made it worse, or last longer?",
    "Where were we lucky?",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of the timeline; `at_s` is run time."""

    at_s: float
    words: str


def post_mortem(run: Run, summary: Summary, findings: Sequence[Finding], runbook: Runbook | None) -> str:
    """A draft for whoever writes it: GitHub-flavoured Markdown, with whatever people wrote escaped."""
    sections = [
        f"# Post-mortem: {plain(summary.title)}",
        f"Draft, made from the record of run `{code(summary.run_id)}`. Blameless: it asks what made this possible, and "
        f"never who did it. Due by {_utc(_end(run, summary) + DUE_WITHIN)}, 48 hours after its end.",
        "## Impact",
        _impact(run, summary),
        "## What happened",
        _timeline(run, summary),
        "## Causes",
        _causes(findings, runbook),
        "\n".join(f"- {question} {TO_BE_WRITTEN}" for question in _QUESTIONS),
        "## What went well, and what did not",
        _judged(summary),
        "## Action items",
        _action_items(summary, findings, runbook),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


# --- when -----------------------------------------------------------------------------------------------------------


def _at(run: Run, at_s: float) -> datetime:
    """Run time by the wall clock."""
    unix_ns = run.environment.clock.unix_of(windows.load_start_ns(run)) + round(at_s * NS_PER_S)
    return datetime.fromtimestamp(unix_ns / NS_PER_S, UTC)


def _end(run: Run, summary: Summary) -> datetime:
    return _at(run, summary.reached_s)


def _utc(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"


# --- sections -------------------------------------------------------------------------------------------------------


def _impact(run: Run, summary: Summary) -> str:
    lines = [] if summary.incident is None else [plain(summary.incident.sentence)]
    lines += [plain(summary.hurt), plain(_noticed(run, summary))]
    return "\n".join(f"- {line}" for line in lines if line)


def _noticed(run: Run, summary: Summary) -> str:
    found = assess(run)
    scope = None if found is None else found.scope
    alerts = sorted((alert.start_s, alert.lane) for alert in _fired(summary))
    if scope is None:
        return ""
    since = f"First harm at {wording.moment(scope.start_s)}"
    later = [alert for alert in alerts if alert[0] >= scope.start_s]
    before = sorted({lane for at_s, lane in alerts if at_s < scope.start_s})
    already = f" Alerts that had fired before: {', '.join(before)}." if before else ""
    if not later:
        return f"{since}; no alert fired after that.{already}"
    at_s, lane = later[0]
    return (
        f"{since}; the first alert after that, {lane}, fired {wording.duration(at_s - scope.start_s)} later.{already}"
    )


def _fired(summary: Summary) -> list[Happening]:
    """Alerts as their metrics show them; where none do, as a log tells that they fired."""
    spans = [alert for alert in summary.alerts if alert.end_s > alert.start_s]
    return spans or [alert for alert in summary.alerts if alert.words.startswith("alert fired")]


def _timeline(run: Run, summary: Summary) -> str:
    entries = sorted(_entries(run, summary), key=lambda entry: entry.at_s)
    lines = ["| UTC | run time | what |", "|---|--:|---|"]
    lines += [
        f"| {_at(run, entry.at_s):%H:%M:%S} | {wording.moment(entry.at_s)} | {plain(entry.words)} |"
        for entry in entries[:MOST_LINES]
    ]
    more = len(entries) - MOST_LINES
    return "\n".join([*lines, *([f"| | | and {more:,} more |"] if more > 0 else [])])


def _entries(run: Run, summary: Summary) -> Iterator[Entry]:
    yield Entry(at_s=0.0, words="the load began")
    for fault in summary.faults:
        if fault.inject.asked_s is not None:
            yield Entry(at_s=fault.inject.asked_s, words=f"injected: {headline.told(fault)}")
        if fault.revert.done_s is not None:
            yield Entry(at_s=fault.revert.done_s, words=f"reverted: {fault.id}")
    for course in summary.levels:
        for before, after in course.changes:
            yield Entry(at_s=after.start_s, words=f"level {before.name} became {after.name} ({course.who})")
    for alert in _fired(summary):
        yield Entry(at_s=alert.start_s, words=f"{alert.words}, {wording.span(alert.start_s, alert.end_s)}")
    for service in [each for each in summary.services if each.kind == "services"]:
        yield Entry(at_s=service.start_s, words=service.words)
    for region in regions_asked(run):
        yield from _moved(run, region)
    yield Entry(at_s=summary.reached_s, words="the record ends")


def _moved(run: Run, region: str) -> Iterator[Entry]:
    """Where the users of a region were sent from when on."""
    routes = routes_of(run, region)
    for before, step in () if routes is None else routes.changes():
        if step.share != before.share:
            yield Entry(at_s=step.since.at_s, words=where_sent(region, step))


def _causes(findings: Sequence[Finding], runbook: Runbook | None) -> str:
    if runbook is None:
        return "The target has no runbook that could be followed."
    lines = [f"- {plain(_found(runbook, finding, episode))}" for finding in findings for episode in finding.episodes]
    return "\n".join(lines) or "The runbook knows none of what was seen: no symptom of its table showed."


def _found(runbook: Runbook, finding: Finding, episode: Episode) -> str:
    symptom = runbook.symptoms[finding.symptom]
    when = f"{symptom.title} in {finding.region}, {wording.span(episode.since_s, episode.until_s)}"
    if episode.cause is None:
        return f"{when}: the runbook leaves open which of these it was: {', '.join(episode.causes)}."
    return f"{when}: {symptom.causes[episode.cause].sentence}"


def _judged(summary: Summary) -> str:
    kept = [f"- kept: {plain(each.name)}" for each in _of(summary, Outcome.PASS)]
    broken = [f"- **broken: {plain(each.name)}** {plain(each.sentence)}" for each in _of(summary, Outcome.FAIL)]
    left_open = [f"- not known: {plain(each.name)}" for each in _of(summary, Outcome.INCONCLUSIVE)]
    return "\n".join([*broken, *left_open, *kept])


def _action_items(summary: Summary, findings: Sequence[Finding], runbook: Runbook | None) -> str:
    """One for each thing that did not go as promised, without owner and date: who they are, people agree upon."""
    items = [f"Keep what was promised: {each.name}" for each in _of(summary, Outcome.FAIL)]
    items += [f"Find out: {each.name}" for each in _of(summary, Outcome.INCONCLUSIVE)]
    items += _missing_in_the_runbook(findings, runbook)
    items.append("Bring the runbook up to date")
    lines = ["| what | owner | due |", "|---|---|---|", *(f"| {plain(item)} | | |" for item in items)]
    return "\n".join(lines)


def _missing_in_the_runbook(findings: Sequence[Finding], runbook: Runbook | None) -> list[str]:
    undecided = {finding.symptom for finding in findings for episode in finding.episodes if episode.cause is None}
    if runbook is None:
        return ["Write a runbook"]
    return [f"Add to the runbook what decides: {runbook.symptoms[name].title.lower()}" for name in sorted(undecided)]


def _of(summary: Summary, outcome: Outcome) -> list[Verdict]:
    return [verdict for verdict in summary.verdicts if verdict.outcome is outcome]
