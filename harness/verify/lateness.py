"""How late the generator was: from when a request was scheduled to when it was sent.

It is sent before a connection is looked for, so nothing of the system is in that time, not even while a fault lasts.
Latency counts from the scheduled instant, so a late generator can only make a system look slower: what it kept in spite
of that, it kept; what it broke may be the generator's doing, and is taken back for the window it was broken in. Over a
whole run a stall of a second or two does not show.
"""

import msgspec
import numpy as np

from harness.clock import NS_PER_S
from harness.record import rows
from harness.record.reader import Run
from harness.verify.figures import at, say
from harness.verify.verdict import Figure, Outcome
from harness.verify.windows import Floats, Window, column

MAX_LAG_S = 0.010  # p99; more, and the latencies are the generator's


def lags_s(run: Run, window: Window | None = None) -> Floats:
    """Of the requests that were sent, and scheduled in the window."""
    scheduled_ns, sent_ns = (run.requests[name].to_numpy() for name in ("scheduled_ns", "sent_ns"))
    chosen = sent_ns != rows.NOT_SENT_NS
    if window is not None:
        chosen &= window.holds(column(run.requests, "scheduled_s"))
    result: Floats = (sent_ns[chosen] - scheduled_ns[chosen]) / NS_PER_S
    return result


def p99_s(lags_s: Floats) -> float:
    """Of a hundred or fewer it is the greatest; 0 of none."""
    return float(np.quantile(lags_s, 0.99, method="inverted_cdf")) if len(lags_s) else 0.0


def late_in(run: Run, window: Window) -> str:
    """That the generator was late then, in words; empty where it was not."""
    late_s = p99_s(lags_s(run, window))
    if late_s <= MAX_LAG_S:
        return ""
    return (
        f"from {at(window.start_s)} to {at(window.end_s)} the generator itself was late by {say(late_s, 's')} (p99; at "
        f"most {say(MAX_LAG_S, 's')}), which counts as latency"
    )


def excused(figure: Figure, late: str) -> Figure:
    """Anything but a pass of a figure that latency is in decides nothing where the generator was late."""
    if not late or figure.outcome is Outcome.PASS:
        return figure
    reason = f"{late}; {figure.reason}" if figure.reason else late
    return msgspec.structs.replace(figure, outcome=Outcome.INCONCLUSIVE, reason=reason)
