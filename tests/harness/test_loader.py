"""Experiment files: what is right loads, and each mistake is told with file, line, place and the nearest word."""

import random
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import msgspec
import pytest

from harness.errors import ExitCode, ExperimentError
from harness.experiment.expectations.retries import RetriesCheck
from harness.experiment.expectations.shedding import SheddingCheck
from harness.experiment.faults import LatencyFault, PauseFault, RestartFault
from harness.experiment.load import Arrivals, Ramp
from harness.loader import load_experiment, load_fault, load_target
from harness.loading.schema import SCHEMA_FILE, json_schema, schema_text
from harness.loading.yaml_file import MAX_BYTES
from harness.units import Seconds

ROOT = Path(__file__).parents[2]
FILES = Path(__file__).parent / "files"
EVERYTHING = (FILES / "everything.yaml").read_text()
TARGET = (FILES / "target.yaml").read_text()
SHIPPED = sorted((ROOT / "experiments").glob("*.yaml"))

SMALL = """\
title: A title
hypothesis: A sentence.
target: ../reference_system/target.yaml
load: {profile: twitter_day, rate: 40/s}
phases: {baseline: 20s, disturbed: 30s, recovery: 20s}
faults:
  - kind: latency
    link: us-east.api->us-east.redis
    latency: 100ms
    at: 5s
    lasts: 10s
expect:
  - {check: slo, p99: 150ms}
"""
BROKEN = SMALL.replace("kind: latency", "kind: blackhole").replace("    latency: 100ms\n", "")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "experiments").mkdir()
    (tmp_path / "loadprofiles").mkdir()
    (tmp_path / "loadprofiles" / "twitter_day.py").touch()
    (tmp_path / "reference_system").mkdir()
    (tmp_path / "reference_system" / "target.yaml").write_text(TARGET)
    return tmp_path


@pytest.fixture
def written(project: Path) -> Callable[[str | bytes], Path]:
    """Writes an experiment file into the project, and says where."""

    def write(content: str | bytes) -> Path:
        path = project / "experiments" / "wrong.yaml"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write


Written = Callable[[str | bytes], Path]


def error_of(path: Path, *, overrides: Mapping[str, str] = {}) -> str:
    with pytest.raises(ExperimentError) as caught:
        load_experiment(path, overrides=overrides)
    assert caught.value.exit_code == ExitCode.USAGE
    return str(caught.value)


# --- what is right --------------------------------------------------------------------------------------------------


def test_everything_that_may_be_written_loads(written: Written, project: Path) -> None:
    loaded = load_experiment(written(EVERYTHING))

    assert loaded.target_path == (project / "reference_system" / "target.yaml").resolve()
    assert loaded.profile_path == (project / "loadprofiles" / "twitter_day.py").resolve()
    assert loaded.target.name == "twitter-in-small"
    assert loaded.source == EVERYTHING
    assert loaded.path.is_absolute()
    experiment = loaded.experiment
    assert experiment.load.arrivals is Arrivals.CONSTANT
    assert experiment.phases.baseline == 30.0
    assert len(experiment.faults) == 8
    assert isinstance(experiment.faults[0], LatencyFault)
    assert experiment.hypothesis.startswith("An experiment that uses each kind")


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_every_shipped_experiment_loads_in_full_and_short(path: Path) -> None:
    full, short = load_experiment(path), load_experiment(path, short=True)

    assert full.experiment.title == short.experiment.title


def test_a_variable_keeps_its_own_type_where_it_stands_alone_and_is_text_inside_text(written: Written) -> None:
    experiment = load_experiment(written(EVERYTHING)).experiment

    assert experiment.load.shards == 2
    shedding, retries = experiment.expect[3], experiment.expect[5]
    assert isinstance(shedding, SheddingCheck)
    assert shedding.expect_shedding is True
    assert isinstance(retries, RetriesCheck)
    assert retries.budget == pytest.approx(0.205)


