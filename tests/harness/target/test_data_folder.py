"""What is removed of a target's data: one service's own, all of it or nothing, and never anything else."""

from pathlib import Path

import pytest

from harness.errors import TargetError
from harness.target import data_folder
from harness.target.data_folder import data_folder_of, has_data_of, lose_data_of, make_data_folder


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    make_data_folder(folder)
    for service in ("here-postgres", "there-postgres"):
        (folder / service / "data").mkdir(parents=True)
        (folder / service / "data" / "rows").write_text("everything")
    return folder


def test_one_services_data_are_lost_and_nobody_elses(data: Path) -> None:
    lose_data_of(data, "here-postgres")

    assert not has_data_of(data, "here-postgres")
    assert (data / "there-postgres" / "data" / "rows").read_text() == "everything"


def test_what_has_no_data_loses_none(data: Path) -> None:
    lose_data_of(data, "here-api")
    lose_data_of(data.with_name("nothing"), "here-api")

    assert sorted(path.name for path in data.iterdir()) == ["here-postgres", "there-postgres"]


@pytest.mark.parametrize("name", ["..", "../outside", "here-postgres/data"])
def test_nothing_but_a_services_own_folder_is_touched(data: Path, name: str) -> None:
    (data.parent / "outside").mkdir()

    with pytest.raises(TargetError, match="is not the folder of a service"):
        lose_data_of(data, name)
    assert has_data_of(data, "here-postgres/data/rows")
    assert (data.parent / "outside").is_dir()


def test_a_link_is_not_followed(data: Path) -> None:
    (data.parent / "outside").mkdir()
    (data / "web").symlink_to(data.parent / "outside")

    with pytest.raises(TargetError, match="is not the folder of a service"):
        lose_data_of(data, "web")
    assert (data.parent / "outside").is_dir()


@pytest.fixture
def memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place that has as much room as the file system of the tests."""
    place = tmp_path / "memory"
    place.mkdir()
    monkeypatch.setattr(data_folder, "_MEMORY", place)
    monkeypatch.setattr(data_folder, "_ROOM", 1)
    monkeypatch.delenv("TMPDIR", raising=False)
    return place


def test_it_is_in_memory(memory: Path, tmp_path: Path) -> None:
    assert data_folder_of(tmp_path).parent == memory


def test_it_is_in_the_temporary_files_where_memory_is_small(
    memory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_folder, "_ROOM", 2**62)

    assert data_folder_of(tmp_path).parent != memory


def test_it_is_in_the_temporary_files_where_there_is_no_such_memory(memory: Path, tmp_path: Path) -> None:
    memory.rmdir()

    assert data_folder_of(tmp_path).parent != memory


def test_it_is_where_somebody_wants_it(memory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))

    assert data_folder_of(tmp_path).parent != memory
