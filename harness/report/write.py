"""Writes a run's reports into its folder. They are made from the record alone and may be made again any time."""

from collections.abc import Sequence
from pathlib import Path

from harness.record.reader import Run
from harness.report.charts import panels_of
from harness.report.html import report_html
from harness.report.json_file import verdicts_json
from harness.report.junit import Unjudged, junit_xml
from harness.report.markdown import report_markdown
from harness.report.summary import Summary, summarise
from harness.verify.verdict import Verdicts

HTML_NAME = "report.html"


def write_reports(run: Run, verdicts: Verdicts) -> Path:
    """Write verdicts.json, report.html, report.md and junit.xml into the run's folder; the HTML's path.

    The same record and verdicts give the same bytes. A file is replaced whole or not at all.
    """
    summary = summarise(run, verdicts)
    _replace(run.folder / "verdicts.json", verdicts_json(verdicts))
    _replace(run.folder / "report.md", _utf8(report_markdown(summary, HTML_NAME)))
    _replace(run.folder / "junit.xml", junit_xml(summary))
    html = run.folder / HTML_NAME
    _replace(html, _utf8(report_html(run, summary, panels_of(run, summary))))
    return html


def write_suite_junit(parts: Sequence[Summary | Unjudged], path: Path) -> None:
    """One junit.xml for several experiments, made anew."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _replace(path, junit_xml(*parts))


def _utf8(text: str) -> bytes:
    """UTF-8; what cannot be encoded (halves of surrogate pairs) becomes a question mark."""
    return text.encode("utf-8", errors="replace")


def _replace(path: Path, content: bytes) -> None:
    new = path.with_name(f".{path.name}.new")
    new.write_bytes(content)
    new.replace(path)