def test_short_values_replace_variables_and_set_replaces_both(written: Written) -> None:
    path = written(EVERYTHING)

    short = load_experiment(path, short=True)
    overridden = load_experiment(path, short=True, overrides={"each": "7s", "shards": "3", "shed": "false"})

    ramp = short.experiment.load.changes[1]
    assert isinstance(ramp, Ramp)
    assert ramp.over == 5.0
    assert short.variables["shards"] == "1"
    assert overridden.experiment.load.shards == 3
    assert overridden.variables == {**short.variables, "each": "7s", "shards": "3", "shed": "false"}


def test_a_profile_may_be_a_file_beside_the_experiment(written: Written, project: Path) -> None:
    (project / "experiments" / "own.py").touch()

    loaded = load_experiment(written(SMALL.replace("twitter_day", "own.py")))

    assert loaded.profile_path == (project / "experiments" / "own.py").resolve()


def test_the_reference_target_loads() -> None:
    target = load_target(ROOT / "reference_system" / "target.yaml")

    assert "us-east-api-1" in target.services


def test_a_part_of_a_target_has_the_services_and_links_of_its_regions_and_those_of_none() -> None:
    whole = load_target(ROOT / "reference_system" / "target.yaml")

    part = load_target(ROOT / "reference_system" / "one_region.yaml")

    own = {name for name, service in whole.services.items() if service.region in ("us-east", None)}
    assert part.services.keys() == own < whole.services.keys()
    assert set(part.links) == {
        "edge->us-east.gateway",
        "us-east.api->us-east.redis",
        "us-east.api->us-east.postgres",
    }
    assert (part.regions, part.variables, part.part_of) == (("us-east",), {"REGIONS": "us-east"}, "target.yaml")
    assert (part.promises, part.defects, part.compose) == (whole.promises, whole.defects, whole.compose)


def test_a_part_without_a_promise_keeps_the_others() -> None:
    whole = load_target(ROOT / "reference_system" / "target.yaml")

    part = load_target(ROOT / "reference_system" / "unprotected.yaml")

    assert part.promises.shedding is None
    assert part.promises == msgspec.structs.replace(whole.promises, shedding=None)
    assert part.variables["SHEDDING_POLICY"] == "off"


@pytest.mark.parametrize(
    ("text", "sentence", "hint"),
    [
        (
            "name: x\npart_of: target.yaml\nregions: [us-east]\nwithout: [sheding]",
            ':4, $.without[0]: "sheding"',
            "shedding",
        ),
        ("name: x\npart_of: other.yaml\nregions: [us-east]", ':2, $.part_of: there is no file "other.yaml"', ""),
        ("name: x\npart_of: target.yaml\nregions:\n  - us-aest", ':4, $.regions[0]: "us-aest" is not a', "us-east"),
        ("name: x\npart_of: target.yaml\nregions: []", ":3, $.regions: a part has at least one region", "us-east"),
        ("name: x\npart_of: part.yaml\nregions: [us-east]", '"compose" is missing', ""),
        ("name: x\npart_of: target.yaml\nregions: [us-east]\nlinks: {}", ':4, $.links: "links" is not known', ""),
    ],
)
def test_what_is_wrong_in_a_part_is_told_with_its_line(project: Path, text: str, sentence: str, hint: str) -> None:
    path = project / "reference_system" / "part.yaml"
    path.write_text(text)

    with pytest.raises(ExperimentError) as caught:
        load_target(path)

    assert sentence in str(caught.value)
    assert hint in str(caught.value)


