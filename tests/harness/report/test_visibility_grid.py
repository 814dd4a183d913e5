"""The grid of how soon others see what was written; how it looks was tried in a browser by hand."""

import pytest

from harness.report.visibility_grid import AGE, CELL_HEIGHT, Grid, grid_of
from harness.verify.verdict import Visibility, VisibleShare
from tests.harness.report import some
from tests.harness.report.test_html import Page, drawn
from tests.harness.verify.consistency.a_recorded_history import recorded

REGIONS = ("us-east", "us-west", "europe")


def age(
    from_s: float, until_s: float | None, share: float, *, low: float, high: float, reads: int = 40
) -> VisibleShare:
    return VisibleShare(from_s=from_s, until_s=until_s, reads=reads, share=share, low=low, high=high)


FRESH = age(0.5, 1.0, 0.25, low=0.1, high=0.4)
OLD = age(1.0, 2.0, 1.0, low=0.9, high=1.0)
LATE = age(1.0, 2.0, 0.5, low=0.35, high=0.65)
FEW = age(1.0, 2.0, 0.5, low=0.01, high=0.99, reads=2)


def seen(writer: str, reader: str, *ages: VisibleShare, disturbed: bool = False) -> Visibility:
    return Visibility(writer=writer, reader=reader, disturbed=disturbed, ages=ages)


def grid(*found: Visibility) -> Grid:
    made = grid_of([some.a_verdict(), some.consistent(*found)], REGIONS)
    assert made is not None
    return made


@pytest.mark.parametrize("found", [(), (seen("us-east", "us-east", OLD),)])
def test_without_two_regions_there_is_no_grid(found: tuple[Visibility, ...]) -> None:
    assert grid_of([some.consistent(*found)], REGIONS) is None
    assert grid_of([], REGIONS) is None


def test_each_directed_pair_has_a_cell_of_those_regions_that_took_part() -> None:
    made = grid(seen("europe", "us-east", FRESH, OLD))

    assert [tick.words for tick in made.rows] == ["us-east", "europe"]
    assert [len(cell.marks) for cell in made.cells] == [0, 0, 1, 0]
    assert [cell.own for cell in made.cells] == [True, False, False, True]
    assert made.cells[0].whole.endswith("nobody looked")
    assert "500 ms to 1 s old: 25 % (10 % to 40 %, 40 reads)" in made.cells[2].whole


def test_a_share_stands_as_high_as_it_is_with_its_interval_and_a_vague_one_is_hollow() -> None:
    (_, cell, _, _) = grid(seen("us-east", "europe", FRESH, FEW)).cells
    (marks,) = cell.marks

    assert marks.points == f"M{cell.x + AGE / 2 - 3:.1f} {cell.y + 0.75 * CELL_HEIGHT:.1f}h0"
    assert marks.hollow == f"M{cell.x + AGE * 1.5 - 3:.1f} {cell.y + 0.5 * CELL_HEIGHT:.1f}h0"
    assert marks.bars.startswith(f"M{cell.x + AGE / 2 - 3:.1f} {cell.y + 0.9 * CELL_HEIGHT:.1f}V")


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ([seen("us-east", "europe", OLD)], "Whatever was 1 s old or older was seen by everybody who looked."),
        ([seen("us-east", "europe", FRESH, OLD)], "Whatever was 1 s old or older was seen by everybody who looked."),
        (
            [seen("us-east", "europe", FEW), seen("europe", "us-east", LATE, disturbed=True)],
            "Seen least: what was written in europe and looked for in us-east with a fault in effect in between: of "
            "what was 1 s to 2 s old, 50 % (35 % to 65 %, 40 reads) was seen.",
        ),
    ],
)
def test_the_sentence_names_where_something_was_most_surely_missing(found: list[Visibility], words: str) -> None:
    assert grid(*found).sentence == words


@pytest.mark.slow
def test_the_page_has_the_grid_only_where_somebody_looked() -> None:
    found = some.some_verdicts(some.consistent(seen("us-east", "europe", OLD, disturbed=True)))

    page = Page(drawn(recorded(), found))
    assert "How soon others see what was written" in page.text
    assert len(page.having("class", "ill")) == 2  # in the legend and in the grid
    assert "How soon others see what was written" not in Page(drawn(recorded())).text
