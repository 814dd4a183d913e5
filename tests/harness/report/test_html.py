"""The page as text; how it looks and moves was tried in a browser by hand."""

import json
import re
from functools import cache
from html.parser import HTMLParser

import pytest
from plotly.offline import get_plotlyjs

from harness.record.reader import Run
from harness.report.charts import panels_of
from harness.report.html import report_html
from harness.report.palette import PALETTE
from harness.verify.verdict import Outcome, Verdicts
from tests.harness.a_run import a_run
from tests.harness.report import some

pytestmark = pytest.mark.slow  # drawing takes a third of a second


class Page(HTMLParser):
    """The elements of a page with their attributes, and the text outside scripts and styles."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.scripts: list[str] = []
        self._inside = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self._inside = tag
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "script":
            self.scripts[-1] += data
        elif self._inside != "style":
            self.text += data

    def having(self, name: str, value: str) -> list[dict[str, str | None]]:
        return [attributes for _, attributes in self.elements if value in (attributes.get(name) or "").split()]


def drawn(run: Run, verdicts: Verdicts | None = None) -> str:
    summary = some.summary_of(run, verdicts)
    return report_html(run, summary, panels_of(run, summary))


@cache
def full_html() -> str:
    return drawn(some.a_full_run().built(), some.of_each_kind())


@cache
def full() -> Page:
    return Page(full_html())


@cache
def hostile() -> Page:
    return Page(drawn(some.a_hostile_run(), some.hostile_verdicts()))


def test_nothing_is_fetched_from_anywhere() -> None:
    own = full_html().replace(get_plotlyjs(), "")

    assert re.findall(r"https?://|//cdn|@import|url\(", own) == []
    fetching = [(tag, a) for tag, a in full().elements if a.get("src") or (tag == "link" and a["href"] != "data:,")]
    assert fetching == []


def test_the_policy_of_the_page_forbids_requests_and_foreign_scripts() -> None:
    (policy,) = [a["content"] for tag, a in full().elements if tag == "meta" and "http-equiv" in a]

    assert policy is not None
    assert "default-src 'none'" in policy
    assert policy.count("'sha256-") == 2
    assert "unsafe" not in policy.partition("script-src")[2].partition(";")[0]


def test_both_themes_are_there_for_page_and_charts() -> None:
    html = full_html()

    assert "prefers-color-scheme: dark" in html
    assert '[data-theme="dark"]' in html
    assert full().having("id", "theme")
    colours = json.loads(full().scripts[0])["colours"]
    assert colours[PALETTE["good"].light] == PALETTE["good"].dark


def test_every_colour_in_the_charts_has_a_dark_one() -> None:
    data = json.loads(full().scripts[0])
    used = set(re.findall(r'"(#[0-9a-f]{6}|rgba\([^"]*\))"', json.dumps(data["figures"])))

    assert used - set(data["colours"]) <= {"rgba(0,0,0,0)"}


def test_the_top_says_what_happened_and_the_worst_verdict_comes_first() -> None:
    text = full().text

    top, _, rest = text.partition("Skip to the verdicts")[2].partition("Verdicts")
    above = ["exit 1: the system under test broke an expectation", "1 of 3 expectations broke:", "Why trust it:"]
    below = ["slo that is a fail", "slo that is a inconclusive", "validity of the run", "Timeline"]
    assert [top.index(words) for words in above] == sorted(top.index(words) for words in above)
    assert [rest.index(words) for words in below] == sorted(rest.index(words) for words in below)


def test_an_outcome_is_a_sign_and_a_word_not_only_a_colour() -> None:
    text = full().text

    assert all(words in text for words in ("✗ FAIL", "? INCONCLUSIVE", "✓ PASS"))


def test_a_figure_shows_value_interval_acceptance_and_what_would_decide() -> None:
    text = full().text

    for words in ("121 ms", "112 ms to 139 ms (95 % blocks of 1 s)", "at most 150 ms", "4,711 would decide"):
        assert words in text


def test_evidence_is_a_button_that_knows_its_moment() -> None:
    moments = [a for a in full().having("class", "moment") if a.get("data-until") == "40.0"]

    assert [a["data-at"] for a in moments] == ["30.0"] * 3
    assert all(tag == "button" for tag, a in full().elements if a.get("class") == "moment")


def test_the_timeline_has_its_panels_and_each_has_a_name() -> None:
    figures = json.loads(full().scripts[0])["figures"]

    assert list(figures) == ["rates", "latency", "levels", "shedding", "happenings"]
    for name in figures:
        assert full().having("aria-labelledby", f"{name}-title")
        assert full().having("id", f"panel-{name}")


def test_fault_edges_are_drawn_as_planned_and_as_confirmed() -> None:
    shapes = json.loads(full().scripts[0])["figures"]["rates"]["layout"]["shapes"]

    dotted = [shape["x0"] for shape in shapes if shape["line"].get("dash") == "dot"]
    bands = [(shape["x0"], shape["x1"]) for shape in shapes if shape["type"] == "rect"]
    assert dotted == [30.0, 40.0]
    assert bands == [(pytest.approx(30.1), pytest.approx(40.1))]


def test_a_fault_that_was_not_confirmed_gets_no_band() -> None:
    page = Page(drawn(a_run().with_fault(at_s=30, bites=False).built()))
    shapes = json.loads(page.scripts[0])["figures"]["rates"]["layout"]["shapes"]

    assert [shape for shape in shapes if shape["type"] == "rect"] == []
    assert "✗ not confirmed" in page.text


def test_hostile_words_are_shown_and_do_nothing() -> None:
    page = hostile()

    assert len(page.scripts) == 3  # data, Plotly, ours
    assert [tag for tag, _ in page.elements if tag == "img"] == []
    assert [name for _, attributes in page.elements for name in attributes if name.startswith("on")] == []
    assert page.text.count(some.HOSTILE) > 10
    assert str(7777 * 7777) not in page.text


def test_hostile_words_cannot_end_the_data_of_the_charts() -> None:
    data = json.loads(hostile().scripts[0])

    assert data["phases"][0]["name"].startswith(some.HOSTILE)


def test_hostile_words_are_no_markup_inside_the_charts() -> None:
    figures = json.loads(hostile().scripts[0])["figures"]

    spoken = [text for trace in figures["happenings"]["data"] for text in _texts(trace.get("hovertext"))]
    assert any("&lt;img" in text for text in spoken)
    assert not any("<" in text for text in spoken)


def _texts(hovertext: object) -> list[str]:
    return [str(text) for text in hovertext] if isinstance(hovertext, list) else [str(hovertext)] if hovertext else []


def test_phases_with_hostile_names_can_still_be_zoomed_to() -> None:
    assert len(hostile().having("data-zoom", "phase")) == 4


@pytest.mark.parametrize(
    ("run", "words"),
    [
        (some.an_empty_run(), "The run does not count"),
        (some.a_dead_run(), "The run died"),
        (some.a_stopped_run(), "Stopped at 40.0 s by a stop condition"),
        (a_run().built(), "The run does not count"),
        (a_run().with_phases(baseline=1.0).built(), "The run does not count"),
    ],
    ids=["empty", "dead", "stopped", "quiet", "one second"],
)
def test_any_state_of_a_run_can_be_drawn(run: Run, words: str) -> None:
    page = Page(drawn(run, some.some_verdicts(valid=False)))

    assert words in page.text
    assert "rates" in json.loads(page.scripts[0])["figures"]
    assert "Do not rely on it: The " in page.text


def test_a_run_without_verdicts_can_be_drawn() -> None:
    nothing = Verdicts(run_id="x", outcome=Outcome.INCONCLUSIVE, stopped=False, clean=True, verdicts=())

    assert "Nothing was judged." in Page(drawn(a_run().built(), nothing)).text


def test_an_unclean_run_says_so_at_the_top() -> None:
    run = a_run().with_fault(reverted=False).built()
    text = Page(drawn(run, some.some_verdicts(some.a_verdict(), clean=False))).text

    assert text.index("exit 6") < text.index("gameday revert") < text.index("Verdicts")


def test_the_end_of_a_broken_record_is_marked_in_the_timeline() -> None:
    page = Page(drawn(some.a_dead_run(at_s=33.0), some.some_verdicts(valid=False)))
    layout = json.loads(page.scripts[0])["figures"]["rates"]["layout"]

    assert layout["xaxis"]["range"] == [0, 80.0]
    (end,) = [shape for shape in layout["shapes"] if shape["line"].get("color") == PALETTE["ink"].light]
    assert end["x0"] == pytest.approx(33.0, abs=0.1)


def test_what_was_promised_observed_and_broken_is_a_table() -> None:
    page = Page(drawn(a_run().built(), some.some_verdicts(some.inconsistent())))

    for words in ("one region served all of it (sticky)", "the session was served by several regions (moved)", "1,200"):
        assert words in page.text
    assert page.having("class", "guarantees")


def test_a_broken_promise_is_a_picture_below_a_sentence() -> None:
    page = Page(drawn(a_run().built(), some.some_verdicts(some.inconsistent())))

    text = page.text
    assert text.index("Somebody did not see") < text.index("Session 1 wrote p1 and did not see it.")
    assert len(page.having("class", "lane")) == 2
    assert len(page.having("class", "act")) == 2
    assert len(page.having("class", "missing")) == 1


def test_more_than_a_few_pictures_are_folded_away() -> None:
    scenes = [some.a_scene(f"Case {number}.", promised=number < 2) for number in range(5)]
    page = Page(drawn(a_run().built(), some.some_verdicts(some.inconsistent(*scenes))))

    assert "2 more cases" in page.text
    assert all(f"Case {number}." in page.text for number in range(5))
    assert page.text.count("(not promised)") == 3


@pytest.mark.parametrize(("outcome", "is_open"), [(Outcome.PASS, False), (Outcome.FAIL, True)])
def test_what_to_do_first_is_in_the_way_only_where_something_is_to_be_done(outcome: Outcome, *, is_open: bool) -> None:
    run = a_run().with_errors(from_s=30, to_s=40).built()
    page = Page(drawn(run, some.some_verdicts(some.a_verdict(outcome))))

    (advice,) = [each for tag, each in page.elements if tag == "details" and each.get("class") == "incident"]
    assert ("open" in advice) is is_open


def test_the_tables_tell_what_was_late_and_how_many_a_percentile_is_of() -> None:
    assert full().text.count("late/s") == full().text.count("errors/stimed") == 3
    assert "those given up without an answer, which count as slower than any" in full().text


def test_levels_are_listed_by_controller_and_those_that_stayed_are_named() -> None:
    _, _, listed = Page(drawn(some.of_four_regions().built())).text.partition("Levels one after the other")

    words = ("europe-controller", "SURVIVAL", "NORMAL all the time: us-east-controller, us-west-controller, asia-")
    assert [listed.index(each) for each in words] == sorted(listed.index(each) for each in words)