# --- what is wrong --------------------------------------------------------------------------------------------------

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
    ("check", "sentence"),
    [
        ("cohort: us-eats, rto: 5s, holds: 10s", '$.expect[0].cohort: "us-eats" is not a region of twitter-in-small.'),
        ("cohort: us-east, rto: 45s, holds: 10s", "$.expect[0].rto: 45s and then 10s of service"),
        ("cohort: us-east, rto: 21s", "21s and then 30s of service are more than disturbed and recovery (50s)"),
        ("cohort: us-east, rto: 5s, holds: 500ms", "$.expect[0].holds: 500ms is less than 1s"),
        ("cohort: us-east, rto: 5s, holds: 10s, rpo_writes: -1", "$.expect[0].rpo_writes: -1 is negative"),
        ("cohort: us-east, holds: 10s", '"rto" is missing'),
        ("cohort: us-east, rto: 5s, holds: 10s, operations: write", 'Did you mean "writes"?'),
    ],
)
def test_a_fail_over_that_could_not_be_judged_is_refused(
    written: Written, project: Path, check: str, sentence: str
) -> None:
    target = project / "reference_system" / "target.yaml"
    target.write_text(TARGET.replace("regions: [us-east]", "regions: [us-east, us-west]"))
    right = SMALL.replace("check: slo, p99: 150ms", "check: failover, cohort: us-east, rto: 5s, holds: 10s")
    wrong = SMALL.replace("check: slo, p99: 150ms", f"check: failover, {check}")

    assert load_experiment(written(right)).experiment.expect
    assert sentence in error_of(written(wrong))


def test_nobody_can_take_over_from_the_only_region(written: Written) -> None:
    check = SMALL.replace("check: slo, p99: 150ms", "check: failover, cohort: us-east, rto: 5s, holds: 10s")

    assert "us-east is the only region of twitter-in-small" in error_of(written(check))


def test_the_unmutated_small_experiment_is_right(written: Written) -> None:
    assert load_experiment(written(SMALL)).experiment.title == "A title"


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


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("fire: [api_latenzy]", '$.expect[0].fire[0]: "api_latenzy" is not an alert of'),
        ("fire: [api_latenzy]", 'Did you mean "api_latency"?'),
        ("may_fire: [cache_hit_ratio, cpus]", '$.expect[0].may_fire[1]: "cpus" is not an alert of'),
        ("fire: [api_latency], within: 1m", "60s is longer than disturbed and recovery (50s)"),
    ],
)
def test_alerts_that_could_not_be_judged_are_refused(written: Written, words: str, sentence: str) -> None:
    assert load_experiment(written(SMALL.replace("slo, p99: 150ms", "alerts"))).experiment.expect
    assert sentence in error_of(written(SMALL.replace("slo, p99: 150ms", f"alerts, {words}")))


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("layers: [redis, proces]", '$.expect[0].layers[1]: "proces" is not a cache of'),
        ("layers: [redis, proces]", 'Did you mean "process"?'),
        ("phase: base", '$.expect[0].phase: "base" is not a phase.'),
        ("phase: final_reads, layers: [redis]", "$.expect[0].phase: the phase final_reads has length 0s"),
        ("builds_per_key: {homes: 2}", '$.expect[0].builds_per_key.homes: "homes" is not a kind of content of'),
        ("builds_per_key: {home: 0.5}", "$.expect[0].builds_per_key.home: 0.5 is less than 1"),
        ("still_shown: {block: 0}", 'still_shown.block: 0 has no unit: write "0s"'),
    ],
)
def test_caching_that_could_not_be_judged_is_refused(written: Written, words: str, sentence: str) -> None:
    assert load_experiment(written(SMALL.replace("slo, p99: 150ms", "caching, layers: [redis]"))).experiment.expect
    assert sentence in error_of(written(SMALL.replace("slo, p99: 150ms", f"caching, {words}")))


def test_a_stampede_without_a_fault_is_refused(written: Written) -> None:
    calm = SMALL[: SMALL.index("faults:")] + SMALL[SMALL.index("expect:") :]

    said = error_of(written(calm.replace("slo, p99: 150ms", "caching, builds_per_key: {home: 2}")))

    assert "there is no fault that could empty a cache" in said


