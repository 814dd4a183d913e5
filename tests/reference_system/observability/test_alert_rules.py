"""The rules file is the controllers' table, and Prometheus itself fires by it when they do."""

import math
import random
import subprocess
from pathlib import Path

import pytest
import yaml

from reference_system.observability import alert_rules
from reference_system.policies import alerting
from reference_system.policies.alerting import RULES, Beyond, Input, Rule, State
from tests.reference_system.observability.promtool import promtool

RULES_FILE = Path(alert_rules.__file__).with_name("alerts.yaml")
SECONDS = 90


def test_the_rules_file_is_written_from_the_table() -> None:
    assert RULES_FILE.read_text() == alert_rules.rules_file()


def test_prometheus_accepts_the_rules() -> None:
    done = subprocess.run([promtool(), "check", "rules", RULES_FILE], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(RULES)} rules found" in done.stdout


@pytest.mark.parametrize("seed", range(3))
def test_prometheus_fires_whenever_the_policy_does(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    values = {rule.input: _values(rule, chance) for rule in RULES}
    fired = _by_the_policy(values)

    done = _by_prometheus(values, fired, tmp_path)

    assert done.returncode == 0, done.stdout + done.stderr
    assert all(any(rule.alert in firing for firing in fired) for rule in RULES), (
        "an alert that never fires proves little"
    )


def test_prometheus_says_so_when_it_fires_otherwise(tmp_path: Path) -> None:
    """What the test above would show, were a rule and the policy apart by a second."""
    values = {rule.input: _values(rule, random.Random(0)) for rule in RULES}
    late = [frozenset(), *_by_the_policy(values)[:-1]]

    done = _by_prometheus(values, late, tmp_path)

    assert done.returncode != 0
    assert "exp:" in done.stdout + done.stderr


def _values(rule: Rule, chance: random.Random) -> list[float]:
    """One a second: within the bound and beyond it for some seconds each by turns, now and then at it or unknown."""
    beyond, within = (1.1, 0.9) if rule.beyond is Beyond.ABOVE else (0.9, 1.1)
    values: list[float] = []
    while len(values) < SECONDS:
        for factor in (within, beyond):
            values += [rule.bound * factor] * chance.choice([1, 2, 4, 5, 6, 7, 9])
        values += chance.choice([[], [rule.bound] * 3, [math.nan] * 2])
    return values[:SECONDS]


def _by_the_policy(values: dict[Input, list[float]]) -> list[frozenset[str]]:
    state, fired = State(), []
    for second in range(SECONDS):
        inputs = {name: of[second] for name, of in values.items()}
        state, firing = alerting.decide(state, inputs, float(second))
        fired.append(firing)
    return fired


def _by_prometheus(
    values: dict[Input, list[float]], fired: list[frozenset[str]], folder: Path
) -> subprocess.CompletedProcess[str]:
    """Prometheus' unit test of the rules: the values, and at every second the alerts that have to fire."""
    series = [
        {"series": f'alert_input{{input="{name}"}}', "values": " ".join(_written(value) for value in of)}
        for name, of in values.items()
    ]
    expected = [
        {"eval_time": f"{second}s", "alertname": rule.alert, "exp_alerts": [_expected(rule)] * (rule.alert in firing)}
        for second, firing in enumerate(fired)
        for rule in RULES
    ]
    test = {
        "rule_files": [str(RULES_FILE)],
        "evaluation_interval": "1s",
        "tests": [{"interval": "1s", "input_series": series, "alert_rule_test": expected}],
    }
    (folder / "test.yaml").write_text(yaml.safe_dump(test))
    command = [str(promtool()), "test", "rules", str(folder / "test.yaml")]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def _written(value: float) -> str:
    return "NaN" if math.isnan(value) else f"{value:.12g}"


def _expected(rule: Rule) -> dict[str, object]:
    labels = {"input": str(rule.input), "dashboard": str(rule.dashboard)}
    return {"exp_labels": labels, "exp_annotations": {"summary": rule.means}}
