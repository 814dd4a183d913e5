"""A project's folder, and a way to write an experiment file into it."""

from pathlib import Path

import pytest

from tests.harness.loading.an_experiment import TARGET, Written


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "experiments").mkdir()
    (tmp_path / "loadprofiles").mkdir()
    (tmp_path / "loadprofiles" / "twitter_day.py").touch()
    (tmp_path / "reference_system").mkdir()
    (tmp_path / "reference_system" / "target.yaml").write_text(TARGET)
    return tmp_path


@pytest.fixture
def written(project: Path) -> Written:
    """Writes an experiment file into the project, and says where."""

    def write(content: str | bytes) -> Path:
        path = project / "experiments" / "wrong.yaml"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return write
