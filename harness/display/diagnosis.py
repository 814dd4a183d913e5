"""What a person sees of a diagnosis: symptoms, the questions with their figures, causes. Rendering only."""

from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from harness.report import wording

if TYPE_CHECKING:
    from harness.judging import Diagnosed  # loads the scientific libraries
    from harness.target.runbook import Symptom
    from harness.verify.diagnosis.diagnose import Episode, Finding, Looked

ANSWERS = {"yes": "[red]yes[/]", "no": "[green]no[/]", "not known": "[yellow]not known[/]"}


def show_diagnosis(found: "Diagnosed", console: Console) -> None:
    console.print(f"[bold]{escape(found.source)}[/]", highlight=False)
    for finding in found.findings:
        for episode in finding.episodes:
            _show(finding, episode, found.runbook.symptoms[finding.symptom], console)
    quiet = _named(found, [finding for finding in found.findings if finding.known and not finding.episodes])
    if quiet:
        _say(console, f"[green]not shown:[/] {quiet}")
    unknown = _named(found, [finding for finding in found.findings if not finding.known and not finding.episodes])
    if unknown:
        _say(console, f"[yellow]not known:[/] {unknown} (no service shows, all the time, what it would be seen by)")


def _show(finding: "Finding", episode: "Episode", symptom: "Symptom", console: Console) -> None:
    when = wording.span(episode.since_s, episode.until_s)
    _say(console, f"\n[red]{escape(symptom.title)}[/] in {escape(finding.region)}, {when}")
    table = Table("question", "seen", "usual", "", "answer", box=None)
    for looked in episode.steps:
        table.add_row(*_row(looked))
    console.print(table)
    if episode.cause is None:
        _say(console, f"[yellow]undecided[/], for want of {', '.join(episode.not_known)}. What is left:")
    for name in episode.causes:
        cause = symptom.causes[name]
        _say(console, f"[bold]{escape(name)}[/]: {escape(cause.sentence)}")
        for mitigation in cause.mitigations:
            _say(console, f"  - {escape(mitigation)}")


def _row(looked: "Looked") -> tuple[str, ...]:
    seen, usual = (wording.quantity(value, looked.unit) for value in (looked.seen.value, looked.seen.usual))
    answer = ANSWERS[looked.answer] + ("" if looked.surely else " [dim](if it comes to that)[/]")
    return escape(looked.question), seen, usual, f"{looked.signal} {escape(looked.bound)}", answer


def _named(found: "Diagnosed", findings: "list[Finding]") -> str:
    titles = found.runbook.symptoms
    return "; ".join(f"{titles[finding.symptom].title.lower()} ({finding.region})" for finding in findings)


def _say(console: Console, text: str) -> None:
    console.print(text, soft_wrap=not console.is_terminal, highlight=False)
