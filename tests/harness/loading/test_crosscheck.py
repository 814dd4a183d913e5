"""Faults have to fit the target and each other, and all that does not fit is told at once."""

import re

import pytest

from tests.harness.loading.an_experiment import SMALL, Written, error_of


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


def test_what_is_planted_has_to_be_a_defect_of_the_target(written: Written) -> None:
    planted = SMALL.replace("target.yaml\n", "target.yaml\nplanted: flag_says_of\n", 1)
    message = error_of(written(planted))

    assert 'wrong.yaml:4, $.planted: "flag_says_of" is not a defect of twitter-in-small.' in message
