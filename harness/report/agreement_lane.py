"""The lane of φ: of a sample of keys, how many all regions answered alike, asked at the same instant."""

import numpy as np

from harness.record.reader import Run
from harness.report import drawing, wording
from harness.report.drawing import DASHES, Key, Panel
from harness.report.series import Line
from harness.report.summary import Summary
from harness.verify.consistency.agreed import agreements_of
from harness.verify.consistency.agreement import Agreement

MOST_APART_S = 3.0  # instants that belong to one line; two that were missed in between are no news


def agreement_panel(run: Run, summary: Summary) -> Panel | None:
    found = agreements_of(run)
    if not found or not any(each.asked.any() for each in found):
        return None
    figure, keys = drawing.new_figure(run, summary), []
    everywhere, pairs = found[0], found[1:]
    for pair in pairs:
        words = " and ".join(pair.regions)
        figure.add_trace(drawing.line(line_of(pair), group="pair", role="p50", width=1.0, dash="dot", words=words))
    if pairs:
        keys.append(Key(group="pair", words="alike in two regions, each pair", role="p50", dash=DASHES["dot"]))
    words = f"alike in all {len(everywhere.regions)} regions"
    figure.add_trace(drawing.line(line_of(everywhere), group="everywhere", role="shown", width=2.6, words=words))
    keys.insert(0, Key(group="everywhere", words=words, role="shown"))
    figure.update_yaxes(tickformat=".0%", hoverformat=".3~%", range=[-0.03, 1.04])
    caption = (
        f"Of a sample of {int(everywhere.asked.max()) or 'some'} groups of keys, the share for which the regions hold "
        "the same, asked at the same instant. 100 %: whoever looks, wherever, sees the same. What was just written has "
        "not arrived everywhere yet, which costs a few percent; regions that are cut off from each other drift apart, "
        f"and come together again after the cut. A gap: not all answered, or nothing was being written.{_worst(found)}"
    )
    return drawing.panel("agreement", "Do all regions show the same?", caption, keys=keys, figure=figure)


def line_of(found: Agreement) -> Line:
    """With a gap wherever instants lie so far apart that nobody knows what was between."""
    gaps = np.flatnonzero(np.diff(found.at_s) > MOST_APART_S) + 1
    return Line(at_s=np.insert(found.at_s, gaps, found.at_s[gaps - 1]), value=np.insert(found.phi, gaps, np.nan))


def _worst(found: tuple[Agreement, ...]) -> str:
    """Who differed most, and when; of pairs where there are any."""
    known = [each for each in found[1:] or found if each.asked.any()]
    if not known:
        return ""
    worst = min(known, key=lambda each: float(np.nanmin(each.phi)))
    place = int(np.nanargmin(worst.phi))
    names = " and ".join(worst.regions)
    return f" At worst {names} agreed on {wording.ratio(worst.phi[place])}, at {wording.moment(worst.at_s[place])}."
