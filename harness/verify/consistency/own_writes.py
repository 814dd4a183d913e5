"""Read-your-writes: what a session has written and was acknowledged, its later reads show.

sticky: write and read were served by one region; moved: by two.
"""

import numpy as np

from harness.verify.consistency.answers import Answers, Pairs
from harness.verify.consistency.finding import Casebook, Cohort, Finding, Witness, place_and_time, step


def read_your_writes(answers: Answers) -> Finding:
    book = Casebook(answers.history)
    met, missed = _own(answers, answers.met), _own(answers, answers.missed)
    for cohort in (Cohort.STICKY, Cohort.MOVED):
        book[cohort].met.append(_of(answers, met, cohort).read)
        broken = _of(answers, missed, cohort)
        book[cohort].add_broken(broken.read, broken.item)
    return book.closed(lambda read, item: _tell(answers, read, item))


def _own(answers: Answers, pairs: Pairs) -> Pairs:
    """What the reader's session wrote before."""
    session, author = answers.history.session, answers.items.author[pairs.item]
    return pairs.chosen((session[author] == session[pairs.read]) & (author < pairs.read))


def _of(answers: Answers, pairs: Pairs, cohort: Cohort) -> Pairs:
    sticky = answers.at_author(pairs.item, pairs.read)
    return pairs.chosen(sticky if cohort is Cohort.STICKY else np.logical_not(sticky))


def _tell(answers: Answers, read: int, item: int) -> Witness:
    history, name = answers.history, answers.items.name[item]
    steps = (
        step(history, f"wrote {name}", int(answers.items.author[item])),
        step(history, f"missed {name}", read, missed=name),
    )
    wrote, missed = (each.operation for each in steps)
    sentence = (
        f"Session {missed.session} wrote {name} {place_and_time(wrote)} "
        f"and did not see it {place_and_time(missed)} in {missed.object}."
    )
    return Witness(sentence=sentence, ids=(name,), steps=steps)
