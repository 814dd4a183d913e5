import math
from itertools import pairwise

import msgspec
import numpy as np
import pandas as pd
import pytest

from harness.errors import ExitCode
from harness.experiment.expectations.slo import SloCheck
from harness.record import rows
from harness.record.rows import Outcome as Ending
from harness.report import story
from harness.report.counts import percentiles
from harness.report.summary import Summary, accounting
from harness.units import Ratio, Seconds
from harness.verify.verdict import Outcome, Verdicts
from tests.harness.a_run import a_run
from tests.harness.report import some
from tests.harness.simulation import at


def test_every_offered_request_has_one_ending() -> None:
    run = some.a_full_run().built()
    summary = some.summary_of(run)

    endings = {ending: many for ending, many, _ in accounting(summary.whole)}
    assert sum(endings.values()) == summary.whole.offered == len(run.requests)
    assert endings[Ending.SHED] > 0
    assert endings[Ending.FAILED] > 0
    assert summary.adds_up


@pytest.mark.parametrize("table", ["phases", "priorities", "operations"])
def test_each_table_holds_every_request_once(table: str) -> None:
    summary = some.summary_of(some.a_full_run().built())

    assert sum(part.offered for part in getattr(summary, table)) == summary.whole.offered
    assert sum(part.good for part in getattr(summary, table)) == summary.whole.good


def test_what_was_answered_too_late_is_neither_good_nor_an_error() -> None:
    summary = some.summary_of(some.a_full_run().with_slowness(from_s=50, to_s=55, service_s=0.7).built())

    whole = summary.whole
    assert (summary.good_within_s, whole.late > 0) == (0.5, True)
    assert whole.good + whole.late + whole.shed + whole.disabled + whole.errors == whole.offered


def test_rates_of_a_phase_count_over_its_length() -> None:
    summary = some.summary_of(a_run().with_rate(100).built())

    baseline = next(part for part in summary.phases if part.name == "baseline")
    assert baseline.per_s(baseline.offered) == pytest.approx(100, rel=0.01)


@pytest.mark.parametrize(
    ("samples", "p50", "p95", "p99", "p999"),
    [
        (0, False, False, False, False),
        (4, False, False, False, False),
        (5, True, False, False, False),
        (58, True, False, False, False),
        (59, True, True, False, False),
        (298, True, True, False, False),
        (299, True, True, True, False),
        (2994, True, True, True, False),
        (2995, True, True, True, True),
    ],
)
def test_a_percentile_is_absent_without_the_samples_to_bound_it(
    samples: int, p50: bool, p95: bool, p99: bool, p999: bool
) -> None:
    found = percentiles(np.arange(samples, dtype=np.float64))

    shown = [value is not None for value in (found.p50_s, found.p95_s, found.p99_s, found.p999_s)]
    assert shown == [p50, p95, p99, p999]


def test_percentiles_are_recorded_values() -> None:
    found = percentiles(np.arange(1, 1001, dtype=np.float64)[::-1])

    assert (found.p50_s, found.p95_s, found.p99_s) == (500, 950, 990)


def test_a_system_that_answers_nobody_is_not_fast() -> None:
    run = a_run().with_errors(from_s=0, to_s=80, share=0.6, error="deadline", outcome="unknown").built()

    assert some.summary_of(run).whole.latency.p50_s == math.inf


def test_good_is_what_the_strictest_objective_says() -> None:
    slow = a_run().with_slowness(from_s=0, to_s=80, service_s=0.5)
    strict = slow.expecting(SloCheck(goodput_ratio=Ratio(0.9), within=Seconds(0.4)))

    assert some.summary_of(slow.built()).whole.good > 0
    assert some.summary_of(strict.built()).whole.good == 0


@pytest.mark.parametrize(
    ("verdicts", "code"),
    [
        (some.some_verdicts(some.a_verdict()), ExitCode.PASS),
        (some.some_verdicts(some.a_verdict(Outcome.FAIL)), ExitCode.FAIL),
        (some.some_verdicts(some.a_verdict(Outcome.INCONCLUSIVE)), ExitCode.INCONCLUSIVE),
        (some.some_verdicts(valid=False), ExitCode.INCONCLUSIVE),
        (some.some_verdicts(some.a_verdict(Outcome.FAIL), stopped=True), ExitCode.STOPPED),
        (some.some_verdicts(some.a_verdict(), stopped=True, clean=False), ExitCode.UNCLEAN),
    ],
)
def test_the_exit_code_is_the_gravest_that_the_record_comes_to(verdicts: Verdicts, code: ExitCode) -> None:
    assert some.summary_of(a_run().built(), verdicts).exit_code is code


def test_a_run_that_an_error_ended_is_broken_not_merely_stopped() -> None:
    verdicts = some.some_verdicts(stopped=True)

    assert some.summary_of(some.a_stopped_run("error"), verdicts).exit_code is ExitCode.BROKEN
    assert some.summary_of(some.a_stopped_run("operator"), verdicts).exit_code is ExitCode.STOPPED


