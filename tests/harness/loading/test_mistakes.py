"""Each mistake in an experiment file is told with file, line, place and the nearest word."""

from pathlib import Path

import pytest

from harness.loading.yaml_file import MAX_BYTES
from tests.harness.loading.an_experiment import EVERYTHING, SMALL, Written, error_of

# what is replaced in SMALL, by what, line, place, sentence, hint
MISTAKES = {
    "unknown key": ("title:", "titel:", 1, "$.titel", '"titel" is not known here', 'Did you mean "title"?'),
    "unknown key in a flow": ("rate:", "rat: 3, rate:", 4, "$.load.rat", '"rat" is not known here', '"rate"?'),
    "unknown key on its own line": (
        "    lasts:",
        "    lats: 1\n    lasts:",
        11,
        "$.faults[0].lats",
        '"lats" is not',
        '"lasts"?',
    ),
    "wrong unit": ("100ms", "100mz", 9, "$.faults[0].latency", '"mz" is not a unit of a duration', "known: us, ms"),
    "no unit": ("100ms", "100", 9, "$.faults[0].latency", "100 has no unit", 'write "100s"'),
    "a rate where a duration is meant": ("10s", "10/s", 11, "$.faults[0].lasts", '"/s" is not a unit', "ms, s"),
    "misspelt kind": (
        "latency\n",
        "latencyy\n",
        7,
        "$.faults[0].kind",
        '"latencyy" is not a fault.',
        'Did you mean "latency"? Known: bandwidth, blackhole, ',
    ),
    "misspelt check": (
        "slo",
        "sol",
        13,
        "$.expect[0].check",
        '"sol" is not a check.',
        'Did you mean "slo"? Known: ale',
    ),
    "misspelt arrivals": ("40/s", "40/s, arrivals: poison", 4, "$.load.arrivals", '"poison" is not', '"poisson"?'),
    "no kind": ("kind: latency\n    ", "", 7, "$.faults[0]", '"kind" is missing', "Known: bandwidth"),
    "number for text": ("A title", "12", 1, "$.title", "12 is not text", 'Quote it: "12".'),
    "date for a duration": ("5s", "2026-01-01", 10, "$.faults[0].at", '"2026-01-01"', "duration"),
    "sexagesimal": ("5s", "1:30", 10, "$.faults[0].at", '"1:30"', "duration"),
    "not a number": ("40/s", "40/s, seed: .nan", 4, "$.load.seed", '".nan" is not a whole number', ""),
    "infinity": ("40/s", "1e999/s", 4, "$.load.rate", "1e999/s", ""),
    "number out of range": ("40/s", "40/s, seed: 1e999", 4, "", "too large a number", ""),
    "endless integer": ("40/s", "40/s, seed: " + "9" * 5000, 4, "", "too large a number", ""),
    "negative duration": ("5s", "-5s", 10, "$.faults[0].at", "-5s", "not negative"),
    "zero rate": ("40/s", "0/s", 4, "$.load.rate", "0/s is not above 0/s", ""),
    "list for a mapping": ("{profile: twitter_day, rate: 40/s}", "[1]", 4, "$.load", "a list is not a mapping", ""),
    "nothing for a list": (
        "  - {check: slo, p99: 150ms}\n",
        "",
        12,
        "$.expect",
        "an empty value is not a list",
        "write []",
    ),
    "list for a quantity": ("100ms", "[1, 2]", 9, "$.faults[0].latency", "a list is not a quantity", "250ms"),
    "missing key": ("    at: 5s\n", "", 7, "$.faults[0]", '"at" is missing', "Needed here: at, lasts, latency, link"),
    "unknown link": (
        "us-east.redis",
        "us-east.rediss",
        8,
        "$.faults[0].link",
        "is not a link of twitter-in-small",
        'Did you mean "us-east.api->us-east.redis"?',
    ),
    "unknown profile": ("twitter_day", "twitter_dya", 4, "$.load.profile", "is not a load profile", '"twitter_day"?'),
    "unknown target": ("target.yaml", "targets.yaml", 3, "$.target", "there is no file", ""),
    "fault longer than disturbed": ("10s", "26s", 11, "$.faults[0].lasts", "ends at 31s", "phases.disturbed"),
    "fault without disturbed": ("disturbed: 30s, ", "", 11, "$.faults[0].lasts", "takes 0s", ""),
    "phase that is not there": (
        "slo, p99",
        "slo, phase: final_reads, p99",
        13,
        "$.expect[0].phase",
        "has length 0s",
        "$.phases.final_reads",
    ),
    "unknown phase": ("slo, p99", "slo, phase: base, p99", 13, "$.expect[0].phase", "is not a phase", '"baseline"?'),
    "no objective": ("slo, p99: 150ms", "slo", 13, "$.expect[0]", "names no objective", "Known: error_ratio"),
    "unknown level": (
        "slo, p99: 150ms",
        "degradation, reaches: SURVIVE",
        13,
        "$.expect[0].reaches",
        "is not a level",
        '"SURVIVAL"?',
    ),
    "consistency without final reads": (
        "slo, p99: 150ms",
        "consistency",
        13,
        "$.expect[0]",
        "needs the phase final_reads",
        "Give $.phases.final_reads a length",
    ),
    "unknown reach": ("slo, p99: 150ms", "consistency, read_your_writes: stickey", 13, "", "stickey", '"sticky"?'),
    "late change": (
        "40/s}",
        "40/s, changes: [{shape: step, at: 51s, to: 1/s}]}",
        4,
        "$.load.changes[0]",
        "the run is over after 50s",
        "",
    ),
    "unknown variable": ("40/s", '"${ratte}"', 4, "$.load.rate", '"${ratte}" names no variable', "Known: none"),
    "unquoted variable in a flow": ("40/s", "${rate}", 4, "", "this is not YAML", 'write "${name}" in quotes'),
    "unclosed variable": ("40/s", '"${rate"', 4, "$.load.rate", "not closed", "${name}"),
    "empty title": ("A title", '" "', 1, "$.title", "is empty", ""),
    "duplicate key": (
        "hypothesis: A",
        "title: x\nhypothesis: A",
        2,
        "",
        '"title" is written twice (first on line 1)',
        "",
    ),
    "tab": ("  - kind", "\t- kind", 7, "", "a tab is used as indentation", "spaces"),
    "anchor": ("A title", "&x A title", 1, "", "anchors and aliases", "variables"),
    "alias": ("A title", "*x", 1, "", "anchors and aliases", "variables"),
    "tag": ("A title", "!!int 5", 1, "", "tags", "Quote"),
    "python tag": ("A title", "!!python/object/apply:os.system [x]", 1, "", "tags", ""),
    "key that is a list": ("title:", "? [a]\n: b\ntitle:", 1, "", "a key must be a plain word", ""),
    "second document": ("expect:", "---\nexpect:", 12, "", "a second document", "---"),
    "start of a reserved character": ("A title", "@x", 1, "", '"@" cannot start a value', "quotes"),
    "unclosed quote": ("A title", '"A title', None, "", "this is not YAML", ""),
    "control character": ("A title", "A \x07 title", 1, "", r"'\x07'", ""),
    "escaped NUL": ("../reference_system", '"..\\0"  # ', 3, "", r"'\x00'", ""),
    "very long path": ("../reference_system", "x" * 5000, 3, "$.target", "there is no file", ""),
    "folder for a target": ("../reference_system/target.yaml", "../reference_system", 3, "$.target", "no file", ""),
    "device for a target": ("../reference_system/target.yaml", "/dev/zero", 3, "$.target", "there is no file", ""),
    "a run of years": ("recovery: 20s", "recovery: 20000h", 5, "$.phases", "at most 86400s", "units"),
}


