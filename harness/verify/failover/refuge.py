"""By which region the users of a lost one were served meanwhile: what they read was answered by the promised one.

What they write may have to go elsewhere, to the home of who travels, and is judged by who is to take it (`writers`).
"""

from harness.experiment.expectations.failover import FailoverCheck
from harness.verify import figures
from harness.verify.failover.outage import NOBODY_TELLS
from harness.verify.failover.story import Story
from harness.verify.figures import unknown
from harness.verify.moments import Moment
from harness.verify.verdict import Figure
from harness.verify.windows import Bools

# Who has just written elsewhere is answered from there for a moment: 1 to 2 % where replication takes a quarter of a
# second. Another way out would be nearly all.
ELSEWHERE_AT_MOST = 0.1


def of_refuge(check: FailoverCheck, story: Story) -> list[Figure]:
    """From when all of them were sent away until the first of them were sent back."""
    promised = check.taken_over_by
    if promised is None:
        return []
    name, empty = f"reads answered by another region than {promised}", _empty_since(story)
    if empty is None:
        why = NOBODY_TELLS if story.routes is None else "its users were never all sent away"
        return [unknown(name, unit="ratio", accept=f"at most {figures.say(ELSEWHERE_AT_MOST, 'ratio')}", reason=why)]
    cohort, returned = story.cohort.cohort, story.returned
    until_s = story.stretch.until_s if returned is None else returned.began.earliest_s
    away = (cohort.sent_s > empty.latest_s) & (cohort.sent_s < until_s)
    reads: Bools = cohort.ok & ~cohort.writes & (cohort.served != "") & away
    elsewhere = reads & (cohort.served != promised)
    many, judged = int(elsewhere.sum()), int(reads.sum())
    others = ", ".join(sorted(set(cohort.served[elsewhere].astype(str))))
    return [
        figures.rarely(
            name, many, judged, passes_at=ELSEWHERE_AT_MOST, fails_above=figures.FAR_BEYOND * ELSEWHERE_AT_MOST,
            reason=f"{many:,} of {judged:,} were answered by {others}",
        )
    ]  # fmt: skip


def _empty_since(story: Story) -> Moment | None:
    """When none of its users were sent to it any more."""
    routed = story.cohort.marks.routed
    if routed is None or story.routes is None:
        return None
    found = (step.since for step in story.routes.steps if step.share == 0 and step.since.latest_s >= routed.latest_s)
    return next((since for since in found if since.at_s < story.stretch.until_s), None)
