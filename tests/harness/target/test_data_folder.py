"""What is removed of a target's data: one service's own, all of it or nothing, and never anything else."""

from pathlib import Path

import pytest

from harness.errors import TargetError
from harness.target.data_folder import has_data_of, lose_data_of, make_data_folder


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
