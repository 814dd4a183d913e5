"""The lanes of a fail-over: its marks one below the other, and each region's users with their seconds of errors."""

from collections.abc import Iterable

import numpy as np
import plotly.graph_objects as go

from harness.record.reader import Run
from harness.report import drawing, wording
from harness.report.drawing import Key, Panel
from harness.report.failovers import Failover, mark
from harness.report.lanes import LANE_HEIGHT, bar
from harness.report.palette import light
from harness.report.summary import Summary
from harness.verify.failover.cohorts import BLOCK_S
from harness.verify.failover.marks import NAMES
from harness.verify.failover.story import Row, Story
from harness.verify.moments import Moment

# of T0 to T6
_GROUPS = ("began", "failed", "routing", "routing", "routing", "served", "served")
_MARK_ROLES = ("fault", "errors", "controller", "controller", "controller", "good", "good")
_MARK_SYMBOLS = ("diamond", "x", "circle", "circle", "circle", "triangle-up", "triangle-up")
assert len(_GROUPS) == len(_MARK_ROLES) == len(_MARK_SYMBOLS) == len(NAMES)


def failover_panels(run: Run, summary: Summary) -> tuple[Panel, ...]:
    return tuple(_panel(run, summary, number, each) for number, each in enumerate(summary.failovers))


def _panel(run: Run, summary: Summary, number: int, failover: Failover) -> Panel:
    story, figure = failover.story, drawing.new_figure(run, summary)
    cohorts = (story.cohort, *story.others)
    lanes = [*failover.names, *(row.cohort.name for row in cohorts)]
    for place, moment in enumerate(story.cohort.marks.in_order()):
        if moment is not None:
            figure.add_trace(_marker(place, failover.names[place], moment, story))
    figure.add_traces(list(_elsewhere(story)))
    for row in cohorts:
        figure.add_traces(list(_bad_seconds(row, story)))
    figure.update_yaxes(
        type="category",
        categoryorder="array",
        categoryarray=lanes[::-1],
        range=[-0.6, len(lanes) - 0.4],
        tickvals=lanes,
        ticktext=[drawing.plain(lane.partition(" ")[0] if lane in failover.names else lane) for lane in lanes],
    )
    figure.update_layout(hovermode="closest")
    keys = [
        Key(group="began", words="T0 the fault", role="fault", mark="diamond"),
        Key(group="failed", words="T1 first failure", role="errors", mark="cross"),
        Key(group="routing", words="T2 detected, T3 decided, T4 routed away", role="controller", mark="circle"),
        Key(group="served", words="T5 first success elsewhere, T6 recovered", role="good", mark="triangle-up"),
        Key(group="elsewhere", words="users are sent elsewhere", role="shown", mark="thick"),
        Key(group="bad", words="seconds with errors", role="errors", mark="thick"),
    ]
    return drawing.panel(
        f"failover{number}",
        f"Fail-over: {failover.title}",
        "Above: the marks of the fail-over with their known errors. Below: each region's users, and the seconds in "
        "which more of their requests failed than the objective allows.",
        keys=keys,
        figure=figure,
        height=70 + LANE_HEIGHT * len(lanes),
    )


def _marker(place: int, lane: str, moment: Moment, story: Story) -> go.Scatter:
    colour = light(_MARK_ROLES[place])
    after = mark(story.stretch.began, moment)
    return go.Scatter(
        x=[moment.at_s],
        y=[lane],
        mode="markers",
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [moment.latest_s - moment.at_s],
            "arrayminus": [moment.at_s - moment.earliest_s],
            "color": colour,
            "thickness": 1.5,
        },
        marker={"symbol": _MARK_SYMBOLS[place], "size": 10, "color": colour},
        hovertext=drawing.plain(f"{lane}: {after}, from the {moment.source}"),
        hoverinfo="text",
        legendgroup=_GROUPS[place],
    )


def _elsewhere(story: Story) -> Iterable[go.Scatter]:
    """While not all of the cohort's users were sent to their region."""
    marks, returned = story.cohort.marks, story.returned
    if marks.routed is None:
        return
    back_s = story.stretch.until_s if returned is None or returned.back is None else returned.back.at_s
    words = f"users are sent to {marks.mostly_served_by or 'another region'}"
    lane = story.cohort.cohort.name
    yield bar(lane, marks.routed.at_s, back_s, role="shown", group="elsewhere", words=words)


def _bad_seconds(row: Row, story: Story) -> Iterable[go.Scatter]:
    """Neighbouring bad seconds as one bar each."""
    bad = np.flatnonzero(row.harm.bad_blocks)
    for stretch in np.split(bad, np.flatnonzero(np.diff(bad) > 1) + 1) if len(bad) else ():
        from_s = story.stretch.began.at_s + float(stretch[0]) * BLOCK_S
        to_s = from_s + len(stretch) * BLOCK_S
        words = f"{wording.plural(len(stretch), 'second')} with errors for users of {row.cohort.name}"
        yield bar(row.cohort.name, from_s, to_s, role="errors", group="bad", words=words)
