"""Moments are on an absolute schedule: no drift, and none is caught up in a hurry."""

import pytest

from harness.observe.schedule import next_moment


@pytest.mark.parametrize(
    ("due", "now_ns", "moment"),
    [
        pytest.param(0, 1000, 0, id="the first at once"),
        pytest.param(1, 1005, 1, id="in time"),
        pytest.param(1, 1010, 1, id="just due"),
        pytest.param(1, 1019, 1, id="late, but before the next"),
        pytest.param(1, 1020, 2, id="so late that the next has come"),
        pytest.param(1, 1095, 9, id="far too late"),
        pytest.param(5, 1010, 5, id="never earlier than due"),
        pytest.param(0, 900, 0, id="before the start"),
    ],
)
def test_the_newest_moment_that_has_come_counts(due: int, now_ns: int, moment: int) -> None:
    assert next_moment(due, now_ns=now_ns, start_ns=1000, period_ns=10) == moment