@pytest.mark.parametrize(("old", "new", "line", "place", "sentence", "hint"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_told_with_file_line_place_and_hint(
    written: Written, *, old: str, new: str, line: int | None, place: str, sentence: str, hint: str
) -> None:
    assert old in SMALL

    message = error_of(path := written(SMALL.replace(old, new, 1)))

    where = f"{path}:" + (f"{line}" if line else "")
    assert message.startswith(f"{where}, {place}: " if place else where), message
    assert sentence in message
    assert hint in message


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty"),
        (b"  \n\n", "is empty"),
        (b"# a comment\n", "nothing but comments"),
        (b"title: caf\xe9\n", "wrong.yaml:1: byte 0xe9 is not UTF-8"),
        (b"title: x\n\x00\x01\x02", "wrong.yaml:2: is a binary file"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "is a binary file"),
        (b"a" * (MAX_BYTES + 1), "is larger than"),
        (b"[" * 100_000, "nested more than"),
        (b"a: " + b"{a: " * 5000, "nested more than"),
        (b"- " * 5000 + b"x", "nested more than"),
        (b"just text", "a mapping is needed"),
        (b"[1, 2]", "a mapping is needed"),
        (b"a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]", "anchors and aliases"),
        (b"variables: [1]", "$.variables: a list is not a mapping"),
        (b"variables: {a: [1]}", "$.variables.a: a list is not"),
        (b"variables: {a: '${b}'}", "may not use another"),
        (b"variables: {a b: 1}", "is not a name"),
        (b"variables: {a: 1}\nshort: {b: 1}", 'wrong.yaml:2, $.short.b: "b" is not one of the variables'),
        (b"variables: {a: 1}\nshort: {a: 5s}", 'wrong.yaml:2, $.short.a: "5s" is not a number'),
        (b"variables: {a: 1}\ntitle: x", '$.variables.a: "a" is used nowhere'),
    ],
)
def test_a_file_that_is_no_experiment_is_refused(written: Written, content: bytes, sentence: str) -> None:
    assert sentence in error_of(written(content))


def test_a_missing_file_and_a_folder_are_refused(project: Path) -> None:
    assert "there is no such file" in error_of(project / "nowhere.yaml")
    assert "is a folder" in error_of(project)
    assert "there is no such file" in error_of(Path("a\0b.yaml"))
    assert "cannot be read" in error_of(Path("a" * 5000))


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        ({"eahc": "5s"}, 'Did you mean "each"?'),
        ({"shards": "many"}, "shards is a number"),
        ({"shed": "yes"}, "shed is true or false"),
        ({"each": "5"}, '$.load.changes[1].over: "5" has no unit'),
        ({"each": "${rate}"}, "may not use another"),
        ({"shards": "1e999"}, "too large a number"),
    ],
)
def test_a_wrong_override_is_refused(written: Written, overrides: dict[str, str], sentence: str) -> None:
    assert sentence in error_of(written(EVERYTHING), overrides=overrides)


def test_a_profile_where_there_are_none_is_told_where_they_were_looked_for(written: Written, project: Path) -> None:
    (project / "loadprofiles").rename(project / "profiles")

    assert "is not a load profile.\nThere is none in a folder loadprofiles" in error_of(written(EVERYTHING))
