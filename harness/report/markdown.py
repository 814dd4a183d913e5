"""report.md: the run in a screenful, to paste into a pull request. The whole is in the HTML."""

import re

from harness.report import headline, wording
from harness.report.counts import Slice
from harness.report.failovers import Failover
from harness.report.summary import Summary, accounting
from harness.verify.verdict import Figure, Outcome, Scene, Verdict

_SIGNS = {Outcome.PASS: "✅ pass", Outcome.INCONCLUSIVE: "❔ inconclusive", Outcome.FAIL: "❌ fail"}
_SPECIAL = re.compile(r"([\\`*_\[\]#|~$])")
MOST_SCENES = 5
MOST_FIGURES = 3  # in a cell of the table: the worst ones


def report_markdown(summary: Summary, html_name: str) -> str:
    """GitHub-flavoured Markdown; whatever people wrote is escaped."""
    sections = [
        f"## {_SIGNS[summary.outcome]}: {plain(summary.title)}",
        plain(summary.headline),
        _incident(summary),
        plain(summary.hurt),
        plain(summary.trust),
        "\n".join(f"> ⚠ {plain(warning)}" for warning in summary.warnings),
        _verdicts(summary),
        *(_failover(failover) for failover in summary.failovers),
        _scenes(summary),
        _doubts(summary),
        _faults(summary),
        _accounting(summary),
        _phases(summary),
        f"Run `{code(summary.run_id)}`, exit {int(summary.exit_code)}: {summary.exit_meaning}. "
        f"Everything else: [{html_name}]({html_name}).",
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _incident(summary: Summary) -> str:
    incident = summary.incident
    if incident is None:
        return ""
    if not incident.mitigations:
        return plain(incident.sentence)
    advice = [f"- {plain(each)}" for each in (incident.first, *incident.mitigations)]
    return "\n".join([plain(incident.sentence), "", *advice])


def _verdicts(summary: Summary) -> str:
    lines = ["| verdict | check | what was expected and measured | figures |", "|---|---|---|---|"]
    for verdict in summary.verdicts:
        figures = "<br>".join(plain(_figure(figure)) for figure in _figures(verdict))
        cells = (_SIGNS[verdict.outcome], plain(verdict.name), plain(verdict.sentence), figures)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _figures(verdict: Verdict) -> tuple[Figure, ...]:
    """The worst figures of what did not pass; the sentence of a pass has its figures in it."""
    return () if verdict.outcome is Outcome.PASS else verdict.figures[:MOST_FIGURES]


def _figure(figure: Figure) -> str:
    value = wording.measured(figure)
    return (
        f"{wording.GLYPHS[figure.outcome]} {figure.name}: {value} (accepted: {figure.accept}; n = {figure.samples:,})"
    )


def _failover(failover: Failover) -> str:
    head = "| users of | seconds with errors | longest gap | users hurt | " + " | ".join(failover.names) + " |"
    lines = [f"**{plain(failover.title)}**", "", head, "|---|" + "--:|" * (3 + len(failover.names))]
    for line in failover.lines:
        cells = (plain(line.cohort), line.bad_seconds, line.longest_gap, line.users_hurt, *line.marks)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join([*lines, "", plain(failover.way_home)])


def _scenes(summary: Summary) -> str:
    """What was broken, in the sentences of those it happened to; what was promised comes first."""
    scenes = [scene for verdict in summary.verdicts for scene in verdict.scenes]
    lines = [f"- **{plain(scene.title)}**{_unpromised(scene)}: {plain(scene.sentence)}" for scene in scenes]
    more = len(lines) - MOST_SCENES
    return "\n".join([*lines[:MOST_SCENES], *([f"- and {more} more"] if more > 0 else [])])


def _unpromised(scene: Scene) -> str:
    return "" if scene.promised else " (not promised)"


def _doubts(summary: Summary) -> str:
    if not summary.doubts:
        return ""
    lines = ["**Left open**"]
    for doubt in summary.doubts:
        needed = "" if doubt.needed_samples is None else f" ({doubt.needed_samples:,} samples would decide)"
        lines.append(f"- {plain(doubt.name)}: {plain(doubt.why)}{needed}")
    return "\n".join([lines[0], "", *lines[1:]])


def _faults(summary: Summary) -> str:
    """One line for each fault, however many parts it has."""
    if not summary.faults:
        return ""
    return "\n".join(["**Faults**", "", *(f"- {plain(headline.told(fault))}" for fault in summary.faults)])


def _accounting(summary: Summary) -> str:
    offered = summary.whole.offered
    endings = accounting(summary.whole)
    head = "| offered | " + " | ".join(ending.value.replace("_", " ") for ending, _, _ in endings) + " |"
    row = f"| {offered:,} | " + " | ".join(f"{many:,}" for _, many, _ in endings) + " |"
    return "\n".join([head, "|" + "--:|" * (len(endings) + 1), row])


def _phases(summary: Summary) -> str:
    head = "| phase | offered/s | good/s | late/s | shed/s | off/s | errors/s | timed | p50 | p95 | p99 |"
    rows = [_phase(part) for part in summary.phases]
    words = (
        f"Good: answered as asked within {wording.duration(summary.good_within_s)}; late: after that; off: refused, as "
        "the feature was off. Percentiles are over the requests timed: answered as asked, or given up without an "
        "answer, which counts as slower than any."
    )
    return "\n".join([head, "|---|" + "--:|" * 10, *rows, "", words])


def _phase(part: Slice) -> str:
    ended = (part.good, part.late, part.shed, part.disabled, part.errors)
    rates = [wording.rate(part.per_s(many)) for many in (part.offered, *ended)]
    latency = part.latency
    times = [wording.duration(value) for value in (latency.p50_s, latency.p95_s, latency.p99_s)]
    cells = [*rates, wording.count(latency.samples), *times]
    return f"| {plain(part.name)} | " + " | ".join(cells) + " |"


def plain(text: str) -> str:
    """Text that Markdown and HTML leave as it is, on one line, and that mentions nobody."""
    one_line = " ".join(text.split())
    escaped = _SPECIAL.sub(r"\\\1", one_line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"))
    return escaped.replace("@", "@\u200b").replace("://", ":\u200b//")


def code(text: str) -> str:
    return " ".join(text.replace("`", "'").split())
