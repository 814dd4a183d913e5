"""What a request means to change, said before it is sent: an answer that never comes could not say it.

Ids are the client's own (an idempotency key, a name), so that what became of a write without an answer can be seen in
later reads.
"""

from typing import NamedTuple

from harness.record.rows import NO_COUNT, Change


class Intent(NamedTuple):
    """`object` is the set or counter, as the profile names it in reads too."""

    object: str = ""
    change: Change = Change.NONE
    written: str = ""
    amount: int = NO_COUNT


NOTHING = Intent()


def adds(identifier: str, *, to: str) -> Intent:
    return Intent(to, Change.ADD, identifier)


def removes(identifier: str, *, of: str) -> Intent:
    return Intent(of, Change.REMOVE, identifier)


def raises(counter: str, *, by: int = 1) -> Intent:
    return Intent(counter, Change.COUNT, "", by)