def test_caches_that_nothing_was_promised_of_are_not_judged(written: Written, project: Path) -> None:
    begin, end = TARGET.index("  caching:"), TARGET.index("  breakers:")
    (project / "reference_system" / "target.yaml").write_text(TARGET[:begin] + TARGET[end:])

    assert "promises nothing of its caches" in error_of(written(SMALL.replace("slo, p99: 150ms", "caching")))


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("at_most: SEV1", "$.expect[0].at_most: nothing is worse than SEV1, so it could not be seen to fail."),
        ("at_most: SEV3, late: 0s", "$.expect[0].late: 0s makes every answer late."),
    ],
)
def test_a_severity_that_could_not_be_judged_is_refused(written: Written, words: str, sentence: str) -> None:
    assert sentence in error_of(written(SMALL.replace("slo, p99: 150ms", f"severity, {words}")))


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("symptom: slov, cause: storage", '$.expect[0].symptom: "slov" is not a symptom of'),
        ("symptom: slow, cause: storages", '$.expect[0].cause: "storages" is not a cause of slow'),
        ("symptom: slow, cause: storages", 'Did you mean "storage"?'),
        ("may_show: [slov]", '$.expect[0].may_show[0]: "slov" is not a symptom of'),
        ("symptom: slow", "$.expect[0]: a symptom and its cause belong together"),
    ],
)
def test_a_diagnosis_that_could_not_be_judged_is_refused(written: Written, words: str, sentence: str) -> None:
    assert load_experiment(written(SMALL.replace("slo, p99: 150ms", "diagnosis"))).experiment.expect
    assert sentence in error_of(written(SMALL.replace("slo, p99: 150ms", f"diagnosis, {words}")))


def test_a_diagnosis_needs_a_runbook(written: Written, project: Path) -> None:
    bare = re.sub(r"(?s)runbook:.*(?=# The same)", "", TARGET)
    (project / "reference_system" / "target.yaml").write_text(bare)

    assert "has no runbook, so there is nothing to follow" in error_of(
        written(SMALL.replace("slo, p99: 150ms", "diagnosis"))
    )


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("dependencies: [redi]", '$.expect[0].dependencies[0]: "redi" is nothing that replicas of'),
        ("dependencies: [redi]", 'Did you mean "redis"?'),
        ("dependencies: [postgres]", '$.expect[0].dependencies[0]: no fault cuts "postgres" off'),
        ("leaked: -1", "$.expect[0].leaked: -1 is negative"),
        ("dependencies: [redis], closes_within: 1m", "60s is longer than disturbed and recovery (50s)"),
    ],
)
def test_breakers_that_could_not_be_judged_are_refused(written: Written, words: str, sentence: str) -> None:
    assert load_experiment(written(BROKEN.replace("slo, p99: 150ms", "breakers, dependencies: [redis]")))
    assert sentence in error_of(written(BROKEN.replace("slo, p99: 150ms", f"breakers, {words}")))


def test_a_slow_dependency_is_not_cut_off(written: Written) -> None:
    said = error_of(written(SMALL.replace("slo, p99: 150ms", "breakers, dependencies: [redis]")))

    assert 'no fault cuts "redis" off' in said


def test_breakers_need_a_promise(project: Path, written: Written) -> None:
    path = project / "reference_system" / "target.yaml"
    path.write_text("".join(line for line in path.read_text().splitlines(True) if "breakers" not in line))
    said = error_of(written(BROKEN.replace("slo, p99: 150ms", "breakers, dependencies: [redis]")))

    assert "promises no circuit breakers" in said


@pytest.mark.parametrize(
    ("promised", "sentence"),
    [
        ("{open_for: 0s, jitter: 50%}", "$.promises.breakers.open_for: 0s is not above 0s"),
        ("{open_for: 1s, jitter: 0%}", "Without jitter replicas that opened together probe together"),
        ("{open_for: 1s, jitter: 101%}", "$.promises.breakers.jitter: 101% is not above 0% and at most 100%"),
    ],
)
def test_a_promise_of_breakers_that_nobody_could_keep_is_refused(
    project: Path, written: Written, promised: str, sentence: str
) -> None:
    path = project / "reference_system" / "target.yaml"
    path.write_text(path.read_text().replace("{open_for: 500ms, jitter: 100%}", promised))

    assert sentence in error_of(written(SMALL))


