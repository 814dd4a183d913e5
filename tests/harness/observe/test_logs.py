"""Only this run's lines are copied, whatever happened to the files."""

from pathlib import Path

from harness.observe.logs import collect, mark


def test_lines_before_the_mark_are_left_out(tmp_path: Path) -> None:
    log = tmp_path / "api.stdout"
    log.write_text("before\n")
    marks = mark({"api": log})
    with log.open("a") as file:
        file.write("during\n")

    troubles = collect(marks, tmp_path / "logs")

    assert troubles == []
    assert (tmp_path / "logs" / "api.log").read_text() == "during\n"


def test_a_file_that_came_later_is_copied_whole(tmp_path: Path) -> None:
    marks = mark({"api": tmp_path / "late"})
    (tmp_path / "late").write_text("all\n")

    assert collect(marks, tmp_path / "logs") == []
    assert (tmp_path / "logs" / "api.log").read_text() == "all\n"


def test_a_log_without_new_lines_is_an_empty_file(tmp_path: Path) -> None:
    (tmp_path / "quiet").write_text("before\n")

    assert collect(mark({"api": tmp_path / "quiet"}), tmp_path / "logs") == []
    assert (tmp_path / "logs" / "api.log").read_text() == ""


def test_no_services_are_no_files(tmp_path: Path) -> None:
    assert collect(mark({}), tmp_path / "logs") == []
    assert list((tmp_path / "logs").iterdir()) == []


def test_a_replaced_or_cut_log_is_copied_whole_and_told(tmp_path: Path) -> None:
    replaced, cut = tmp_path / "replaced", tmp_path / "cut"
    replaced.write_text("before\n")
    cut.write_text("before, and long\n")
    marks = mark({"replaced": replaced, "cut": cut})
    (tmp_path / "new").write_text("a new file, longer than the old one\n")
    (tmp_path / "new").replace(replaced)
    cut.write_text("short\n")

    troubles = collect(marks, tmp_path / "logs")

    assert (tmp_path / "logs" / "replaced.log").read_text() == "a new file, longer than the old one\n"
    assert (tmp_path / "logs" / "cut.log").read_text() == "short\n"
    assert ["was replaced" in troubles[0], "was cut" in troubles[1]] == [True, True]


def test_a_log_that_vanished_is_told_and_the_others_are_copied(tmp_path: Path) -> None:
    (tmp_path / "stays").write_text("")
    marks = mark({"gone": tmp_path / "gone", "stays": tmp_path / "stays"})
    (tmp_path / "stays").write_text("line\n")

    troubles = collect(marks, tmp_path / "logs")

    assert len(troubles) == 1
    assert "The log of gone" in troubles[0]
    assert (tmp_path / "logs" / "stays.log").read_text() == "line\n"
