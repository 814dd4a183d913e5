"""The lanes below the curves: faults as planned and as confirmed, canaries, alerts, and services that were ill."""

import numpy as np
import plotly.graph_objects as go

from harness.record import rows
from harness.record.reader import Run
from harness.report import drawing, story, wording
from harness.report.drawing import Key, Panel
from harness.report.palette import light
from harness.report.story import Edge, FaultStory, Happening
from harness.report.summary import Summary

LANE_HEIGHT = 34
LONGEST_TICK = 12  # letters
_ROLES = {story.ALERTS: "alert", "services": "unhealthy", "scrapes missed": "slowest"}
_LANE_TICKS = {"scrapes missed": "no scrape"}


def happenings(run: Run, summary: Summary) -> Panel:
    figure = drawing.new_figure(run, summary)
    lanes = [fault.id for fault in summary.faults]
    keys = []
    for fault in summary.faults:
        figure.add_traces(_fault_lane(fault))
        figure.add_traces(_canary(run, fault))
    if summary.faults:
        keys += [
            Key(group="requested", words="planned edge", role="muted", mark="bar"),
            Key(group="confirmed", words="fault in effect, confirmed", role="fault", mark="thick"),
            Key(group="canary", words="canary agrees", role="good", mark="circle"),
            Key(group="canary", words="canary disagrees", role="errors", mark="cross"),
        ]
    for happening in (*summary.alerts, *summary.services):
        if happening.lane not in lanes:
            lanes.append(happening.lane)
        if happening.kind not in (key.group for key in keys):
            role = _ROLES[happening.kind]
            keys.append(Key(group=happening.kind, words=happening.kind, role=role, mark="thick"))
        figure.add_trace(_happening(happening))
    lanes = lanes or ["nothing"]
    figure.update_yaxes(
        type="category",
        categoryorder="array",
        categoryarray=lanes[::-1],
        range=[-0.6, len(lanes) - 0.4],
        tickvals=lanes,
        ticktext=[_tick(lane) for lane in lanes],
    )
    figure.update_layout(hovermode="closest")
    caption = (
        "Faults as planned and as confirmed by reading back and by the canary; alerts; services that were ill."
        if lanes != ["nothing"]
        else "No fault was planned, no alert fired, no service was ill."
    )
    return drawing.panel(
        "happenings",
        "Faults, canaries, alerts",
        caption,
        keys=keys,
        figure=figure,
        height=70 + LANE_HEIGHT * len(lanes),
    )


def _tick(lane: str) -> str:
    """A fault's name in two lines where it is too long for the margin, which is the same for all panels."""
    word = _LANE_TICKS.get(lane, lane)
    first, below, rest = word.rpartition("_")
    return f"{first}{below}<br>{rest}" if below and len(word) > LONGEST_TICK else word


def _fault_lane(fault: FaultStory) -> list[go.Scatter]:
    traces = [
        go.Scatter(
            x=[fault.inject.requested_s, fault.revert.requested_s],
            y=[fault.id, fault.id],
            mode="markers",
            marker={"symbol": "line-ns-open", "size": 24, "line": {"width": 2, "color": light("muted")}},
            text=["inject planned", "revert planned"],
            hovertemplate="%{text} at %{x:.1f} s<extra></extra>",
            legendgroup="requested",
        )
    ]
    for from_s, to_s in _spans(fault):
        traces.append(bar(fault.id, from_s, to_s, role="fault", group="confirmed", words=_fault_words(fault)))
    return traces + [_edge(fault.id, edge, word) for edge, word in ((fault.inject, "inject"), (fault.revert, "revert"))]


def _spans(fault: FaultStory) -> tuple[tuple[float, float], ...]:
    """One bar, or one for each time that a fault was on that comes and goes."""
    if len(fault.spans) > 1:
        return fault.spans
    from_s, to_s = drawing.band(fault)
    return () if from_s is None else ((from_s, to_s),)


def _fault_words(fault: FaultStory) -> str:
    words = f"{fault.kind} on {fault.where} {fault.settings}".strip()
    return f"{words}: {fault.delivered}" if fault.delivered else words


def _edge(lane: str, edge: Edge, word: str) -> go.Scatter:
    at_s = edge.done_s if edge.done_s is not None else edge.requested_s
    confirmed = "confirmed" if edge.confirmed else "NOT CONFIRMED"
    return go.Scatter(
        x=[at_s],
        y=[lane],
        mode="markers",
        marker={
            "symbol": "diamond" if edge.confirmed else "x",
            "size": 11,
            "color": light("fault"),
            "line": {"width": 1, "color": light("card")},
        },
        hovertext=drawing.plain(f"{word} {confirmed} at {wording.moment(edge.done_s)}: {edge.detail}"),
        hoverinfo="text",
        legendgroup="confirmed",
    )


def _canary(run: Run, fault: FaultStory) -> list[go.Scatter]:
    mine = set(fault.parts)
    readings = [event for event in run.events if isinstance(event, rows.CanaryReading) and event.fault in mine]
    traces = []
    for agrees, symbol, role in ((True, "circle", "good"), (False, "x-thin", "errors")):
        taken = [reading for reading in readings if reading.agrees is agrees]
        if taken:
            colour = light(role)
            traces.append(
                go.Scatter(
                    x=[story.seconds(run, reading.at_ns) for reading in taken],
                    y=[fault.id] * len(taken),
                    mode="markers",
                    marker={
                        "symbol": symbol,
                        "size": 7,
                        "color": colour,
                        "line": {"width": 1.5, "color": light("card")},
                    }
                    if agrees
                    else {"symbol": symbol, "size": 9, "line": {"width": 3, "color": colour}},
                    hovertext=[drawing.plain(_reading_words(reading, fault)) for reading in taken],
                    hoverinfo="text",
                    legendgroup="canary",
                )
            )
    return traces


def _reading_words(reading: rows.CanaryReading, fault: FaultStory) -> str:
    agrees = "agrees" if reading.agrees else "DISAGREES"
    where = f" on {reading.path}" if len(fault.parts) > 1 else ""
    dose = ""
    if reading.dose is not None:
        wanted = wording.quantity(reading.wanted_dose, reading.dose_unit)
        dose = f", dose {wording.quantity(reading.dose, reading.dose_unit)} of {wanted}"
    return f"canary{where} {reading.stage} the fault {agrees}{dose}: {reading.detail}"


def _happening(happening: Happening) -> go.Scatter:
    role = _ROLES[happening.kind]
    if happening.end_s > happening.start_s:
        return bar(
            happening.lane, happening.start_s, happening.end_s, role=role, group=happening.kind, words=happening.words
        )
    return go.Scatter(
        x=[happening.start_s],
        y=[happening.lane],
        mode="markers",
        marker={
            "symbol": "triangle-up",
            "size": 10,
            "color": light(role),
            "line": {"width": 1, "color": light("card")},
        },
        hovertext=drawing.plain(f"{wording.moment(happening.start_s)}: {happening.words}"),
        hoverinfo="text",
        legendgroup=happening.kind,
    )


def bar(lane: str, from_s: float, to_s: float, *, role: str, group: str, words: str) -> go.Scatter:
    """A thick line with a point every so often, so that it can be hovered anywhere."""
    x = np.linspace(from_s, to_s, 25)
    return go.Scatter(
        x=drawing.thin(x),
        y=[lane] * len(x),
        mode="lines",
        line={"width": 10, "color": light(role)},
        opacity=0.55,
        hovertext=drawing.plain(f"{wording.span(from_s, to_s)}: {words}"),
        hoverinfo="text",
        legendgroup=group,
    )
