"""Whether the regions agree again, from what they tell of their tables, and which link does not carry, if one does not.

Links can be judged while users go on writing: a heartbeat that was written after the last revert has come through or
has not. Tables cannot, since regions that are read at different instants never hold the same rows then; they count from
the last write on, or from the last revert where that was later.
"""

import math
from collections.abc import Sequence

from harness.record.reader import Run
from harness.verify import figures, windows
from harness.verify.consistency.convergence import Convergence, convergence
from harness.verify.consistency.liveness import Link, LinkState, Progress, links_of, progress_of
from harness.verify.consistency.parts import Part
from harness.verify.consistency.recorded import digest_samples, heartbeat_samples, last_change_s
from harness.verify.figures import at, say
from harness.verify.verdict import Evidence, Figure, Interval, Outcome


def replicas(run: Run, *, within_s: float) -> Part:
    reverted_s, doubt = windows.faults_over_s(run)
    if doubt:
        return Part(figures=(_unknown("convergence", within_s, doubt),))
    regions = run.plan.target.regions
    changed_s = last_change_s(run)
    healed_s = changed_s if reverted_s is None else reverted_s
    quiet_s = max(healed_s, changed_s)
    links = links_of(heartbeat_samples(run), regions=regions, heal_s=healed_s, deadline_s=within_s)
    tables = convergence(digest_samples(run), regions=regions, tables=(), heal_s=quiet_s)
    return Part(
        figures=(_links(links, within_s), _tables(tables, quiet_s, within_s)),
        evidence=(*_stuck(links, healed_s, within_s), *_differing(tables)),
    )


def _unknown(name: str, within_s: float, why: str) -> Figure:
    return figures.stated(
        name, None, unit="s", samples=0, accept=f"at most {say(within_s, 's')}", outcome=Outcome.INCONCLUSIVE,
        reason=why,
    )  # fmt: skip


def _links(links: Sequence[Link], within_s: float) -> Figure:
    stuck = [link for link in links if link.state is LinkState.STUCK]
    unknown = [link for link in links if link.state is LinkState.UNKNOWN]
    outcome = Outcome.FAIL if stuck else Outcome.INCONCLUSIVE if unknown or not links else Outcome.PASS
    reason = ""
    if stuck:
        reason = f"nothing newer came over {_named(stuck)}"
    elif unknown or not links:
        reason = f"no sample in time of {_named(unknown)}" if links else "one region has no links"
    return figures.stated(
        "links that stand still", float(len(stuck)), unit="", samples=len(links) - len(unknown),
        accept=f"0 after {say(within_s, 's')}", outcome=outcome, reason=reason,
    )  # fmt: skip


def _named(links: Sequence[Link]) -> str:
    return ", ".join(f"{link.source}→{link.target}" for link in links)


def _tables(tables: Sequence[Convergence], quiet_s: float, within_s: float) -> Figure:
    progress, after_s, why = progress_of(tables, within_s)
    if not tables:
        return _unknown("convergence", within_s, why)
    outcome = {Progress.IN_TIME: Outcome.PASS, Progress.TOO_LATE: Outcome.FAIL}.get(progress, Outcome.INCONCLUSIVE)
    since_s = max(each.differed_s for each in tables)
    return Figure(
        name="convergence", unit="s", value=after_s, samples=sum(each.samples for each in tables), outcome=outcome,
        interval=Interval(low=since_s, high=after_s, level=1.0, method=f"samples from {at(quiet_s)} on"),
        accept=f"at most {say(within_s, 's')}", reason=why,
    )  # fmt: skip


def _stuck(links: Sequence[Link], healed_s: float, within_s: float) -> list[Evidence]:
    return [
        Evidence(
            at_s=healed_s,
            until_s=healed_s + within_s,
            sentence=f"{link.target} got nothing that {link.source} wrote after the last revert{_newest(link)}.",
            source="metrics",
        )
        for link in links
        if link.state is LinkState.STUCK
    ]


def _newest(link: Link) -> str:
    if link.age_s is None or math.isinf(link.age_s):
        return ", nor anything before"
    return f"; the newest that it has is {say(link.age_s, 's')} old"


def _differing(tables: Sequence[Convergence]) -> list[Evidence]:
    """What each region held of a table when they last differed, for those that never agreed."""
    found = []
    for table in tables:
        last = table.last_difference
        if table.after_s is None and last is not None:
            held = ", ".join(f"{region} {rows:,} rows ({digest:x})" for region, (rows, digest) in last.held.items())
            sentence = f"The regions differ in {table.table}: {held}."
            found.append(Evidence(at_s=last.at_s, sentence=sentence, source="metrics"))
    return found