def test_the_top_says_what_broke_and_why_one_may_believe_it() -> None:
    summary = some.summary_of(some.a_full_run().built(), some.of_each_kind())

    assert summary.headline == "1 of 3 expectations broke: slo that is a fail. The sentence of a fail."
    assert summary.trust.startswith("Why trust it: the record is sealed")
    assert "1 of 1 fault shown to bite" in summary.trust
    assert [verdict.outcome for verdict in summary.verdicts][:2] == [Outcome.FAIL, Outcome.INCONCLUSIVE]


def test_how_late_the_generator_was_is_that_of_its_worst_second() -> None:
    first = rows.ShardHealth(
        at_ns=at(10), shard=0, scheduled=100, sent=100, in_flight=2, lag_s_p99=0.002, cpu_ratio=0.2, open_files=9
    )
    health = (first, msgspec.structs.replace(first, at_ns=at(11), lag_s_p99=0.026))
    run = a_run().altering_events(lambda events: [*events, *health]).built()
    said = "even in its worst second the generator sent 99 % of its requests at most 26 ms late"

    assert said in some.summary_of(run, some.of_each_kind()).trust


@pytest.mark.parametrize(
    ("verdicts", "why"),
    [
        (some.some_verdicts(some.a_verdict(), valid=False), "The generator was late."),
        (some.some_verdicts(some.a_verdict(), clean=False), "a fault could not be shown to be reverted."),
    ],
)
def test_an_invalid_or_unclean_run_is_not_to_be_relied_on(verdicts: Verdicts, why: str) -> None:
    summary = some.summary_of(a_run().built(), verdicts)

    assert not summary.trusted
    assert summary.trust == f"Do not rely on it: {why}"


@pytest.mark.parametrize(
    ("verdicts", "words"),
    [
        (some.some_verdicts(some.a_verdict(), some.a_verdict()), "All 2 expectations held."),
        (some.some_verdicts(some.a_verdict()), "The one expectation held."),
        (some.some_verdicts(some.a_verdict(Outcome.INCONCLUSIVE)), "Nothing was seen to break, but 1 of 1 expectation"),
        (some.some_verdicts(some.a_verdict(), valid=False), "The run does not count, so nothing is decided."),
        (some.some_verdicts(), "Nothing was judged."),
    ],
)
def test_a_run_that_broke_nothing_is_praised_only_as_far_as_it_was_judged(verdicts: Verdicts, words: str) -> None:
    assert some.summary_of(a_run().built(), verdicts).headline.startswith(words)


def test_a_long_sentence_is_cut_at_the_top_and_whole_with_its_verdict() -> None:
    sentence = "word " * 200
    summary = some.summary_of(a_run().built(), some.some_verdicts(some.a_verdict(Outcome.FAIL, sentence=sentence)))

    assert len(summary.headline) < 320
    assert summary.headline.endswith("word …")
    assert summary.verdicts[0].sentence == sentence


def test_a_run_that_died_says_how_far_it_got() -> None:
    summary = some.summary_of(some.a_dead_run(at_s=33.0), some.some_verdicts(valid=False))

    assert summary.headline.startswith("The run died: its record ends at 33.0 s of 80.0 s.")
    assert not summary.trusted
    disturbed = next(part for part in summary.phases if part.name == "disturbed")
    assert disturbed.seconds == pytest.approx(8.0, abs=0.1)
    assert disturbed.per_s(disturbed.offered) == pytest.approx(100, rel=0.05)


def test_a_stopped_run_says_who_stopped_it_and_why() -> None:
    summary = some.summary_of(some.a_stopped_run(at_s=40.0), some.some_verdicts(valid=False, stopped=True))

    assert summary.headline.startswith("Stopped at 40.0 s by a stop condition: error_ratio was above 90% for 5 s.")


def test_an_unclean_run_names_the_fault_that_is_left() -> None:
    run = a_run().with_fault(at_s=30, reverted=False).built()
    summary = some.summary_of(run, some.some_verdicts(some.a_verdict(), clean=False))

    assert any("fault-1" in warning and "gameday revert" in warning for warning in summary.warnings)


def test_the_worst_figures_of_a_verdict_come_first() -> None:
    good, bad = some.a_verdict().figures[0], some.a_verdict(Outcome.FAIL).figures[0]
    verdict = msgspec.structs.replace(some.a_verdict(Outcome.FAIL), figures=(good, bad))

    assert some.summary_of(a_run().built(), some.some_verdicts(verdict)).verdicts[0].figures == (bad, good)


def test_what_is_left_open_comes_with_its_reason_and_price() -> None:
    summary = some.summary_of(a_run().built(), some.of_each_kind())

    (doubt,) = summary.doubts
    assert doubt.why == "the reason of the figure"
    assert doubt.needed_samples == 4711


