"""Expectations that could not be judged are refused before anything runs."""

from pathlib import Path

import pytest

from harness.loader import load_experiment
from tests.harness.loading.an_experiment import SMALL, TARGET, Written, error_of


@pytest.mark.parametrize(
    ("check", "sentence"),
    [
        ("cohort: us-eats, rto: 5s, holds: 10s", '$.expect[0].cohort: "us-eats" is not a region of twitter-in-small.'),
        (
            "cohort: us-east, rto: 5s, holds: 10s, taken_over_by: us-wets",
            '$.expect[0].taken_over_by: "us-wets" is not a region of twitter-in-small.',
        ),
        (
            "cohort: us-east, rto: 5s, holds: 10s, taken_over_by: us-east",
            "$.expect[0].taken_over_by: us-east is the region that is lost",
        ),
        (
            "cohort: us-east, rto: 5s, holds: 10s, taken_over_by: us-west, operations: writes",
            "$.expect[0].taken_over_by: is about what users read",
        ),
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


@pytest.mark.parametrize(
    ("check", "sentence"),
    [
        ("phase: baselin", '$.expect[0].phase: "baselin" is not a phase.\nDid you mean "baseline"?'),
        ("phase: final_reads", "$.expect[0].phase: the phase final_reads has length 0s"),
        ("moves_at_most: -1", "$.expect[0].moves_at_most: -1 is negative"),
        ("reads_elsewhere: 100%", "$.expect[0].reads_elsewhere: 100% is everything, so it could not be seen to fail"),
    ],
)
def test_routing_that_could_not_be_judged_is_refused(
    written: Written, project: Path, check: str, sentence: str
) -> None:
    target = project / "reference_system" / "target.yaml"
    of_one = SMALL.replace("check: slo, p99: 150ms", "check: routing")
    assert "twitter-in-small has one region only, so nobody can be moved" in error_of(written(of_one))
    target.write_text(TARGET.replace("regions: [us-east]", "regions: [us-east, us-west]"))

    assert load_experiment(written(of_one)).experiment.expect
    assert sentence in error_of(written(SMALL.replace("check: slo, p99: 150ms", f"check: routing, {check}")))


def test_nobody_can_take_over_from_the_only_region(written: Written) -> None:
    check = SMALL.replace("check: slo, p99: 150ms", "check: failover, cohort: us-east, rto: 5s, holds: 10s")

    assert "us-east is the only region of twitter-in-small" in error_of(written(check))


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
        ("builds_at_once: {homes: 2}", '$.expect[0].builds_at_once.homes: "homes" is not a kind of content of'),
        ("builds_at_once: {home: 0}", "$.expect[0].builds_at_once.home: 0 is less than 1"),
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


def test_builds_at_once_of_a_target_that_does_not_tell_who_made_something_are_refused(
    written: Written, project: Path
) -> None:
    at_once = written(SMALL.replace("slo, p99: 150ms", "caching, builds_at_once: {home: 2}"))
    assert "do not tell who made something from who was given it" in error_of(at_once)

    telling = TARGET.replace("  caching:\n", "  caching:\n    joined: [joined]\n")
    (project / "reference_system" / "target.yaml").write_text(telling)

    assert load_experiment(at_once).experiment.expect


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
        ("lost: -1", "$.expect[0].lost: -1 is below 0"),
        ("rpo: 2s", "$.expect[0].rpo: no fault destroys data, so nothing acknowledged may be gone"),
        ("converges_within: 6s", "$.expect[0].converges_within: 6s is longer than the phase final_reads (5s)"),
    ],
)
def test_consistency_that_could_not_be_judged_is_refused(written: Written, words: str, sentence: str) -> None:
    text = SMALL.replace("recovery: 20s}", "recovery: 20s, final_reads: 5s}")

    assert sentence in error_of(written(text.replace("slo, p99: 150ms", f"consistency, {words}")))


def test_staleness_needs_a_second_region(project: Path, written: Written) -> None:
    (project / "reference_system" / "part.yaml").write_text("name: part\npart_of: target.yaml\nregions: [us-east]")
    text = SMALL.replace("recovery: 20s}", "recovery: 20s, final_reads: 5s}").replace("target.yaml", "part.yaml")

    message = error_of(written(text.replace("slo, p99: 150ms", "consistency, staleness_p99: 1s")))

    assert "$.expect[0].staleness_p99: part has one region only" in message
