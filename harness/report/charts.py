"""The timeline as panels: one Plotly figure each, all over the same seconds of the run.

Panels instead of one tall figure, so that each has its heading, legend and words in the page, where they wrap on a
phone and print whole; `report.js` links their zoom and their hover.
"""

from collections.abc import Iterable

import numpy as np
import plotly.graph_objects as go

from harness.experiment.expectations.slo import SloCheck
from harness.record.reader import Run
from harness.report import drawing, story, wording
from harness.report.agreement_lane import agreement_panel
from harness.report.drawing import DASHES, HEIGHT, SYMBOLS, Key, Panel
from harness.report.failover_lanes import failover_panels
from harness.report.lanes import happenings
from harness.report.palette import light
from harness.report.series import LevelLines, Line, Quantile, Series
from harness.report.summary import Summary
from harness.verify import slo

MANY_DECADES = 3
CONTROLLER_ROLES = ("controller", "controller2", "controller3", "controller4")
OBJECTIVE = "p99 objective of all requests"


def panels_of(run: Run, summary: Summary) -> tuple[Panel, ...]:
    """The timeline's panels from top to bottom; those with nothing to show are left out."""
    drawn = [
        _rates(run, summary),
        _latency(run, summary),
        agreement_panel(run, summary),
        _levels(run, summary),
        _shedding(run, summary),
    ]
    shown = (panel for panel in drawn if panel is not None)
    return (*failover_panels(run, summary), *shown, happenings(run, summary))


_RATES = (
    # group, legend, dash, width
    ("achieved", "achieved: sent", "solid", 1.6),
    ("offered", "offered: scheduled", "dot", 1.8),
    ("good", "good: answered as asked, in time", "solid", 2.4),
    ("late", "late: answered as asked, not in time", "dashdot", 1.8),
    ("shed", "shed", "dash", 1.8),
    ("disabled", "refused: feature off", "dash", 1.4),
    ("errors", "errors: failed, unknown, not sent", "solid", 1.8),
)


def _rates(run: Run, summary: Summary) -> Panel:
    figure, keys = drawing.new_figure(run, summary), []
    shown = [row for row in _RATES if row[0] in ("offered", "achieved", "good", "errors") or _any(summary, row[0])]
    for group, words, dash, width in shown:
        line = summary.series.rates[group]
        figure.add_trace(
            drawing.line(line, group=group, role=group, dash=dash, width=width, shift_s=summary.series.bin_s / 2)
        )
        keys.append(Key(group=group, words=words, role=group, dash=DASHES[dash]))
    figure.update_yaxes(rangemode="tozero", hoverformat=",.4~g")
    return drawing.panel(
        "rates",
        "Requests a second",
        f"By the second they were scheduled for, so good, late, shed, refused and errors of each add up to what was "
        f"offered in it; achieved: by the second they were sent in. In time: within "
        f"{wording.duration(summary.good_within_s)} of the scheduled instant.",
        keys=keys,
        figure=figure,
        height=HEIGHT + 40,
    )


def _any(summary: Summary, group: str) -> bool:
    return bool((summary.series.rates[group].value > 0).any())


def _latency(run: Run, summary: Summary) -> Panel:
    series, figure, keys = summary.series, drawing.new_figure(run, summary), []
    figure.add_trace(drawing.dots(series.slowest, group="slowest", role="slowest", shift_s=series.bin_s / 2))
    keys.append(Key(group="slowest", words="slowest answer", role="slowest", mark="dot"))
    for quantile, width in zip(series.quantiles, (1.4, 1.8, 2.4), strict=True):
        if len(quantile.line.at_s):
            name, words = _names(quantile, series.bin_s)
            figure.add_trace(_quantile(quantile, series.bin_s, float(run.plan.load.deadline), width=width))
            keys.append(Key(group=name, words=words, role=name))
    objectives = list(_objectives(run))
    figure.add_traces(objectives)
    if objectives:
        keys.append(Key(group="objective", words=OBJECTIVE, role="objective", dash=DASHES["dash"]))
    figure.update_yaxes(type="log", hoverformat=".3~s", ticksuffix="s", **_latency_ticks(series))
    deadline = wording.duration(float(run.plan.load.deadline))
    caption = (
        "Seconds from the scheduled instant, of requests answered as asked; logarithmic. A request given up without an "
        f"answer counts as slower than any; where that decides, the line is at the deadline, {deadline}. "
        "A percentile is drawn only where there are samples enough, over wider bins (steps) if need be."
    )
    return drawing.panel("latency", "Latency", caption, keys=keys, figure=figure)


def _latency_ticks(series: Series) -> dict[str, list[float] | list[str]]:
    """Ticks in the units people say, at 1, 2 and 5 of each decade, or at 1 where there are many decades."""
    values = np.concatenate([series.slowest.value, *(quantile.line.value for quantile in series.quantiles)])
    values = values[np.isfinite(values) & (values > 0)]
    decades = np.log10(values.max() / values.min()) if len(values) else 0.0
    steps = (1, 2, 5) if decades < MANY_DECADES else (1,)
    ticks = [step * 10.0**power for power in range(-5, 4) for step in steps]
    return {"tickvals": ticks, "ticktext": [wording.duration(tick) for tick in ticks]}


def _names(quantile: Quantile, bin_s: float) -> tuple[str, str]:
    name = f"p{quantile.p * 100:g}"
    return name, name if quantile.bin_s == bin_s else f"{name} of {wording.duration(quantile.bin_s)}"


