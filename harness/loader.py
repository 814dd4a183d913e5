"""Experiment and target files to types: every word checked, and every mistake told with file, line and nearest word."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.experiment import Experiment
from harness.target.target import TargetSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedExperiment:
    """A checked experiment and the files it names; `variables` are those in force, as text. Paths are absolute."""

    experiment: Experiment
    target: TargetSpec
    source: str
    variables: dict[str, str]
    path: Path
    target_path: Path
    profile_path: Path


def load_experiment(path: Path, *, short: bool = False, overrides: Mapping[str, str] = {}) -> LoadedExperiment:
    raise NotImplementedError


def load_target(path: Path) -> TargetSpec:
    raise NotImplementedError
