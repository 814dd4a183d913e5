"""Tables and lanes of a fail-over; how they look was tried in a browser by hand."""

import json
import re
from dataclasses import replace
from functools import cache

import msgspec
import pytest

from harness.experiment.expectations.failover import FailoverCheck
from harness.record.reader import Run
from harness.report.charts import panels_of
from harness.report.failovers import failovers_of
from harness.report.html import report_html
from harness.report.markdown import report_markdown
from harness.units import Seconds
from tests.harness.a_run import a_run
from tests.harness.report import some
from tests.harness.verify.a_failover import AWAY, a_failover

CHECK = FailoverCheck(cohort="us-east", rto=Seconds(15.0), holds=Seconds(10.0))


def expecting(run: Run) -> Run:
    return replace(run, plan=msgspec.structs.replace(run.plan, expect=(CHECK,)))


@cache
def the_run() -> Run:
    return expecting(a_failover().built())


def test_each_cohort_has_its_line_and_the_struck_one_comes_first() -> None:
    (failover,) = failovers_of(the_run())

    assert [line.cohort for line in failover.lines] == [
        "us-east", "us-east, reads", "us-east, writes", "us-west", "europe", "asia-pacific",
    ]  # fmt: skip
    assert [line.judged for line in failover.lines] == [True, False, False, False, False, False]
    assert [line.share for line in failover.lines] == [1.0, 1.0, 1.0, 0.0, 0.0, 0.0]
    assert failover.lines[0].marks[:2] == ("30.0 s", "+0.1 s")
    assert failover.lines[0].marks[-1] == "+2.0 s (0.9 to 2.0)"
    assert failover.lines[3].users_hurt == "0 of 50"


def test_the_way_home_is_told_step_by_step() -> None:
    (failover,) = failovers_of(the_run())

    assert "1 % at 66.0 s, 10 % at 69.0 s" in failover.way_home
    assert "held down for 15 s" in failover.way_home


def test_a_region_whose_users_did_not_come_back_says_so() -> None:
    (failover,) = failovers_of(expecting(a_failover().routed(AWAY).built()))

    assert failover.way_home == "Its users did not come back in this run."


@pytest.mark.parametrize("run", [a_run().built(), some.an_empty_run()])
def test_without_an_outage_nothing_is_shown(run: Run) -> None:
    assert failovers_of(expecting(run)) == ()


@pytest.mark.slow
def test_the_page_has_tables_and_lanes_of_each_fail_over() -> None:
    run = the_run()
    summary = some.summary_of(run)
    panels = panels_of(run, summary)
    page = report_html(run, summary, panels)
    figure = json.loads(panels[0].figure)

    assert panels[0].id == "failover0"
    assert figure["layout"]["yaxis"]["ticktext"][:7] == ["T0", "T1", "T2", "T3", "T4", "T5", "T6"]
    assert {trace["legendgroup"] for trace in figure["data"]} == {key.group for key in panels[0].keys}
    assert "Who was hurt, and for how long" in page
    assert page.count('class="meter hurt"') == 3


def test_the_summary_for_pull_requests_has_its_table_too() -> None:
    text = report_markdown(some.summary_of(the_run()), "report.html")

    assert re.search(r"^\| us-east \| 2 \| 1\.91 s \| 32 of 50 \| 30\.0 s \|", text, flags=re.MULTILINE)
