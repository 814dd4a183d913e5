"""What a draft has of the record, and what it leaves to people."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import msgspec

from harness.record.reader import Run
from harness.report.post_mortem import post_mortem
from harness.report.summary import summarise
from harness.verify.diagnosis.diagnose import diagnose
from harness.verify.diagnosis.signals import evidence_of
from harness.verify.verdict import Outcome, Verdicts
from tests.harness.a_run import a_run
from tests.harness.report import some
from tests.harness.simulation import UNIX_START_NS
from tests.harness.verify.a_failover import a_failover
from tests.harness.verify.diagnosis.some import a_watched_run


def drafted(run: Run, *outcomes: Outcome, sentence: str = "") -> str:
    found = tuple(some.a_verdict(outcome, sentence=sentence) for outcome in outcomes)
    verdicts = Verdicts(run_id="r", outcome=Outcome.PASS, stopped=False, clean=True, verdicts=found)
    runbook = run.plan.target.runbook
    findings = () if runbook is None else diagnose(evidence_of(run), run.plan.target)
    return post_mortem(run, summarise(run, verdicts), findings, runbook)


def of_a_slow_database(*without: str) -> str:
    return drafted(a_watched_run(*without, p99_ms=450.0, db_s=4.0).built(), Outcome.PASS)


def test_it_is_due_two_days_after_the_end_and_blames_nobody() -> None:
    text = drafted(a_run().built())

    assert "Blameless: it asks what made this possible, and never who did it." in text
    due = datetime.fromtimestamp(UNIX_START_NS / 1e9 + 80, UTC) + timedelta(days=2)
    assert f"Due by {due:%Y-%m-%d %H:%M} UTC, 48 hours after its end." in text
    assert text.count("_To be written._") == 3


def test_the_timeline_is_by_the_wall_clock_and_in_order() -> None:
    run = a_run().with_fault().with_inputs(from_s=31, to_s=39, latency_p99_ms=450.0).built()
    text = drafted(run)

    rows = re.findall(r"^\| (\d\d:\d\d:\d\d) \| ([\d.]+) s \| (.*) \|$", text, flags=re.MULTILINE)
    times_s = [float(at_s) for _, at_s, _ in rows]
    assert times_s == sorted(times_s)
    words = [what for _, _, what in rows]
    assert words[0] == "the load began"
    assert words[-1] == "the record ends"
    assert any(what.startswith("injected: fault-1 (latency on us-east.api-&gt;us-east.redis") for what in words)
    assert "reverted: fault-1" in words
    assert "level NORMAL became WARNING (us-east-controller)" in words


def test_a_level_that_one_region_entered_is_told_with_who_entered_it() -> None:
    text = drafted(some.of_four_regions().built())

    assert text.count("became") == 2
    assert re.search(r"\| 30\.\d s \| level NORMAL became SURVIVAL \(europe-controller\) \|", text)


def test_it_says_how_long_after_the_first_harm_an_alert_fired() -> None:
    harmed = a_run().with_counted_errors(from_s=30, to_s=40, share=0.5).built()
    silent = replace(harmed, metrics=harmed.metrics[harmed.metrics["metric"] != "alert_firing"], logs={})

    told = drafted(harmed).replace("\\", "")
    assert re.search(r"First harm at 30\S* s; the first alert after that, \w+, fired \S+ m?s later\.", told)
    assert re.search(r"First harm at 30\S* s; no alert fired after that\.", drafted(silent))
    assert "First harm" not in drafted(a_run().built())


def test_where_users_of_a_lost_region_were_sent_is_told() -> None:
    text = drafted(a_failover().built())

    assert "From here on 0 % of the users of us-east were sent to it, as us-east was taken for lost." in text
    assert "From here on 100 % of the users of us-east were sent to it." in text


def test_causes_are_those_of_the_runbook_and_else_left_open() -> None:
    assert "- Timelines are slow in us-east, 30.0–41.0 s: Redis is fine, the database is slow." in of_a_slow_database()
    undecided = of_a_slow_database("dependency_seconds_count")
    assert "the runbook leaves open which of these it was: " in undecided
    assert "| Add to the runbook what decides: timelines are slow | | |" in undecided
    assert "The runbook knows none of what was seen" in drafted(a_run().built())


def test_without_a_runbook_one_has_to_be_written() -> None:
    run = a_run().built()
    target = msgspec.structs.replace(run.plan.target, runbook=None)
    text = drafted(replace(run, plan=msgspec.structs.replace(run.plan, target=target)))

    assert "The target has no runbook that could be followed." in text
    assert "| Write a runbook | | |" in text


def test_each_broken_promise_is_something_to_do_without_owner_and_date() -> None:
    text = drafted(a_run().built(), Outcome.FAIL, Outcome.INCONCLUSIVE, Outcome.PASS)

    assert "- **broken: slo that is a fail** The sentence of a fail." in text
    assert "- not known: slo that is a inconclusive" in text
    assert "- kept: slo that is a pass" in text
    assert "| Keep what was promised: slo that is a fail | | |" in text
    assert "| Find out: slo that is a inconclusive | | |" in text
    assert "| Bring the runbook up to date | | |" in text


def test_what_people_wrote_is_no_markup() -> None:
    run = a_run().built()
    hostile = replace(run, plan=msgspec.structs.replace(run.plan, title=some.HOSTILE))

    text = drafted(hostile, Outcome.FAIL, sentence=some.HOSTILE)

    assert "<script>" not in text
    assert "<img" not in text


def test_a_run_without_anybody_has_a_draft_too() -> None:
    assert "## Action items" in drafted(some.an_empty_run())
