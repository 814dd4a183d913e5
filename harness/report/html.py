"""report.html: one file that opens anywhere, without a network, years later.

Plotly's script is written into the page. A content security policy allows the page's own scripts by their hash and no
request to anywhere, so that even a name that slipped through the escaping could neither run nor call home.
"""

import base64
import hashlib
import json
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from harness.record.reader import Run
from harness.report import spacetime, story, wording
from harness.report.drawing import Panel
from harness.report.palette import css_variables, light, light_to_dark
from harness.report.summary import Summary, accounting
from harness.report.visibility_grid import CELL_HEIGHT, grid_of

HERE = Path(__file__).parent
assert "</script" not in get_plotlyjs().lower(), "Plotly's script would end its own element"


def report_html(run: Run, summary: Summary, panels: tuple[Panel, ...]) -> str:
    page = _environment().get_template("report.html.j2")
    script = (HERE / "report.js").read_text()
    return page.render(
        summary=summary,
        run=run,
        panels=panels,
        never_changed=story.never_changed(summary.levels),
        grid=grid_of(summary.verdicts, run.plan.target.regions),
        accounting=accounting(summary.whole),
        colours={theme: Markup(css_variables(theme)) for theme in ("light", "dark")},  # noqa: S704  # constants of ours
        css=Markup((HERE / "report.css").read_text()),  # noqa: S704  # our own file
        script=Markup(script),  # noqa: S704  # our own file
        plotly=Markup(get_plotlyjs()),  # noqa: S704  # the library's own script
        script_hashes=" ".join((_plotly_hash(), _hash(script))),
        data=_data(run, summary, panels),
    )


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(say=wording, spacetime=spacetime, CELL_HEIGHT=CELL_HEIGHT)
    return environment


@cache
def _plotly_hash() -> str:
    return _hash(get_plotlyjs())


def _hash(script: str) -> str:
    digest = hashlib.sha256(script.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def _data(run: Run, summary: Summary, panels: tuple[Panel, ...]) -> Markup:
    """What `report.js` needs, as JSON that cannot end its script element."""
    phases = [{"name": span.name, "start": span.start_s, "end": span.end_s} for span in run.plan.phases]
    words = {
        "end": max(summary.planned_s, summary.reached_s, 1.0),
        "phases": phases,
        "colours": light_to_dark(),
        "moment": {"line": light("moment"), "band": light("moment_band")},
    }
    figures = ",".join(f'"{panel.id}":{panel.figure}' for panel in panels)
    data = f'{json.dumps(words)[:-1]}, "figures": {{{figures}}}}}'
    return Markup(data.replace("<", "\\u003c"))  # noqa: S704  # JSON with "<" written as an escape
