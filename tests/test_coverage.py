"""The page of what is shown names nothing that does not exist, leaves out nothing that does, and is up to date."""

import msgspec
import pytest

from tests.coverage import FOUND_IN, PAGE, Row, Section, known_experiments, mistakes, page, read


def test_the_page_is_what_would_be_written_now() -> None:
    assert PAGE.read_text() == page(read()), "Run: python -m tests.coverage > docs/coverage.md"


def test_the_rows_name_what_exists_and_all_of_it() -> None:
    assert mistakes(read(), list(known_experiments()), list(FOUND_IN)) == []


ROW = Row(what="A promise", experiments=("steady_state",), defects=("no_banner",), tests=("tests/test_coverage.py",))


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        (ROW, ""),
        (msgspec.structs.replace(ROW, experiments=("steady",)), '"steady" is no experiment.'),
        (msgspec.structs.replace(ROW, defects=("no_baner",)), '"no_baner" is no planted defect.'),
        (msgspec.structs.replace(ROW, tests=("tests/gone.py",)), "tests/gone.py: there is no such file."),
        (msgspec.structs.replace(ROW, experiments=()), 'The experiment "steady_state" is in no row.'),
        (msgspec.structs.replace(ROW, defects=()), 'The planted defect "no_banner" is in no row.'),
    ],
)
def test_what_is_wrong_with_a_row_is_told(row: Row, sentence: str) -> None:
    found = mistakes([Section(section="S", rows=(row,))], ["steady_state"], ["no_banner"])

    assert sentence in found if sentence else found == []


def test_a_row_that_nothing_shows_says_so() -> None:
    written = page([Section(section="S", rows=(Row(what="A promise"), ROW))])

    assert "| A promise | **no experiment** | – |  |" in written
    assert "Of 2 rows 1 are shown by an experiment; of these 1 are proved by a defect." in written


def test_the_experiment_in_which_a_defect_is_found_need_not_be_named() -> None:
    written = page([Section(section="S", rows=(Row(what="A promise", defects=("no_banner",)),))])

    assert "| A promise | `slow_storage_climbs_the_ladder` | `no_banner` (degradation) |  |" in written