def test_requested_and_confirmed_edges_of_a_fault_are_two_things() -> None:
    run = a_run().with_fault(at_s=30, lasts_s=10).with_fault(at_s=45, lasts_s=5, bites=False).built()
    bites, does_not = some.summary_of(run).faults

    assert (bites.inject.requested_s, bites.revert.requested_s) == (30, 40)
    assert bites.inject.done_s == pytest.approx(30.1)
    assert (bites.inject.confirmed, does_not.inject.confirmed) == (True, False)
    assert (bites.dose, bites.wanted_dose) == (0.3, 0.3)
    assert does_not.dose == 0.0


def test_a_fault_that_was_never_called_says_so() -> None:
    (fault,) = some.summary_of(some.an_empty_run()).faults

    assert (fault.inject.done_s, fault.inject.confirmed, fault.inject.detail) == (None, False, "never called")


def test_levels_follow_each_other_without_a_hole() -> None:
    (course,) = some.summary_of(some.a_full_run().built()).levels

    levels = course.stretches
    assert course.who == "us-east-controller"
    assert [stretch.name for stretch in levels] == ["NORMAL", "WARNING", "ADVISORY", "NORMAL"]
    assert levels[0].start_s == 0
    assert all(before.end_s == after.start_s for before, after in pairwise(levels))
    assert levels[-1].end_s == 80


def test_each_controller_has_levels_of_its_own() -> None:
    levels = some.summary_of(some.of_four_regions().built()).levels

    told = {course.who: [stretch.name for stretch in course.stretches] for course in levels}
    assert told == {
        "us-east-controller": ["NORMAL"],
        "us-west-controller": ["NORMAL"],
        "europe-controller": ["NORMAL", "SURVIVAL", "NORMAL"],
        "asia-controller": ["NORMAL"],
    }
    stayed = "NORMAL all the time: us-east-controller, us-west-controller, asia-controller"
    assert story.never_changed(levels) == (stayed,)


def test_without_a_controller_the_levels_are_those_of_the_answers() -> None:
    run = a_run().altering_metrics(lambda frame: frame[frame["service"] != "us-east-controller"]).built()

    assert [course.who for course in some.summary_of(run).levels] == ["the answers"]


def test_alerts_are_told_by_metric_and_by_log() -> None:
    words = [alert.words for alert in some.summary_of(some.a_full_run().built()).alerts]

    assert any("firing, says us-east-controller" in text for text in words)
    assert any(text.startswith("alert fired") for text in words)
    assert any(text.startswith("alert resolved") for text in words)


def test_an_empty_run_has_no_numbers_and_no_trust() -> None:
    summary = some.summary_of(some.an_empty_run(), some.some_verdicts(valid=False))

    assert summary.whole.offered == 0
    assert summary.whole.latency.p50_s is None
    assert summary.headline.startswith("The run died")
    assert summary.warnings[0] == "The requests are missing."


def test_errors_are_counted_by_class_most_frequent_first() -> None:
    run = (
        a_run()
        .with_errors(from_s=30, to_s=40, share=0.5)
        .with_errors(from_s=50, to_s=52, share=0.5, error="deadline", outcome="unknown")
        .built()
    )
    errors = some.summary_of(run).errors

    assert [name for name, _ in errors] == ["status_5xx", "deadline"]
    assert sum(many for _, many in errors) == some.summary_of(run).whole.errors


def test_unsent_requests_are_offered_and_errors() -> None:
    def unsent(frame: pd.DataFrame) -> pd.DataFrame:
        changed = frame.copy()
        first = changed.index[:100]
        changed.loc[first, "outcome"] = "not_sent"
        changed.loc[first, "error"] = "client_limit"
        changed.loc[first, "sent_ns"] = -1
        changed.loc[first, "sent_s"] = np.nan
        return changed

    summary: Summary = some.summary_of(a_run().altering_requests(unsent).built())

    assert summary.whole.outcomes[Ending.NOT_SENT] == summary.whole.errors == 100
    assert summary.adds_up


def test_scrapes_that_were_missed_one_after_the_other_are_told_once() -> None:
    def missed(events: list[rows.Event]) -> list[rows.Event]:
        moments = [("api-1", 30.0), ("api-2", 30.2), ("api-1", 30.5), ("api-1", 31.0), ("api-1", 50.0)]
        return [
            *events,
            *(rows.ScrapeMissed(at_ns=at(at_s), service=service, why="no answer") for service, at_s in moments),
        ]

    summary = some.summary_of(a_run().altering_events(missed).built())

    holes = [each for each in summary.services if each.lane == "scrapes missed"]
    assert [(round(hole.start_s, 3), round(hole.end_s, 3), hole.words) for hole in holes] == [
        (30.0, 31.0, "no sample of api-1, 3 times in a row: no answer"),
        (30.2, 30.2, "no sample of api-2: no answer"),
        (50.0, 50.0, "no sample of api-1: no answer"),
    ]
