"""How figures become a sentence."""

import pytest

from harness.verify import figures
from harness.verify.verdict import Figure


def broken(name: str) -> Figure:
    return figures.never(name, 1, 10)


@pytest.mark.parametrize(
    ("many", "end"),
    [
        (1, "(n = 10)."),
        (2, "So with 1 more: f1."),
        (5, "So with 4 more: f1, f2, f3, f4."),
        (7, "So with 6 more: f1, f2, f3, f4 and 2 others."),
    ],
)
def test_a_verdict_names_its_worst_figure_and_a_few_more(many: int, end: str) -> None:
    verdict = figures.verdict_of("slo", "slo", [broken(f"f{number}") for number in range(many)], passed="")

    assert verdict.sentence.startswith("f0: expected 0, measured 1 (n = 10).")
    assert verdict.sentence.endswith(end)
    assert len(verdict.figures) == many


def test_nothing_measured_is_said() -> None:
    assert figures.verdict_of("slo", "slo", [], passed="").sentence == "Nothing was measured."
