"""A fail-over in sentences that somebody understands who was woken up by it."""

from collections.abc import Iterable

from harness.verify.failover.cohorts import BLOCK_S
from harness.verify.failover.marks import NAMES
from harness.verify.failover.story import Row, Story
from harness.verify.failover.writers import Strays
from harness.verify.figures import say
from harness.verify.moments import Lapse, lapse
from harness.verify.verdict import Evidence

HAPPENED = {  # to the region, by the kind of the fault
    "region_outage": "died",
    "region_destroyed": "was destroyed",
    "region_cut": "was cut off",
    "region_pause": "froze",
    "region_flap": "began to come and go",
}
MOST_STRAYS = 5  # as evidence


def told(story: Story) -> str:
    """`Users of us-east could not be served for 3.2 s; us-west took over 1.9 s after the region died; nobody else
    noticed.`"""
    parts = [_hurt(story.cohort), _taken_over(story), _others(story.others), *_home(story)]
    return "; ".join(part for part in parts if part) + "."


def _hurt(row: Row) -> str:
    users, harm = f"Users of {row.cohort.region}", row.harm
    if harm.users_hurt == 0:
        return f"{users} met no error, but {_slighted(row)}" if harm.refused_or_late else f"{users} noticed nothing"
    return f"{_failed(users, row)}, and {_slighted(row)}" if _is_slighted(row) else _failed(users, row)


def _failed(users: str, row: Row) -> str:
    harm = row.harm
    if harm.bad_seconds == 0:
        return f"{users} hardly noticed: {_many(harm.users_hurt, 'user')} met an error"
    if harm.longest_gap_s < BLOCK_S:
        return f"{users} met errors in {_many(harm.bad_seconds, 'second')}"
    if row.marks.recovered is None:
        return f"{users} could not be served properly any more ({harm.bad_seconds} s with errors)"
    return f"{users} could not be served for {_say(harm.longest_gap_s)}"


def _is_slighted(row: Row) -> bool:
    return row.harm.refused_or_late > row.unserved_ratio * row.harm.offered


def _slighted(row: Row) -> str:
    many = row.harm.refused_or_late
    return f"{many:,} of {row.harm.offered:,} requests {'was' if many == 1 else 'were'} refused or late"


def _taken_over(story: Story) -> str:
    marks = story.cohort.marks
    happened = HAPPENED.get(story.outage.kind, f"was struck by {story.outage.kind}")
    if marks.succeeded is None:
        return f"no other region took over after it {happened}"
    after = _say(lapse(marks.began, marks.succeeded).value_s)
    return f"{marks.mostly_served_by} took over {after} after the region {happened}"


def _others(others: Iterable[Row]) -> str:
    hurt = [row for row in others if row.harm.users_hurt or _is_slighted(row)]
    if not hurt:
        return "nobody else noticed"
    said = [_other(row) for row in hurt]
    return "so did " + _listed(said) if len(said) == 1 else "others noticed: " + _listed(said)


def _other(row: Row) -> str:
    who, harm = f"users of {row.cohort.region}", row.harm
    if not harm.users_hurt:
        return f"{who} ({_slighted(row)})"
    slighted = f", {_slighted(row)}" if _is_slighted(row) else ""
    many = _many(harm.users_hurt, "user")
    return f"{many} of {row.cohort.region} ({_many(harm.bad_seconds, 'second')} with errors{slighted})"


def _home(story: Story) -> list[str]:
    if story.returned is None:
        return []
    if story.returned.back is None:
        share = say(story.returned.steps[-1].share, "ratio")
        return [f"in the end {share} of them were back home"]
    if story.outage.reverted_s is None:
        return []
    after_s = story.returned.back.at_s - story.outage.reverted_s
    if after_s < 0:
        return [f"all were back home {_say(-after_s)} before the fault was over"]
    return [f"all were back home {_say(after_s)} after it was well again"]


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1]


def _many(many: int, noun: str) -> str:
    return f"{many:,} {noun}" if many == 1 else f"{many:,} {noun}s"


def _say(seconds: float) -> str:
    return f"{seconds:.1f} s"


# --- evidence -------------------------------------------------------------------------------------------------------


def evidence(stories: list[Story], strays: Strays | None) -> list[Evidence]:
    listed = [each for story in stories for each in (*_marks(story), *_gap(story), *_steps(story), *_missing(story))]
    for stray in strays.found[:MOST_STRAYS] if strays is not None else ():
        listed.append(Evidence(at_s=stray.at_s, sentence=f"{stray.sentence}.", source="requests"))
    return listed


def _marks(story: Story) -> Iterable[Evidence]:
    marks = story.cohort.marks
    for number, (name, moment) in enumerate(zip(NAMES, marks.in_order(), strict=True)):
        if moment is not None:
            since = _within(lapse(marks.began, moment)) if number else story.outage.fault
            sentence = f"T{number} {name} of {story.cohort.cohort.name}: {since}"
            yield Evidence(at_s=moment.at_s, sentence=sentence, source=moment.source)


def _within(took: Lapse) -> str:
    """`after 3.0 s`, with its error where that shows."""
    spread = f" ({_say(took.low_s)} to {_say(took.high_s)})" if took.high_s - took.low_s >= 0.1 else ""
    return f"after {_say(took.value_s)}{spread}."


def _gap(story: Story) -> Iterable[Evidence]:
    harm = story.cohort.harm
    if harm.users_hurt:
        from_s, to_s = harm.longest_gap
        sentence = f"The longest time in which nobody of {story.cohort.cohort.name} was served: {_say(to_s - from_s)}."
        yield Evidence(at_s=from_s, until_s=to_s, sentence=sentence, source="requests")


def _steps(story: Story) -> Iterable[Evidence]:
    for step in () if story.returned is None else story.returned.steps:
        sentence = f"{say(step.share, 'ratio')} of the users of {story.cohort.cohort.region} were sent to it again."
        yield Evidence(at_s=step.since.at_s, sentence=sentence, source=step.since.source)


def _missing(story: Story) -> Iterable[Evidence]:
    for write in story.loss.missing[:MOST_STRAYS]:
        sentence = (
            f"{write.written} of {write.object} was acknowledged here, and {write.region_read} answered without it at "
            f"T{write.read_s:+.1f} s."
        )
        yield Evidence(at_s=write.acknowledged_s, sentence=sentence, source="requests")
