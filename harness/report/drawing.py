"""What all panels of the timeline share: the empty figure with its phases and faults, and the kinds of lines in it.

Figures are drawn in light colours, which the page exchanges for dark ones.
"""

import json
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

from harness.record.reader import Run
from harness.report.counts import Floats
from harness.report.palette import light
from harness.report.series import Line
from harness.report.story import FaultStory
from harness.report.summary import Summary

HEIGHT = 250
MARKS_IN_SIGHT = 40  # of a marked line, however many points it has
SYMBOLS = ("circle", "square", "diamond", "triangle-up")
MARKED_UP_TO = 150  # points of a line that get a marker each, so that single points between gaps are seen
DASHES = {"solid": "", "dot": "2 3", "dash": "7 4", "dashdot": "8 3 2 3"}  # Plotly's words as SVG's


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One entry of a panel's legend; `group` is what its traces are called, `dash` an SVG dash pattern."""

    group: str
    words: str
    role: str
    dash: str = ""
    mark: str = "line"


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One chart of the timeline; `figure` is Plotly's JSON."""

    id: str
    title: str
    caption: str
    keys: tuple[Key, ...]
    figure: str
    height: int


def new_figure(run: Run, summary: Summary) -> go.Figure:
    figure = go.Figure()
    end_s = max(summary.planned_s, summary.reached_s, 1.0)
    figure.update_layout(
        template=go.layout.Template(),
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": "system-ui, sans-serif", "size": 12, "color": light("muted")},
        margin={"l": 84, "r": 14, "t": 20, "b": 34, "pad": 0},
        showlegend=False,
        hovermode="x unified",
        hoverdistance=30,
        hoverlabel={
            "bgcolor": light("card"),
            "bordercolor": light("rule"),
            "font": {"color": light("ink"), "size": 12},
            "namelength": -1,
        },
        shapes=[*_phase_shapes(run), *_fault_shapes(summary), *_missing_shapes(summary)],
    )
    line = {"gridcolor": light("grid"), "linecolor": light("rule"), "zeroline": False}
    figure.update_xaxes(range=[0, end_s], ticksuffix=" s", hoverformat=".1f", showspikes=True, **line)
    figure.update_xaxes(
        spikemode="across", spikethickness=1, spikedash="dot", spikecolor=light("accent"), showline=True
    )
    figure.update_yaxes(fixedrange=True, **line)
    return figure


def band(fault: FaultStory) -> tuple[float | None, float]:
    """When the fault was in effect as far as was confirmed: end of the inject call to end of the revert call."""
    if not fault.inject.confirmed or fault.inject.done_s is None:
        return None, fault.revert.requested_s
    done_s = fault.revert.done_s if fault.revert.confirmed else None
    return fault.inject.done_s, fault.revert.requested_s if done_s is None else done_s


def _phase_shapes(run: Run) -> list[dict[str, object]]:
    return [
        _vertical(phase.start_s, {"color": light("phase"), "width": 1})
        for phase in run.plan.phases
        if phase.start_s > 0
    ]


def _fault_shapes(summary: Summary) -> list[dict[str, object]]:
    """A tinted band while the fault was confirmed in effect, dotted lines where the plan asked for its edges."""
    shapes: list[dict[str, object]] = []
    for fault in summary.faults:
        from_s, to_s = band(fault)
        if from_s is not None:
            shapes.append(_rectangle(from_s, to_s, light("fault_band")))
        for edge in (fault.inject, fault.revert):
            shapes.append(_vertical(edge.requested_s, {"color": light("fault"), "width": 1, "dash": "dot"}))
    return shapes


def _missing_shapes(summary: Summary) -> list[dict[str, object]]:
    """The end of the record where the run broke off."""
    if summary.reached_s >= summary.planned_s:
        return []
    return [_vertical(summary.reached_s, {"color": light("ink"), "width": 2})]


def _vertical(at_s: float, line: dict[str, object]) -> dict[str, object]:
    return {"type": "line", "xref": "x", "yref": "paper", "x0": at_s, "x1": at_s, "y0": 0, "y1": 1, "line": line}


def _rectangle(from_s: float, to_s: float, colour: str) -> dict[str, object]:
    place = {"type": "rect", "xref": "x", "yref": "paper", "x0": from_s, "x1": to_s, "y0": 0, "y1": 1}
    return {**place, "fillcolor": colour, "line": {"width": 0}, "layer": "below"}


def panel(id: str, title: str, caption: str, *, keys: list[Key], figure: go.Figure, height: int = HEIGHT) -> Panel:
    figure.update_layout(height=height)
    return Panel(id=id, title=title, caption=caption, keys=tuple(keys), figure=_json(figure), height=height)


def _json(figure: go.Figure) -> str:
    """The figure without its empty template."""
    drawn = json.loads(figure.to_json(validate=False))
    drawn["layout"].pop("template", None)
    return json.dumps(drawn, separators=(",", ":"))


def thin(values: Floats) -> NDArray[np.float32]:
    """Half the bytes; seven digits are more than a chart shows."""
    return values.astype(np.float32)


def plain(text: str) -> str:
    """Text that Plotly would otherwise read as its own markup."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def line(
    drawn: Line, *, group: str, role: str, width: float, dash: str = "solid", shift_s: float = 0.0, words: str = ""
) -> go.Scatter:
    few = len(drawn.at_s) <= MARKED_UP_TO and bool(np.isnan(drawn.value).any())
    return go.Scatter(
        x=thin(drawn.at_s + shift_s),
        y=thin(drawn.value),
        name=plain(words or group),
        mode="lines+markers" if few else "lines",
        marker={"size": 4, "color": light(role)},
        line={"color": light(role), "width": width, "dash": dash},
        legendgroup=group,
    )


def dots(drawn: Line, *, group: str, role: str, shift_s: float) -> go.Scatter:
    return go.Scatter(
        x=thin(drawn.at_s + shift_s),
        y=thin(drawn.value),
        name=group,
        mode="markers",
        marker={"size": 3, "color": light(role)},
        legendgroup=group,
    )


def marked(trace: go.Scatter, symbol: str, role: str) -> go.Scatter:
    """The same line with a few symbols on it, for those who do not tell its colour from others."""
    marker = {"symbol": symbol, "size": 6, "color": light(role), "maxdisplayed": MARKS_IN_SIGHT}
    return trace.update(mode="lines+markers", marker=marker)


def steps(drawn: Line, words: str, *, group: str, role: str, width: float, dash: str) -> go.Scatter:
    return go.Scatter(
        x=thin(drawn.at_s),
        y=thin(drawn.value),
        name=plain(words),
        mode="lines",
        line={"color": light(role), "width": width, "dash": dash, "shape": "hv"},
        legendgroup=group,
    )
