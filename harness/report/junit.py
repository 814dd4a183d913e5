"""junit.xml for build servers: one test case per verdict; fail is a `failure`, inconclusive an `error`.

Follows the schema that Jenkins publishes (jenkins-junit.xsd), which GitLab and the GitHub actions read too. A run that
was stopped, broke or is unclean gets an error of its own, so that a pipeline that reads only this file cannot take it
for green.
"""

import re
from collections import Counter
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from harness.errors import ExitCode
from harness.report import headline, wording
from harness.report.summary import Summary
from harness.verify.verdict import Outcome, Verdict

# All that XML 1.0 allows in a document (section 2.2); anything else cannot even be escaped.
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_REPLACEMENT = "\ufffd"
_NEVER_GREEN = (ExitCode.STOPPED, ExitCode.BROKEN, ExitCode.UNCLEAN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unjudged:
    """An experiment of a suite that has no verdicts: it could not be driven (`error`), or was not meant to run."""

    experiment: str
    why: str
    error: bool


def junit_xml(*parts: Summary | Unjudged) -> bytes:
    """Reports as one UTF-8 XML, a suite for each; `time` of one is how long load was recorded, in seconds."""
    suites = [_unjudged(part) if isinstance(part, Unjudged) else _judged(part) for part in parts]
    totals = {name: str(sum(int(suite.get(name, "0")) for suite in suites)) for name in ("tests", "failures", "errors")}
    time_s = sum(float(suite.get("time", "0")) for suite in suites)
    root = ET.Element("testsuites", {"name": "gameday", **totals, "time": f"{time_s:.3f}"})
    root.extend(suites)
    ET.indent(root)
    document: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return document + b"\n"


def _judged(summary: Summary) -> ET.Element:
    cases = _cases(summary)
    suite = _suite(summary.experiment, cases, time_s=summary.reached_s)
    _properties(suite, summary)
    suite.extend(cases)
    out = ET.SubElement(suite, "system-out")
    lines = [summary.title, summary.headline, summary.trust, *map(headline.told, summary.faults)]
    out.text = _clean("\n".join(lines) + "\n")
    return suite


def _unjudged(part: Unjudged) -> ET.Element:
    case = _element(part.experiment, "the run itself")
    if part.error:
        _trouble(case, "error", "not judged", part.why, part.why)
    else:
        ET.SubElement(case, "skipped", {"message": _clean(part.why)})
    suite = _suite(part.experiment, [case], time_s=0.0)
    suite.append(case)
    return suite


def _suite(experiment: str, cases: list[ET.Element], *, time_s: float) -> ET.Element:
    counts = {
        "tests": str(len(cases)),
        "failures": str(sum(case.find("failure") is not None for case in cases)),
        "errors": str(sum(case.find("error") is not None for case in cases)),
        "time": f"{time_s:.3f}",
        "skipped": str(sum(case.find("skipped") is not None for case in cases)),
    }
    return ET.Element("testsuite", {"name": _clean(experiment), **counts})


def _properties(suite: ET.Element, summary: Summary) -> None:
    properties = ET.SubElement(suite, "properties")
    pairs = [
        ("run_id", summary.run_id),
        ("outcome", summary.outcome.value),
        ("exit_code", str(int(summary.exit_code))),
        *((f"environment.{name}", value) for name, value in summary.environment),
    ]
    for name, value in pairs:
        ET.SubElement(properties, "property", {"name": _clean(name), "value": _clean(value)})


def _cases(summary: Summary) -> list[ET.Element]:
    seen: Counter[str] = Counter()
    cases = [_case(summary, verdict, seen) for verdict in summary.verdicts]
    if summary.exit_code in _NEVER_GREEN or not cases:
        why = summary.exit_meaning if cases else "nothing was judged"
        cases.append(_unfinished(summary, why))
    return cases


def _case(summary: Summary, verdict: Verdict, seen: Counter[str]) -> ET.Element:
    """A case whose name is its own: build servers merge those of one name."""
    seen[verdict.name] += 1
    many = seen[verdict.name]
    name = verdict.name if many == 1 else f"{verdict.name} ({many})"
    case = _element(summary.experiment, name)
    told = [verdict.sentence, *map(wording.figure_line, verdict.figures), *_scenes(verdict), *_evidence(verdict)]
    details = "\n".join(told)
    match verdict.outcome:
        case Outcome.FAIL:
            _trouble(case, "failure", verdict.check, verdict.sentence, details)
        case Outcome.INCONCLUSIVE:
            _trouble(case, "error", "inconclusive", verdict.sentence, details)
        case Outcome.PASS:
            ET.SubElement(case, "system-out").text = _clean(details)
    return case


def _unfinished(summary: Summary, why: str) -> ET.Element:
    case = _element(summary.experiment, "the run itself")
    details = "\n".join([summary.headline, *summary.warnings])
    _trouble(case, "error", summary.exit_code.name.lower(), f"{why} (exit {int(summary.exit_code)})", details)
    return case


def _element(experiment: str, name: str) -> ET.Element:
    words = {"classname": _clean(f"gameday.{experiment}"), "name": _clean(name), "time": "0"}
    return ET.Element("testcase", words)


def _trouble(case: ET.Element, tag: str, type_: str, message: str, details: str) -> None:
    trouble = ET.SubElement(case, tag, {"message": _clean(message), "type": _clean(type_)})
    trouble.text = _clean(details)


def _evidence(verdict: Verdict) -> list[str]:
    return [f"at {wording.span(item.at_s, item.until_s)}: {item.sentence}" for item in verdict.evidence]


def _scenes(verdict: Verdict) -> list[str]:
    return [f"{scene.title}{'' if scene.promised else ' (not promised)'}: {scene.sentence}" for scene in verdict.scenes]


def _clean(text: str) -> str:
    return _FORBIDDEN.sub(_REPLACEMENT, text)
