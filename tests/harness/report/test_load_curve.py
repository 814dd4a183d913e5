"""knee.html: where marks stand, and that the page needs nothing from outside."""

import re
from html.parser import HTMLParser

import msgspec
import pytest

from harness.report.load_curve import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, charts_of, load_curve_html
from harness.verify.verdict import Outcome
from tests.harness.search.some import SUBJECT, a_knee, point

LATENCY, GOODPUT = 0, 1


def test_each_run_is_a_mark_where_its_rate_and_its_figures_are() -> None:
    latency, goodput = charts_of(a_knee())

    assert len(goodput.marks) == 6
    assert len(latency.marks) == 5  # of the run at 400/s there is no p99
    assert all(LEFT <= mark.x <= WIDTH - RIGHT and TOP <= mark.y <= HEIGHT - BOTTOM for mark in goodput.marks)
    by_rate = {mark.words.split(":")[0]: mark for mark in goodput.marks}
    assert by_rate["100/s"].x < by_rate["290/s"].x < by_rate["295/s"].x < by_rate["400/s"].x
    assert by_rate["100/s"].y > by_rate["290/s"].y  # more goodput stands higher
    assert by_rate["400/s"].words == "400/s: 300/s good, fail"
    assert latency.marks[0].words == "100/s: 40 ms (n = 6,000), pass"


def test_the_limit_and_the_bracket_are_drawn_where_they_are() -> None:
    latency, goodput = charts_of(a_knee())

    assert latency.line is not None
    slow, quick = (next(mark for mark in latency.marks if mark.words.startswith(rate)) for rate in ("295/s", "290/s"))
    assert slow.y < latency.line < quick.y
    assert goodput.bracket == (
        next(mark.x for mark in goodput.marks if mark.words.startswith("290/s")),
        next(mark.x for mark in goodput.marks if mark.words.startswith("295/s")),
    )


def test_goodput_of_all_that_was_offered_lies_on_the_slope() -> None:
    goodput = charts_of(a_knee())[GOODPUT]
    assert goodput.slope is not None
    x1, y1, x2, y2 = goodput.slope
    mark = next(mark for mark in goodput.marks if mark.words.startswith("100/s"))

    assert mark.y == pytest.approx(y1 + (mark.x - x1) * (y2 - y1) / (x2 - x1), abs=0.2)


def test_nothing_found_has_no_bracket_and_nothing_measured_no_chart() -> None:
    above = a_knee(point(400, Outcome.PASS), point(100, Outcome.PASS))

    assert {chart.bracket for chart in charts_of(above)} == {None}
    assert charts_of(msgspec.structs.replace(above, points=())) == ()


def test_the_page_says_the_answer_and_asks_nobody_else() -> None:
    page = load_curve_html(a_knee())

    assert "Holds up to 290/s, no longer at 295/s (6 runs)." in page
    assert "145/s a replica (2 replicas)" in page
    assert "<td>24,000</td><td>–</td>" in page  # timed at 400/s, and too many never answered to have a p99
    assert "<script" not in page
    assert not re.search(r"(src|href)=.(https?:|//)", page)
    assert "default-src &#39;none&#39;" in page or "default-src 'none'" in page
    HTMLParser().feed(page)


def test_what_people_wrote_cannot_end_an_element() -> None:
    page = load_curve_html(a_knee(subject=msgspec.structs.replace(SUBJECT, title="<script>alert(1)</script>")))

    assert "<script" not in page
    assert "&lt;script&gt;" in page
