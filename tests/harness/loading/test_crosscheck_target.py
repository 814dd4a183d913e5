"""A target file that contradicts itself is refused, with its own file and line."""

import re
from pathlib import Path

import pytest

from tests.harness.loading.an_experiment import SMALL, TARGET, Written, error_of

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
    (
        "of: seconds",
        "of: second",
        '$.runbook.signals.mean.of: "second" is neither a gauge nor a rate, nor a quotient that is written above',
    ),
    (
        "by: calls",
        "by: mean",
        '$.runbook.signals.mean.by: "mean" is neither a gauge nor a rate, nor a quotient that is written above',
    ),
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


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        (
            "target_rate_per_replica: 100/s",
            "target_rate_per_replica: 0/s",
            "target_rate_per_replica: 0/s is not above 0/s",
        ),
        ("rate_window: 2s", "rate_window: 0s", "rate_window: 0s is not above 0s"),
    ],
)
def test_a_promise_of_shedding_that_cannot_be_computed_is_refused(
    project: Path, written: Written, old: str, new: str, sentence: str
) -> None:
    path = project / "reference_system" / "target.yaml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))

    assert f"$.promises.shedding.{sentence}" in error_of(written(SMALL))


@pytest.mark.parametrize(
    ("promised", "sentence"),
    [
        ("{hom: [redis]}", '$.promises.caching.kept_only_by.hom: "hom" is not a kind.'),
        ("{home: [reddis]}", '$.promises.caching.kept_only_by.home[0]: "reddis" is not a layer.'),
    ],
)
def test_who_may_keep_a_kind_is_said_with_known_words(
    project: Path, written: Written, promised: str, sentence: str
) -> None:
    path = project / "reference_system" / "target.yaml"
    assert "{home: [redis]}" in path.read_text()
    path.write_text(path.read_text().replace("{home: [redis]}", promised))

    assert sentence in error_of(written(SMALL))