def test_an_alert_without_a_reason_is_refused(written: Written) -> None:
    calm = SMALL[: SMALL.index("faults:")] + SMALL[SMALL.index("expect:") :]

    said = error_of(written(calm.replace("slo, p99: 150ms", "alerts, fire: [api_latency]")))

    assert "there is neither a fault nor a change of the load that an alert could tell of" in said


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("lost: -1", "$.expect[0].lost: -1 is below 0"),
        ("rpo: 2s", "$.expect[0].rpo: no fault destroys data, so nothing acknowledged may be gone"),
        ("converges_within: 6s", "$.expect[0].converges_within: 6s is longer than the phase final_reads (5s)"),
    ],
)
def test_consistency_that_could_not_be_judged_is_refused(written: Written, words: str, sentence: str) -> None:
    text = SMALL.replace("recovery: 20s}", "recovery: 20s, final_reads: 5s}")

    assert sentence in error_of(written(text.replace("slo, p99: 150ms", f"consistency, {words}")))


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("autoscaler: {min_replicas: 0}", "$.expect[0].autoscaler: min_replicas 0 is not between 1 and max_replicas"),
        ("autoscaler: {min_replicas: 501}", "min_replicas 501 is not between 1 and max_replicas 500"),
        ("autoscaler: {time_scale: 0}", "$.expect[0].autoscaler.time_scale: 0 is not above 0"),
        ("autoscaler: {replica_scale: 0}", "$.expect[0].autoscaler.replica_scale: 0 is not at least 1"),
        ("autoscaler: {replica_scale: 20}", "$.expect[0].autoscaler.min_replicas: 50 cannot be divided by"),
        ("autoscaler: {replica_scale: 25}", "scale_up.policies[1].value: 20 cannot be divided by replica_scale 25"),
        ("autoscaler: {sync_period: 0s}", "$.expect[0].autoscaler.sync_period: is 0s"),
        ("autoscaler: {metrics: []}, load_metric: null", "$.expect[0].autoscaler.metrics: is empty"),
        ("autoscaler: {scale_up: {stabilization: 2h, policies: []}}", "7200s is above 3600s"),
        ("autoscaler: {scale_up: {stabilization: 0s, policies: []}}", "scale_up.policies: is empty"),
        (
            "autoscaler: {scale_down: {stabilization: 0s, policies: [{type: pods, value: 0, period: 15s}]}}",
            "0 is not at",
        ),
        ("autoscaler: {scale_down: {stabilization: 0s, policies: [{type: pods, value: 1, period: 1h}]}}", "1800s"),
        ("load_metric: request_per_second", 'Did you mean "requests_per_second"?'),
        ("max_flaps: -1", "$.expect[0].max_flaps: -1 is negative"),
    ],
)
def test_an_autoscaler_that_kubernetes_would_refuse_is_refused(written: Written, words: str, sentence: str) -> None:
    assert load_experiment(written(SMALL.replace("slo, p99: 150ms", "scaling"))).experiment.expect
    assert sentence in error_of(written(SMALL.replace("slo, p99: 150ms", f"scaling, {words}")))


@pytest.mark.parametrize(
    ("metric", "sentence"),
    [
        ("{name: cpu, type: resource, target: 65.5}", "$.expect[0].autoscaler.metrics[0].target: 65.5 is not whole"),
        ("{name: cpu, type: pods, target: 0}", "metrics[0].target: 0 is not above 0"),
        ("{name: cpu, type: pods, target: 2, resolution: 5}", "2 is less than its resolution, 5"),
        ("{name: cpu, type: pod, target: 2}", 'Did you mean "pods"?'),
        ("{name: a, type: pods, target: 2}, {name: a, type: pods, target: 3}", 'metrics[1].name: "a" is there twice'),
    ],
)
def test_a_metric_that_nothing_can_be_scaled_by_is_refused(written: Written, metric: str, sentence: str) -> None:
    check = f"scaling, load_metric: null, autoscaler: {{metrics: [{metric}]}}"

    assert sentence in error_of(written(SMALL.replace("slo, p99: 150ms", check)))


