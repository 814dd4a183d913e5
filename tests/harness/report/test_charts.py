"""What the panels of the timeline are drawn from; how they look was tried in a browser by hand."""

import json
from typing import Any

import pytest

from harness.experiment.expectations.slo import SloCheck
from harness.record.reader import Run
from harness.report.charts import panels_of
from harness.report.drawing import Panel
from harness.units import Seconds
from tests.harness.a_run import a_run
from tests.harness.report import some

pytestmark = pytest.mark.slow  # drawing takes a third of a second


def drawn(run: Run, name: str) -> tuple[Panel, list[dict[str, Any]]]:
    """The panel of that name and its traces."""
    panel = next(panel for panel in panels_of(run, some.summary_of(run)) if panel.id == name)
    return panel, json.loads(panel.figure)["data"]


def test_answers_that_were_late_have_a_line_of_their_own() -> None:
    late = a_run().with_slowness(from_s=30, to_s=40, service_s=1.5)

    assert "late: answered as asked, not in time" in [key.words for key in drawn(late.built(), "rates")[0].keys]
    assert "late" not in [key.group for key in drawn(a_run().built(), "rates")[0].keys]


def test_only_an_objective_of_all_requests_is_drawn_among_percentiles_of_all_requests() -> None:
    own = a_run().expecting(
        SloCheck(phase="baseline", p99=Seconds(0.05), priority=1),
        SloCheck(phase="baseline", p99=Seconds(0.06), operation="home"),
    )
    both = own.expecting(SloCheck(phase="disturbed", p99=Seconds(0.4)))

    assert [trace for trace in drawn(own.built(), "latency")[1] if trace["legendgroup"] == "objective"] == []
    assert "objective" not in [key.group for key in drawn(own.built(), "latency")[0].keys]
    (objective,) = [trace for trace in drawn(both.built(), "latency")[1] if trace["legendgroup"] == "objective"]
    assert objective["name"] == "p99 objective of all requests"
    assert "hoverinfo" not in objective


def test_the_levels_of_regions_are_told_apart_by_colour_and_by_symbol() -> None:
    panel, traces = drawn(some.of_four_regions().built(), "levels")

    says = [trace for trace in traces if trace.get("name", "").endswith(" says")]
    assert len({trace["line"]["color"] for trace in says}) == 4
    assert len({trace["marker"]["symbol"] for trace in says}) == 4
    calls = {trace["name"]: trace for trace in traces if trace.get("name", "").endswith(" call for")}
    for trace in says:
        inputs = calls[f"inputs of {trace['name'].removesuffix(' says')} call for"]
        assert (inputs["line"]["color"], inputs["legendgroup"]) == (trace["line"]["color"], trace["legendgroup"])
    named = {key.words: key.mark for key in panel.keys if key.words.endswith(" says")}
    assert named == {trace["name"]: trace["marker"]["symbol"] for trace in says}
