"""A diagnosis names what the target's runbook has."""

import re
from pathlib import Path

import pytest

from harness.loader import load_experiment
from tests.harness.loading.an_experiment import SMALL, TARGET, Written, error_of


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
