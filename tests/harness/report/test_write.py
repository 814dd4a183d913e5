from pathlib import Path

import msgspec
import pytest

from harness.report.json_file import verdicts_json
from harness.report.write import write_reports
from harness.verify.verdict import Verdicts
from tests.harness.a_run import a_run
from tests.harness.report import some

NAMES = {"verdicts.json", "report.html", "report.md", "junit.xml"}


def test_verdicts_read_back_as_they_were() -> None:
    verdicts = some.of_each_kind()

    assert msgspec.json.decode(verdicts_json(verdicts), type=Verdicts) == verdicts


@pytest.mark.slow
def test_all_reports_are_written_and_the_page_is_returned(tmp_path: Path) -> None:
    path = write_reports(some.in_folder(some.a_full_run().built(), tmp_path), some.of_each_kind())

    assert path == tmp_path / "report.html"
    assert {file.name for file in tmp_path.iterdir()} == NAMES


@pytest.mark.slow
def test_the_same_record_makes_the_same_bytes_and_replaces_what_was_there(tmp_path: Path) -> None:
    run = some.in_folder(some.a_full_run().built(), tmp_path)
    (tmp_path / "report.md").write_text("old")

    write_reports(run, some.of_each_kind())
    first = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    write_reports(run, some.of_each_kind())

    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == first
    assert first["report.md"] != b"old"


@pytest.mark.slow
def test_words_that_cannot_be_encoded_do_not_stop_a_report(tmp_path: Path) -> None:
    alert: dict[str, object] = {"at_s": 1.0, "event": "alert_fired", "alert": "half a pair: \ud800"}
    run = a_run().altering_controller_log(lambda lines: [*lines, alert]).built()

    path = write_reports(some.in_folder(run, tmp_path), some.of_each_kind())

    assert "half a pair: ?" in path.read_text(encoding="utf-8")