def test_scaling_needs_a_controller_that_tells_of_it(project: Path, written: Written) -> None:
    target = project / "reference_system" / "target.yaml"
    target.write_text(TARGET.replace("role: controller", "role: worker"))

    assert "has no controller with metrics" in error_of(written(SMALL.replace("slo, p99: 150ms", "scaling")))


def test_staleness_needs_a_second_region(project: Path, written: Written) -> None:
    (project / "reference_system" / "part.yaml").write_text("name: part\npart_of: target.yaml\nregions: [us-east]")
    text = SMALL.replace("recovery: 20s}", "recovery: 20s, final_reads: 5s}").replace("target.yaml", "part.yaml")

    message = error_of(written(text.replace("slo, p99: 150ms", "consistency, staleness_p99: 1s")))

    assert "$.expect[0].staleness_p99: part has one region only" in message


def test_faults_on_one_service_may_not_overlap(written: Written) -> None:
    faults = """\
faults:
  - {kind: kill, service: us-east-redis, at: 0s, lasts: 10s}
  - {kind: pause, service: us-east-api-1, at: 0s, lasts: 10s}
  - {kind: restart, service: us-east-redis, at: 9s}
expect:
"""
    message = error_of(written(re.sub(r"(?s)faults:.*expect:\n", faults, SMALL)))

    assert "wrong.yaml:9, $.faults[2]: overlaps with $.faults[0]" in message
    assert "$.faults[1]" not in message


@pytest.mark.parametrize(
    ("service", "sentence"),
    [("us-east-reddis", 'Did you mean "us-east-redis"?'), ("us-east-toxiproxy", "may not be attacked")],
)
def test_a_fault_needs_a_service_that_may_be_attacked(written: Written, service: str, sentence: str) -> None:
    fault = f"faults: [{{kind: kill, service: {service}, at: 0s, lasts: 10s}}]\nexpect:\n"

    assert sentence in error_of(written(re.sub(r"(?s)faults:.*expect:\n", fault, SMALL)))


def test_all_cross_checked_mistakes_are_told_at_once(written: Written) -> None:
    message = error_of(
        written(SMALL.replace("40/s", "0/s").replace("10s", "40s").replace("slo, p99", "slo, phase: x, p99"))
    )

    places = [re.search(r":(\d+),", line) for line in message.splitlines() if "wrong.yaml" in line]
    assert [place and place[1] for place in places] == ["4", "11", "13"]


# what is replaced in the target, by what, sentence
TARGET_MISTAKES = [
    ("port: 20080", 'port: "20080"', '$.services.edge.port: "20080" is not a whole number'),
    ("port: 21080", "port: 20080", '$.services["us-east-gateway"].port: port 20080 is taken by edge'),
    ("port: 21080", "port: 99999", "99999 is not a port"),
    ("entry: edge", "entry: egde", 'Did you mean "edge"?'),
    ("probe: redis", "probe: reddis", '.probe: "reddis" is not one of the known words.\nDid you mean "redis"?'),
    ("upstream: us-east-redis", "upstream: us-east-rediss", 'Did you mean "us-east-redis"?'),
    ("value: 3", "value: 5", "levels are written in order"),
    ("evaluation_period: 1s", "evaluation_period: 1", '1 has no unit: write "1s"'),
    ('"2": 10%', '"2": ten', '$.promises.shedding.curve["1.5"]["2"]: "ten" is not a ratio'),
    ("of: seconds", "of: second", '$.runbook.signals.mean.of: "second" is not a signal of the kind gauge or rate'),
    ("by: calls", "by: mean", '$.runbook.signals.mean.by: "mean" is not a signal of the kind gauge or rate'),
    ("role: api}", "role: apis}", 'no service has the role "apis".\nDid you mean "api"?'),
    ("signal: latency", "signal: latencie", '$.runbook.symptoms.slow.signal: "latencie" is not one of the signals'),
    ("signal: mean, above: 0.05, rises_to: 2", "signal: mean", "steps.storage_time: has no bound"),
    ("first: storage_time", "first: start", '$.runbook.symptoms.slow.first: "start" is neither a step nor a cause'),
    ("otherwise: rush}", "otherwise: rash}", 'steps.storage_time.otherwise: "rash" is neither a step nor a cause'),
    ("otherwise: elsewhere}", "otherwise: storage_time}", "leads back to itself: storage_time → rush → storage_time"),
    ("then: rush_hour", "then: elsewhere", "causes.rush_hour: no step leads to it"),
    ("otherwise: rush}", "otherwise: elsewhere}", "steps.rush: no step leads to it"),
    ("        rush_hour: {sen", "        rush: {sen", 'steps.rush: "rush" is a cause, too'),
]


