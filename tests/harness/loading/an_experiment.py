"""Experiment files to begin with: the smallest one, and one with everything that may be written."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from harness.errors import ExitCode, ExperimentError
from harness.loader import load_experiment

ROOT = Path(__file__).parents[3]
FILES = Path(__file__).parents[1] / "files"
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

Written = Callable[[str | bytes], Path]


def error_of(path: Path, *, overrides: Mapping[str, str] = {}) -> str:
    with pytest.raises(ExperimentError) as caught:
        load_experiment(path, overrides=overrides)
    assert caught.value.exit_code == ExitCode.USAGE
    return str(caught.value)
