"""The lane of agreement; how it looks was tried in a browser by hand."""

import json

import numpy as np
import pytest

from harness.report.agreement_lane import agreement_panel, line_of
from harness.report.drawing import Panel
from harness.verify.consistency.agreement import Agreement
from tests.harness.report import some
from tests.harness.verify.consistency.a_history import REGIONS
from tests.harness.verify.consistency.a_recorded_history import recorded
from tests.harness.verify.consistency.test_check import Scraped, sampled

SAME = dict.fromkeys(REGIONS, 7.0)


def lane(*instants: tuple[float, dict[str, float]], regions: tuple[str, ...] = REGIONS) -> Panel | None:
    metrics: list[Scraped] = sampled(*instants)
    run = recorded(metrics=metrics, regions=regions)
    return agreement_panel(run, some.summary_of(run))


def test_where_nothing_can_be_compared_there_is_no_lane() -> None:
    assert lane() is None
    assert lane((10.0, {"europe": 7.0})) is None
    assert lane((10.0, {"europe": 7.0}), regions=("europe",)) is None


def test_there_is_a_line_for_all_regions_and_one_for_each_pair_and_the_worst_pair_is_named() -> None:
    panel = lane((10.0, SAME), (11.0, SAME | {"europe": 8.0, "us-west": 9.0}), (12.0, SAME))

    assert panel is not None
    traces = json.loads(panel.figure)["data"]
    assert [(trace["name"], trace["legendgroup"]) for trace in traces] == [
        ("us-east and us-west", "pair"),
        ("us-east and europe", "pair"),
        ("us-west and europe", "pair"),
        ("alike in all 3 regions", "everywhere"),
    ]
    assert {trace["legendgroup"] for trace in traces} == {key.group for key in panel.keys}
    assert panel.caption.endswith("At worst us-east and us-west agreed on 50 %, at 11.0 s.")


def test_pointing_at_the_lane_tells_almost_all_from_all() -> None:
    panel = lane((10.0, SAME), (11.0, SAME))

    assert panel is not None
    assert json.loads(panel.figure)["layout"]["yaxis"]["hoverformat"] == ".3~%"  # 99.96 % is not 100 %


@pytest.mark.parametrize(
    ("at_s", "shown"),
    [([], []), ([1.0, 2.0], [0.5, 0.5]), ([1.0, 2.0, 9.0, 10.0], [0.5, 0.5, None, 0.5, 0.5])],
)
def test_between_instants_that_lie_far_apart_is_a_gap(at_s: list[float], shown: list[float | None]) -> None:
    asked = np.full(len(at_s), 2, dtype=np.int64)
    line = line_of(Agreement(regions=REGIONS, at_s=np.array(at_s), asked=asked, alike=asked // 2))

    assert [None if np.isnan(value) else value for value in line.value] == shown
    assert list(line.at_s) == sorted(line.at_s)