@pytest.mark.parametrize(("old", "new", "sentence"), TARGET_MISTAKES)
def test_a_mistake_in_the_target_is_told_with_its_own_file_and_line(
    written: Written, project: Path, old: str, new: str, sentence: str
) -> None:
    assert old in TARGET
    (project / "reference_system" / "target.yaml").write_text(TARGET.replace(old, new, 1))

    message = error_of(written(SMALL))

    assert re.search(r"target\.yaml:\d+, \$", message)
    assert sentence in message


# --- a fault by hand ------------------------------------------------------------------------------------------------


def test_a_fault_by_hand_begins_at_once_and_lasts_as_long_as_asked() -> None:
    target = load_target(FILES / "target.yaml")

    paused = load_fault("{kind: pause, service: us-east-api-1}", lasts=Seconds(2.0), target=target)
    restarted = load_fault("{kind: restart, service: us-east-api-1}", lasts=Seconds(2.0), target=target)

    assert paused == PauseFault(service="us-east-api-1", at=Seconds(0.0), lasts=Seconds(2.0))
    assert restarted == RestartFault(service="us-east-api-1", at=Seconds(0.0))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("pause", "a mapping is needed"),
        ("", "nothing but comments"),
        (
            "{kind: pausee, service: us-east-api-1}",
            'inject:1, $.fault.kind: "pausee" is not a fault.\nDid you mean "pause"',
        ),
        ("{kind: pause, service: us-east-api}", 'Did you mean "us-east-api-2"?'),
        ("{kind: pause, servic: us-east-api-1}", '"servic" is not known here'),
        ("{kind: pause, service: us-east-api-1, lasts: 5s}", "Use --lasts"),
        ("{kind: pause, service: [x]}", "a list is not text"),
        ("{kind: [pause]}", "a list is not text"),
        ("{kind: pause", "this is not YAML"),
    ],
)
def test_a_wrong_fault_by_hand_is_told(text: str, sentence: str) -> None:
    target = load_target(FILES / "target.yaml")

    with pytest.raises(ExperimentError) as caught:
        load_fault(text, lasts=Seconds(2.0), target=target)

    assert sentence in str(caught.value)


# --- a thousand mutations -------------------------------------------------------------------------------------------


