"""`gameday diagnose`: what it prints of a record, and of a target that is just being watched."""

from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from harness import gameday
from harness.commands import diagnosis
from harness.display.diagnosis import show_diagnosis
from harness.errors import ExitCode, ExperimentError, TargetError
from harness.judging import Diagnosed, diagnose_run, diagnose_samples
from harness.record.reader import Run
from harness.record.writer import Sample
from harness.verify.diagnosis.diagnose import diagnose
from harness.verify.diagnosis.signals import evidence_of
from tests.harness.simulation import the_target
from tests.harness.verify.diagnosis.some import a_watched_run

GOLDEN = Path(__file__).parents[1] / "golden" / "v1"


def _of(run: Run) -> Diagnosed:
    runbook = run.plan.target.runbook
    assert runbook is not None
    return Diagnosed(source="a run", runbook=runbook, findings=diagnose(evidence_of(run), run.plan.target))


def _shown(found: Diagnosed) -> str:
    console = Console(record=True, width=200, quiet=False)
    show_diagnosis(found, console)
    return console.export_text()


def test_a_cause_is_printed_with_its_questions_and_what_to_do() -> None:
    text = _shown(_of(a_watched_run(p99_ms=450.0, db_s=4.0).built()))

    assert "Timelines are slow in us-east, 30.0–41.0 s" in text
    assert "Is the database slow?" in text
    assert "database_latency above 50 ms" in text
    assert "database: Redis is fine, the database is slow.\n  - Look for long queries" in text
    assert "not shown: the fan-out queue backs up (us-east); the database's connections are exhausted" in text


def test_what_is_missing_is_printed_as_not_known() -> None:
    text = _shown(_of(a_watched_run("dependency_seconds_count", p99_ms=450.0).built()))

    assert "undecided, for want of database_latency, redis_latency. What is left:" in text
    assert "(if it comes to that)" in text
    assert "redis_slow: Redis answers, and takes its time." in text


def test_a_symptom_that_nobody_can_see_is_printed_as_not_known() -> None:
    assert "not known: the fan-out queue backs up (us-east)" in _shown(_of(a_watched_run("fanout_lag_seconds").built()))


def test_what_is_found_can_be_had_as_json() -> None:
    found = msgspec.json.decode(msgspec.json.encode(_of(a_watched_run(p99_ms=450.0).built()).findings))

    assert found[0]["symptom"] == "timeline_latency"
    assert found[0]["episodes"][0]["causes"] == ["elsewhere"]
    assert found[0]["episodes"][0]["steps"][0]["answer"] == "no"


def test_samples_just_scraped_lead_where_a_record_does() -> None:
    """All but what has to be compared with the usual."""
    metrics = a_watched_run(p99_ms=450.0, db_s=4.0).built().metrics
    ill = metrics[metrics["at_s"].between(29.0, 39.0)]
    columns = (ill["at_s"], ill["service"], ill["metric"], ill["labels"], ill["value"])
    samples = [
        Sample(round(at_s * 1e9), service, metric, labels, value)
        for at_s, service, metric, labels, value in zip(*columns, strict=True)
    ]

    found = diagnose_samples(samples, the_target(), for_s=10.0, usual=None)

    assert found.source == "twitter-in-one-region, watched for 10 s"
    (episode,) = found.findings[0].episodes
    assert "database" in episode.causes
    assert episode.not_known == ("redis_hit_ratio",)


def test_a_run_from_before_there_was_a_runbook_is_refused() -> None:
    with pytest.raises(ExperimentError, match="its target file has no runbook"):
        diagnose_run(GOLDEN)


def test_a_target_that_is_not_up_cannot_be_watched(tmp_path: Path) -> None:
    with pytest.raises(TargetError, match=r"is not up on 127\.0\.0\.99"):
        gameday.watch(the_target(), tmp_path / "it" / "target.yaml", "127.0.0.99", for_s=10.0)


@pytest.mark.parametrize(("words", "sentence"), [("10", "--for"), ("1s", "has to be watched for 5s at least")])
def test_a_time_that_shows_nothing_is_refused(words: str, sentence: str) -> None:
    target = Path(__file__).parents[2] / "reference_system" / "one_region.yaml"

    with pytest.raises(ExperimentError, match=sentence) as caught:
        diagnosis.diagnose_live(Console(), target, "127.0.0.99", watch=words, usual=None, as_json=False)
    assert caught.value.exit_code is ExitCode.USAGE
