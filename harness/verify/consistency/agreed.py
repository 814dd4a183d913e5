"""How much of a sample of keys all regions showed alike, as figures that nothing is asked of."""

import numpy as np

from harness.record.reader import Run
from harness.verify import figures, windows
from harness.verify.consistency.agreement import Agreement, agreement
from harness.verify.consistency.history import Bools
from harness.verify.consistency.parts import Part
from harness.verify.consistency.recorded import key_answers
from harness.verify.verdict import Figure


def agreements_of(run: Run) -> tuple[Agreement, ...]:
    """Among all regions first, then by pair; nothing where the target does not tell what it holds of a sample."""
    return agreement(key_answers(run), regions=run.plan.target.regions)


def agreed(run: Run) -> Part:
    """What is usual (the median of the baseline) and the worst; each instant is a share of the keys asked at it."""
    found = agreements_of(run)
    if not found:
        return Part()
    everywhere = found[0]
    told = []
    baseline = windows.phase_window(run.plan, "baseline")
    if baseline is not None:
        usual = _figure("alike everywhere, median of the baseline", everywhere, baseline.holds(everywhere.at_s), 0.5)
        told.append(usual)
    told.append(_figure("alike everywhere, at worst", everywhere, np.ones(len(everywhere.at_s), dtype=bool), 0.0))
    return Part(figures=tuple(figure for figure in told if figure is not None))


def _figure(name: str, found: Agreement, when: Bools, quantile: float) -> Figure | None:
    some = when & (found.asked > 0)
    if not some.any():
        return None
    value = float(np.quantile(found.phi[some], quantile))
    return figures.reported(name, value, unit="ratio", samples=int(found.asked[some].sum()))
