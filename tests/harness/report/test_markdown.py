import re

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