def _mutated(source: str, chance: random.Random) -> bytes:  # noqa: PLR0911, PLR0912 - a table of mutations
    """One of the ways in which a file goes wrong, by hand or by accident."""
    lines = source.splitlines(keepends=True)
    words = list(re.finditer(r"[A-Za-z_]+", source))
    values = list(re.finditer(r"\b\d+(\.\d+)?(ms|min|s|/s|%|KB/s)", source))
    data = bytearray(source.encode())
    match chance.randrange(12):
        case 0:  # a word misspelt
            word = chance.choice(words)
            at = chance.randrange(word.start(), word.end())
            return (source[:at] + chance.choice("abcxyzABC_") + source[at + 1 :]).encode()
        case 1:  # another unit, or none
            value = chance.choice(values)
            unit = chance.choice(["", "s", "ms", "/s", "%", "KB/s", "days", "e400s", "/min", "h"])
            return (
                source[: value.start()] + re.sub(r"[a-zA-Z/%]+$", "", value.group()) + unit + source[value.end() :]
            ).encode()
        case 2:  # another type
            value = chance.choice(values)
            other = chance.choice(
                ["null", "[]", "{}", "true", "[1, {a: b}]", "1e308", "-1", ".inf", "'x'", "2026-11-22", "~"]
            )
            return (source[: value.start()] + other + source[value.end() :]).encode()
        case 3:  # a line lost
            del lines[chance.randrange(len(lines))]
            return "".join(lines).encode()
        case 4:  # a line twice, or in another place
            lines.insert(chance.randrange(len(lines)), chance.choice(lines))
            return "".join(lines).encode()
        case 5:  # other indentation
            number = chance.randrange(len(lines))
            lines[number] = chance.choice([" ", "  ", "\t", "- "]) + lines[number]
            return "".join(lines).encode()
        case 6:  # bytes changed
            for _ in range(chance.randrange(1, 8)):
                data[chance.randrange(len(data))] = chance.randrange(256)
            return bytes(data)
        case 7:  # the end lost
            return bytes(data[: chance.randrange(len(data))])
        case 8:  # a character of YAML's own
            at = chance.randrange(len(source))
            return (source[:at] + chance.choice("&*!|>%@`{}[]:,#?-\"'$~<=\\\u2028\ufeff") + source[at:]).encode()
        case 9:  # a piece many times over
            at = chance.randrange(len(source) - 20)
            return (source[:at] + source[at : at + 20] * chance.randrange(2, 2000) + source[at:]).encode()
        case 10:  # something else altogether
            return chance.choice(
                [b"", chance.randbytes(500), b"\0" * 100, b"[" * 3000, b"x" * (MAX_BYTES + 1), b"---\n" * 9]
            )
        case _:  # two words changed places
            first, second = sorted(chance.sample(words, 2), key=lambda word: word.start())
            return (
                source[: first.start()]
                + second.group()
                + source[first.end() : second.start()]
                + first.group()
                + source[second.end() :]
            ).encode()


@pytest.mark.slow
def test_a_thousand_mutations_end_in_a_sentence_or_are_still_valid(written: Written) -> None:
    sources = [EVERYTHING, *(path.read_text() for path in SHIPPED)]
    chance = random.Random(20261122)
    refused = 0

    for _ in range(1000):
        content = _mutated(chance.choice(sources), chance)
        path = written(content)
        try:
            load_experiment(path, short=chance.random() < 0.5)
        except ExperimentError as error:
            refused += 1
            message = str(error)
            assert message.startswith(str(path)) or "target" in message
            assert (
                re.match(r"[^\n]*\.yaml:\d+", message)
                or len(content) == 0
                or re.search(r"is empty|is larger|comments|not UTF-8", message)
            ), message
            assert len(message) < 3000, message

    assert refused > 600


# --- the schema for editors -----------------------------------------------------------------------------------------


def test_the_checked_in_schema_is_current() -> None:
    assert SCHEMA_FILE.read_text() == schema_text(), "run: python -m harness.loading.schema"


def test_the_schema_knows_each_kind_and_refuses_other_keys() -> None:
    schema = json_schema()

    definitions = schema["$defs"]
    assert definitions["LatencyFault"]["properties"]["kind"] == {"const": "latency"}
    assert all(each["additionalProperties"] is False for each in definitions.values())
    assert definitions["Load"]["properties"]["deadline"]["default"] == "8s"
    patterns = [each["pattern"] for each in definitions["Load"]["properties"]["rate"]["anyOf"]]
    assert any(re.search(pattern, "40/s") for pattern in patterns)
    assert any(re.search(pattern, "${rate}") for pattern in patterns)
    assert not any(re.search(pattern, "40") for pattern in patterns)
