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


@pytest.mark.parametrize(
    ("value", "most", "unit", "words"),
    [
        (1.002, 1.0, "s", "expected at most 1 s, measured 1.002 s"),
        (0.01004, 0.01, "ratio", "expected at most 1 %, measured 1.004 %"),
        (0.9999, 0.9995, "ratio", "expected at most 99.95 %, measured 99.99 %"),
        (0.9996, 0.9995, "ratio", "expected at most 99.95 %, measured 99.96 %"),
        (12345.6, 12345.0, "/s", "expected at most 12,345 /s, measured 12,346 /s"),
    ],
)
def test_what_broke_its_bound_by_little_is_said_to_have_broken_it(
    value: float, most: float, unit: str, words: str
) -> None:
    figure = figures.bounded("it", value, most, unit=unit, samples=10, reason="")

    assert figures.in_words(figure) == f"it: {words} (n = 10)."
