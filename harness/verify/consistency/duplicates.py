"""One thing shown twice: in one answer, or in the end under two ids of one idempotency key."""

from collections.abc import Mapping

import numpy as np

from harness.verify.consistency.answers import Answers
from harness.verify.consistency.finding import Caught, Witness, caught, place_and_time, step
from harness.verify.consistency.history import UNKNOWN, Ints


def duplicated(answers: Answers, final: Ints) -> Caught:
    """Each item once: shown twice in one answer, or else under different ids in the end."""
    items, first = np.unique(answers.twice.item, return_index=True)
    twice = dict(zip(items.tolist(), answers.twice.read[first].tolist(), strict=True))
    under = {item: reads for item, reads in _under_two_ids(answers, final).items() if item not in twice}

    def tell(item: int) -> Witness:
        return _tell_twice(answers, item, twice[item]) if item in twice else _tell_under_two_ids(answers, under[item])

    return caught(answers.items.name, [*twice, *under], tell)


def _under_two_ids(answers: Answers, final: Ints) -> dict[int, dict[int, int]]:
    """Items that final reads show under different ids: item → id → read."""
    history, of_id = answers.history, answers.items.of_id
    several = np.bincount(of_id, minlength=len(answers.items)) > 1
    shown: dict[int, dict[int, int]] = {}
    for read in np.unique(final[final != UNKNOWN]).tolist():
        codes = history.seen[history.seen_start[read] : history.seen_start[read + 1]]
        for code in codes[several[of_id[codes]]].tolist():
            shown.setdefault(int(of_id[code]), {}).setdefault(code, read)
    return {item: reads for item, reads in shown.items() if len(reads) > 1}


def _tell_twice(answers: Answers, item: int, read: int) -> Witness:
    history = answers.history
    shown = history.seen[history.seen_start[read] : history.seen_start[read + 1]]
    ids = tuple(history.ids[code] for code in shown if answers.items.of_id[code] == item)
    saw = step(history, f"saw {' and '.join(ids)}", read)
    sentence = (
        f"Session {saw.operation.session} saw {' and '.join(ids)} in one answer "
        f"{place_and_time(saw.operation)} in {saw.operation.object}: one thing twice."
    )
    return Witness(sentence=sentence, ids=ids, steps=(saw,))


def _tell_under_two_ids(answers: Answers, reads: Mapping[int, int]) -> Witness:
    history = answers.history
    ids = tuple(history.ids[code] for code in reads)
    steps = tuple(step(history, f"saw {history.ids[code]}", read) for code, read in reads.items())
    places = ", ".join(f"{name} {place_and_time(each.operation)}" for name, each in zip(ids, steps, strict=True))
    sentence = f"Final reads show one thing, of one idempotency key, under different ids: {places}."
    return Witness(sentence=sentence, ids=ids, steps=steps)
