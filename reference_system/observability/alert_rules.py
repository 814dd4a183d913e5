"""The alerts as a Prometheus rules file: `python -m reference_system.observability.alert_rules > alerts.yaml`.

Written out from the table that the controllers decide by (policies/alerting.py), on the inputs that they show, so both
fire alike, up to a scrape. Prometheus 2.42 or newer.
"""

import sys

import yaml

from reference_system.policies.alerting import RULES, Rule

EVERY = "1s"  # as often as the controllers decide
HEADER = """\
# Written by `python -m reference_system.observability.alert_rules`; its table is policies/alerting.py.
"""


def rules_file() -> str:
    groups = [
        {"name": dashboard, "interval": EVERY, "rules": [_rule(rule) for rule in RULES if rule.dashboard == dashboard]}
        for dashboard in dict.fromkeys(str(rule.dashboard) for rule in RULES)
    ]
    return HEADER + yaml.safe_dump({"groups": groups}, sort_keys=False, width=110)


def _rule(rule: Rule) -> dict[str, object]:
    return {
        "alert": rule.alert,
        "expr": f'alert_input{{input="{rule.input}"}} {rule.beyond} {rule.bound:.12g}',
        "for": f"{rule.for_s:g}s",
        "keep_firing_for": f"{rule.keep_firing_for_s:g}s",
        "labels": {"dashboard": str(rule.dashboard)},
        "annotations": {"summary": rule.means},
    }


if __name__ == "__main__":
    sys.stdout.write(rules_file())
