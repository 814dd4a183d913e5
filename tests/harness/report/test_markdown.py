import re

import pytest

from harness.report.markdown import report_markdown
from harness.verify.verdict import Outcome
from tests.harness.a_run import a_run
from tests.harness.report import some


def test_it_says_verdicts_accounting_and_where_the_rest_is() -> None:
    text = report_markdown(some.summary_of(some.a_full_run().built(), some.of_each_kind()), "report.html")

    assert text.startswith("## ❌ fail: A synthetic run\n")
    assert "| ❔ inconclusive | slo that is a inconclusive |" in text
    assert "| offered | ok | shed | disabled | failed | unknown | not sent |" in text
    assert "(4,711 samples would decide)" in text
    assert "[report.html](report.html)" in text
    assert "exit 1: the system under test broke an expectation" in text


def test_every_row_of_a_table_has_the_cells_of_its_head() -> None:
    text = report_markdown(some.summary_of(some.a_hostile_run(), some.hostile_verdicts()), "report.html")

    for table in re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", row)) for row in table.splitlines()}) == 1, table


def test_what_people_wrote_is_neither_markup_nor_a_mention() -> None:
    sentence = "@everyone <img src=x> [click](http://example.org) `code` **bold** | cell\nnext line"
    verdict = some.a_verdict(Outcome.FAIL, sentence=sentence)
    text = report_markdown(some.summary_of(a_run().built(), some.some_verdicts(verdict)), "report.html")

    row = next(line for line in text.splitlines() if "everyone" in line and line.startswith("|"))
    assert "@everyone" not in row
    assert "<img" not in row
    assert re.search(r"(?<!\\)\]\(", row) is None
    assert "http://" not in row
    assert "\\*\\*bold\\*\\* \\| cell next line" in row


def test_a_phase_adds_up_to_what_was_offered_and_its_percentiles_say_of_how_many() -> None:
    """Of 100 a second half fail and a tenth is answered too late: percentiles are over the half that was answered."""
    run = (
        a_run()
        .with_slowness(from_s=25, to_s=55, service_s=1.2, share=0.2)
        .with_errors(from_s=25, to_s=55, share=0.5)
        .built()
    )
    text = report_markdown(some.summary_of(run), "report.html")

    head, row = (next(line for line in text.splitlines() if line.startswith(start)) for start in ("| phase", "| dist"))
    names, cells = ([cell.strip() for cell in line.strip("|").split("|")] for line in (head, row))
    disturbed = {name: float(cell.replace(",", "")) for name, cell in zip(names[1:8], cells[1:8], strict=True)}
    ended = sum(disturbed[name] for name in ("good/s", "late/s", "shed/s", "off/s", "errors/s"))
    assert ended == pytest.approx(disturbed["offered/s"], abs=0.2)
    assert disturbed["late/s"] == pytest.approx(10, abs=3)
    assert disturbed["timed"] == pytest.approx(1500, abs=150)
    assert "Good: answered as asked within 1 s; late: after that;" in text


def test_an_empty_run_makes_a_report_too() -> None:
    text = report_markdown(some.summary_of(some.an_empty_run(), some.some_verdicts(valid=False)), "report.html")

    assert "The run died" in text
    assert "| 0 | 0 | 0 | 0 | 0 | 0 | 0 |" in text


def test_what_was_broken_is_told_in_sentences_and_only_a_few_of_them() -> None:
    scenes = [some.a_scene(f"Case {number}.", promised=number < 1) for number in range(7)]
    text = report_markdown(
        some.summary_of(a_run().built(), some.some_verdicts(some.inconsistent(*scenes))), "report.html"
    )

    assert "- **Somebody did not see what they had just written**: Case 0." in text
    assert "(not promised): Case 4." in text
    assert "Case 5." not in text
    assert "- and 2 more" in text