def _quantile(quantile: Quantile, bin_s: float, deadline_s: float, *, width: float) -> go.Scatter:
    """By the second a line through the middles; over wider bins steps, which do not rise before their time."""
    name, words = _names(quantile, bin_s)
    value = np.where(np.isinf(quantile.line.value), deadline_s, quantile.line.value)
    line = Line(at_s=quantile.line.at_s, value=value)
    drawn = drawing.line(line, group=name, role=name, width=width, shift_s=bin_s / 2, words=words)
    return drawn if quantile.bin_s == bin_s else drawn.update(mode="lines", line={"shape": "hvh"})


def _objectives(run: Run) -> Iterable[go.Scatter]:
    """Of all requests, as the percentiles are; those of one operation or priority stand in their verdicts."""
    for check in run.plan.expect:
        if not isinstance(check, SloCheck) or check.p99 is None or (check.operation, check.priority) != (None, None):
            continue
        window = slo.window_of(run, check)
        if window is not None:
            value = np.array([check.p99, check.p99], dtype=np.float64)
            line = Line(at_s=np.array([window.start_s, window.end_s]), value=value)
            yield drawing.line(line, group="objective", role="objective", dash="dash", width=1.5, words=OBJECTIVE)


def _levels(run: Run, summary: Summary) -> Panel | None:
    levels, figure, keys = summary.series.levels, drawing.new_figure(run, summary), []
    shows = bool(np.isfinite(levels.shown.value).any())
    if not (levels.controllers or shows):
        return None
    if shows:
        figure.add_traces(_shown(levels.lowest, levels.highest, summary.series.bin_s / 2))
        shown = drawing.line(levels.shown, group="shown", role="shown", width=2.8, shift_s=summary.series.bin_s / 2)
        figure.add_trace(shown.update(name="answers show", line={"shape": "hvh"}))
        keys.append(Key(group="shown", words="answers show (most; tinted: lowest to highest)", role="shown"))
    for place, service in enumerate(levels.controllers):
        traces, key = _controller(levels, service, place)
        figure.add_traces(traces)
        keys.append(key)
    if levels.called_for:
        keys.append(Key(group="", words="what its inputs call for", role="muted", dash=DASHES["dot"]))
    names = story.level_names(run)
    highest = max([1, *(stretch.level for course in summary.levels for stretch in course.stretches), *names])
    ticks = list(range(highest + 1))
    labels = [drawing.plain(names.get(tick, str(tick))) for tick in ticks]
    figure.update_yaxes(tickvals=ticks, ticktext=labels, range=[-0.25, highest + 0.25])
    caption = "The degradation level as witnesses tell it, and what was called for by the figures it is decided on."
    if len(levels.controllers) > 1:
        caption += " Where several are at one level, the last of them covers the others."
    return drawing.panel("levels", "Degradation level", caption, keys=keys, figure=figure)


def _controller(levels: LevelLines, service: str, place: int) -> tuple[list[go.Scatter], Key]:
    """What a controller says and what its inputs call for, in the controller's colour; its symbol tells it too."""
    group, role, symbol = f"controller{place}", CONTROLLER_ROLES[place % 4], SYMBOLS[place % 4]
    traces = []
    if service in levels.called_for:
        line, words = levels.called_for[service], f"inputs of {service} call for"
        traces.append(drawing.steps(line, words, group=group, role=role, dash="dot", width=1.4))
    line, words = levels.controllers[service], f"{service} says"
    says = drawing.steps(line, words, group=group, role=role, dash="dash", width=1.6)
    traces.append(drawing.marked(says, symbol, role))
    return traces, Key(group=group, words=words, role=role, dash=DASHES["dash"], mark=symbol)


def _shown(lowest: Line, highest: Line, shift_s: float) -> list[go.Scatter]:
    """The band between the lowest and highest level on the answers of a second."""
    edge = {"mode": "lines", "line": {"width": 0, "shape": "hvh"}, "hoverinfo": "skip", "legendgroup": "shown"}
    at_s = drawing.thin(lowest.at_s + shift_s)
    low = go.Scatter(x=at_s, y=drawing.thin(lowest.value), **edge)
    high = go.Scatter(x=at_s, y=drawing.thin(highest.value), fill="tonexty", fillcolor=light("shown_band"), **edge)
    return [low, high]


def _shedding(run: Run, summary: Summary) -> Panel | None:
    series, figure, keys = summary.series, drawing.new_figure(run, summary), []
    lines = [*series.shed_ratio.values(), *series.shed_promised.values()]
    if not any(np.nansum(line.value) > 0 for line in lines):
        return None
    for place, (priority, line) in enumerate(sorted(series.shed_ratio.items())):
        role, group = f"priority{place % 4 + 1}", f"P{priority}"
        symbol = SYMBOLS[place % 4]
        trace = drawing.line(line, group=group, role=role, width=1.8, shift_s=series.bin_s / 2, words=f"{group} shed")
        figure.add_trace(drawing.marked(trace, symbol, role))
        keys.append(Key(group=group, words=group, role=role, mark=symbol))
        promised = series.shed_promised.get(priority)
        if promised is not None:
            figure.add_trace(
                drawing.line(promised, group=group, role=role, dash="dot", width=1.6, words=f"{group} promised")
            )
    if series.shed_promised:
        keys.append(Key(group="", words="promised for the measured overload", role="muted", dash="2 3"))
    figure.update_yaxes(tickformat=".0%", hoverformat=".3~%", range=[-0.03, 1.04])
    caption = "Share of the requests of each priority that the load shedder refused; priority 1 is never to be shed."
    return drawing.panel("shedding", "Shed by priority", caption, keys=keys, figure=figure)
