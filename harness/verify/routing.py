"""Whether users were served by the region that they asked for while it was well: nobody was sent away, and what they
read was answered there.

Where users are sent is what the router tells; who answered is what answers say themselves.
"""

from collections.abc import Iterable, Sequence

from harness.experiment.expectations.routing import RoutingCheck
from harness.record.reader import Run
from harness.record.rows import Outcome
from harness.verify import figures, windows
from harness.verify.failover.cohorts import regions_asked, writing_operations
from harness.verify.failover.outage import NOBODY_TELLS
from harness.verify.failover.routes import Step, routes_of
from harness.verify.figures import at, say
from harness.verify.verdict import Evidence, Figure, Verdict
from harness.verify.windows import Window, column, is_word

SHOWN = 2  # witnesses of each kind


def check_routing(run: Run, check: RoutingCheck) -> Verdict:
    name = f"routing in {check.phase}"
    window, regions = windows.phase_window(run.plan, check.phase), regions_asked(run)
    if window is None or not regions:
        why = f"there is no {check.phase}" if window is None else "nobody asked for a region"
        return figures.verdict_of("routing", name, [_nothing(why)], passed="")
    evidence: list[Evidence] = []
    found = [_moves(run, check, window, regions, evidence)]
    if check.reads_elsewhere is not None:
        found += [_reads(run, float(check.reads_elsewhere), window, region, evidence) for region in regions]
    passed = f"Users of {len(regions)} regions were served where they were."
    return figures.verdict_of("routing", name, found, evidence, passed=passed)


def _nothing(why: str) -> Figure:
    return figures.unknown("users who were moved", unit="", accept="some came", reason=why)


def _moves(run: Run, check: RoutingCheck, window: Window, regions: Sequence[str], evidence: list[Evidence]) -> Figure:
    name, allowed = f"times that a region lost users in {window.name}", check.moves_at_most
    routes = {region: routes_of(run, region) for region in regions}
    untold = [region for region, found in routes.items() if found is None]
    if untold:
        accept = f"at most {allowed:,}" if allowed else "0"
        return figures.unknown(name, unit="", accept=accept, reason=f"{NOBODY_TELLS}: {', '.join(untold)}")
    moves = [
        (region, step)
        for region, found in routes.items()
        if found is not None
        for step in _losses(found.changes(), window)
    ]
    moves.sort(key=lambda move: move[1].since.at_s)
    evidence += [
        Evidence(at_s=step.since.at_s, sentence=where_sent(region, step), source=step.since.source)
        for region, step in moves[:SHOWN]
    ]
    reason = f"the first was {moves[0][0]} at {at(moves[0][1].since.at_s)}" if moves else ""
    return figures.at_most(name, len(moves), len(regions), allowed=allowed, reason=reason)


def _losses(changes: Iterable[tuple[Step, Step]], window: Window) -> list[Step]:
    """Steps by which a region got fewer of its users, as far as they may have been within the window."""
    return [
        after
        for before, after in changes
        if after.share < before.share
        and after.since.latest_s >= window.start_s
        and after.since.earliest_s < window.end_s
    ]


def where_sent(region: str, step: Step) -> str:
    """What a change of the routes means to the region's users, in a sentence."""
    why = "" if step.healthy else f", as {region} was taken for lost"
    return f"From here on {say(step.share, 'ratio')} of the users of {region} were sent to it{why}."


def _reads(run: Run, limit: float, window: Window, region: str, evidence: list[Evidence]) -> Figure:
    frame = run.requests
    chosen = is_word(frame["region_asked"], region) & is_word(frame["outcome"], Outcome.OK)
    chosen &= ~is_word(frame["operation"], *writing_operations(run)) & ~is_word(frame["region_served"], "")
    reads = frame.loc[chosen & window.holds(column(frame, "sent_s"))]
    elsewhere = reads.loc[~is_word(reads["region_served"], region)].sort_values("sent_s", kind="stable")
    told = elsewhere[["sent_s", "finished_s", "operation", "user", "region_served"]].head(SHOWN)
    evidence += [
        Evidence(
            at_s=float(sent_s),
            until_s=float(finished_s),
            sentence=f"{operation} by user {user}, who asked for {region}, was answered by {other}.",
            source="requests",
        )
        for sent_s, finished_s, operation, user, other in told.itertuples(index=False)
    ]
    name, many = f"reads of {region} answered elsewhere in {window.name}", len(elsewhere)
    reason = f"{many:,} of {len(reads):,}"
    if limit == 0:
        return figures.never(name, many, len(reads), reason=reason)
    fails_above = figures.FAR_BEYOND * limit
    return figures.rarely(name, many, len(reads), passes_at=limit, fails_above=fails_above, reason=reason)
